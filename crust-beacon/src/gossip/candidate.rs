//! A record that somebody told: read, checked for what costs nothing, its signature not yet believed.

use std::time::{Duration, Instant};

use crust_core::{PeerId, PeerRecord, RecordError, SIGNATURE_LEN, SignedRecord, Verifier};

use super::{ignored::Ignored, moment::Moment, wire::Told};

/// A record that somebody told, within its bounds. Whether its peer signed it is another, dearer question.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) record: PeerRecord,
    pub(super) signed: SignedRecord,
    /// When it was made, by this node's clock.
    pub(super) made_at: Instant,
}

impl Candidate {
    /// Reads it.
    pub(super) fn read(told: Told, at: Moment) -> Result<Self, Unfit> {
        let (signed, unix_ms) = (told.record, at.unix_ms);
        let record = match signed.verify(&Unchecked, unix_ms) {
            Ok(record) => record,
            Err(RecordError::Expired) => return Err(Unfit::Untimely(Ignored::Expired)),
            Err(error) => return Err(Unfit::Broken(error)),
        };
        if record.seq > unix_ms.saturating_add(MAX_SKEW_MS) {
            return Err(Unfit::Untimely(Ignored::FromTheFuture));
        }
        if record.expires > unix_ms.saturating_add(MAX_LIFETIME_MS + MAX_SKEW_MS) {
            return Err(Unfit::Untimely(Ignored::TooLongLived));
        }
        // Nobody makes it younger than its date does, but for clocks that differ.
        let least_ms = unix_ms.saturating_sub(record.seq.saturating_add(MAX_SKEW_MS));
        let age = Duration::from_millis(told.age_ms.into()).max(Duration::from_millis(least_ms));
        if age >= patience(&record) {
            return Err(Unfit::Untimely(Ignored::Silent));
        }
        Ok(Self {
            record,
            signed,
            // A machine that has not run for so long has no such instant.
            made_at: at.now.checked_sub(age).unwrap_or(at.now),
        })
    }

    /// How long its peer may be silent before it is held to be dead.
    pub(super) fn patience(&self) -> Duration {
        patience(&self.record)
    }

    /// Whether its peer signed it: some 70 µs.
    pub(super) fn is_signed(&self, verifier: &dyn Verifier) -> bool {
        self.signed.verify(verifier, 0).is_ok()
    }
}

fn patience(record: &PeerRecord) -> Duration {
    let lifetime_ms = record.expires.saturating_sub(record.seq);
    (Duration::from_millis(lifetime_ms) / PATIENCES).max(LEAST_PATIENCE)
}

/// Reads a record that was read before: one of a table.
pub(super) fn read_again(signed: &SignedRecord) -> PeerRecord {
    let record = signed.verify(&Unchecked, 0);
    record.expect("what is in a table was read when it was taken in")
}

/// Why a record is no candidate.
#[derive(Debug)]
pub(super) enum Unfit {
    /// No peer that keeps the rules hands such a thing on.
    Broken(RecordError),
    /// It is not the time for it, which a clock that is wrong explains.
    Untimely(Ignored),
}

/// Leaves signatures for later.
struct Unchecked;

impl Verifier for Unchecked {
    fn verify(&self, _: &PeerId, _: &[u8], _: &[u8; SIGNATURE_LEN]) -> bool {
        true
    }
}

/// The longest that a record may hold, whatever is done to renew it.
pub(super) const MAX_LIFETIME: Duration = Duration::from_millis(MAX_LIFETIME_MS);

/// Of ten thousand peers, each renews its record every 25 minutes.
const MAX_LIFETIME_MS: u64 = 90_000_000;

/// A record holds for so many times what its peer may be silent. Its peer chooses that, and signs it; those who know
/// more peers than others wait no longer for it.
pub(super) const PATIENCES: u32 = 20;

/// No network is so small that renewals come more often.
const LEAST_PATIENCE: Duration = Duration::from_secs(45);

/// How much clocks may differ. So a record made under a clock that was ahead stands in the way of later ones for as
/// long at most.
const MAX_SKEW_MS: u64 = 300_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gossip::toy::{Toy, ToyVerifier, toy_peer, toy_record};

    const NOW_MS: u64 = 1_700_000_000_000;

    fn read_signed(record: SignedRecord) -> Result<Candidate, Unfit> {
        let at = Moment {
            now: crust_core::rt::now(),
            unix_ms: NOW_MS,
        };
        Candidate::read(Told { record, age_ms: 0 }, at)
    }

    fn read(seq: u64, expires: u64) -> Result<Candidate, Unfit> {
        let record = PeerRecord {
            peer: toy_peer(1),
            addrs: Vec::new(),
            seq,
            expires,
        };
        read_signed(record.sign(&Toy::new(1)).unwrap())
    }

    #[test]
    fn times_out_of_bounds_are_ignored_and_not_held_against_who_told() {
        use Ignored::{Expired, FromTheFuture, TooLongLived};
        let minute = 60_000;
        let cases = [
            (NOW_MS - 9 * minute, NOW_MS, Expired),
            (NOW_MS + 6 * minute, NOW_MS + 7 * minute, FromTheFuture),
            (NOW_MS, NOW_MS + 1_506 * minute, TooLongLived),
        ];
        for (seq, expires, why) in cases {
            let unfit = read(seq, expires).unwrap_err();
            assert!(
                matches!(unfit, Unfit::Untimely(ignored) if ignored == why),
                "{unfit:?}"
            );
        }
        assert!(read(NOW_MS + 4 * minute, NOW_MS + 1_504 * minute).is_ok());
        assert!(read(u64::MAX, u64::MAX).is_err());
    }

    #[test]
    fn signature_is_checked_when_asked_for() {
        let right = read_signed(toy_record(1, "tcp://192.0.2.1:1", NOW_MS)).unwrap();
        assert!(right.is_signed(&ToyVerifier));
        let forged = right.record.sign(&Toy::new(2)).unwrap();
        let forged = read_signed(forged).unwrap();
        assert!(!forged.is_signed(&ToyVerifier));
    }
}
