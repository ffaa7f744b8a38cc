//! What peers say of themselves and of others, in signed records.
//!
//! A record's times are by its peer's clock. Whoever is told of others dials them whatever the time is: the peer that tells
//! saw to it that they hold, and a handshake shows who is there. What is kept and handed on holds by this node's clock too.
//! So a node whose clock is years off finds its network by asking, and hands on nothing that is old.

use std::{
    fmt,
    sync::Mutex,
    time::{Duration, Instant},
};

use crust_core::{FoundPeer, PeerId, PeerRecord, SignedRecord, rt};
use crust_crypto::Ed25519Verifier;

use crate::{
    node::{
        inner::{Inner, shared},
        keep::wishes::Told,
    },
    sync::lock,
};

impl Inner {
    /// `teller` says whom else to dial.
    pub(crate) fn on_contacts(&self, teller: PeerId, records: &[SignedRecord]) {
        let now_ms = unix_ms();
        for signed in records {
            let Ok(record) = signed.verify(&Ed25519Verifier, WHENEVER_MS) else {
                continue;
            };
            let is_timely = clock_difference(&record, now_ms).is_none();
            if is_timely {
                self.finders.learn(signed);
            }
            let found = FoundPeer {
                peer: Some(record.peer),
                addrs: shared(&record.addrs).cloned().collect(),
                source: CONTACTS,
            };
            self.wishes.on_told(Told {
                found,
                teller,
                is_timely,
            });
        }
    }

    /// A peer that is connected says where it is, so that it can be remembered and handed on.
    ///
    /// Gives whether it did: the record is its own, holds, and is worth handing on.
    pub(crate) fn on_record(&self, peer: PeerId, signed: &SignedRecord) -> bool {
        let record = match signed.verify(&Ed25519Verifier, WHENEVER_MS) {
            Ok(record) if record.peer == peer => record,
            Ok(_) => {
                tracing::debug!(%peer, "record of somebody else, ignored");
                return false;
            }
            Err(error) => {
                tracing::debug!(%peer, %error, "record refused");
                return false;
            }
        };
        if let Some(difference) = clock_difference(&record, unix_ms()) {
            self.clocks.on_difference(rt::now(), peer, difference);
            return false;
        }
        self.finders.learn(signed);
        shared(&record.addrs).next().is_some()
    }
}

/// Tells that clocks differ, so that somebody sets the one that is wrong.
#[derive(Debug, Default)]
pub(crate) struct Clocks {
    told_at: Mutex<Option<Instant>>,
}

impl Clocks {
    /// Gives whether it told, which it does now and then: where this node's clock is wrong, all peers differ.
    fn on_difference(&self, now: Instant, peer: PeerId, difference: Difference) -> bool {
        let mut told_at = lock(&self.told_at);
        let is_due = told_at.is_none_or(|at| now.saturating_duration_since(at) >= TELL_EVERY);
        if is_due {
            *told_at = Some(now);
            tracing::warn!(
                %peer,
                %difference,
                "this machine's clock differs from a peer's; until the wrong one is set, neither keeps or hands on where the \
                 other is"
            );
        }
        is_due
    }
}

/// How this machine's clock is to that of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Difference {
    Behind(Duration),
    Ahead(Duration),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (by, side) = match self {
            Self::Behind(by) => (by, "behind"),
            Self::Ahead(by) => (by, "ahead"),
        };
        let minutes = by.as_secs() / 60;
        match minutes / 60 {
            0..48 => write!(f, "{minutes} minutes {side}"),
            hours => write!(f, "{} days {side}", hours / 24),
        }
    }
}

/// Whether a record that holds by its peer's clock does not by this machine's, and by how much.
fn clock_difference(record: &PeerRecord, now_ms: u64) -> Option<Difference> {
    let behind_ms = record.seq.saturating_sub(now_ms);
    if behind_ms > MAX_SKEW_MS {
        return Some(Difference::Behind(Duration::from_millis(behind_ms)));
    }
    let is_over = record.expires <= now_ms;
    is_over.then(|| Difference::Ahead(Duration::from_millis(now_ms.saturating_sub(record.seq))))
}

fn unix_ms() -> u64 {
    u64::try_from(rt::unix_time().as_millis()).unwrap_or(u64::MAX)
}

/// The source of peers that another told of.
const CONTACTS: &str = "peer";
/// No record has expired then.
const WHENEVER_MS: u64 = 0;
/// How much clocks may differ, as in gossip.
const MAX_SKEW_MS: u64 = 300_000;
const TELL_EVERY: Duration = Duration::from_secs(3_600);

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_800_000_000_000;
    const TEN_YEARS_MS: u64 = 10 * 365 * 86_400_000;

    fn record(seq: u64) -> PeerRecord {
        PeerRecord {
            peer: PeerId::from_bytes([1; 32]),
            addrs: Vec::new(),
            seq,
            expires: seq + 86_400_000,
        }
    }

    #[test]
    fn clocks_that_differ_by_minutes_are_alike_and_by_years_are_not() {
        for seq in [NOW_MS, NOW_MS - 43_200_000, NOW_MS + 299_000] {
            assert_eq!(clock_difference(&record(seq), NOW_MS), None);
        }
        let ten_years = Duration::from_millis(TEN_YEARS_MS);
        assert_eq!(
            clock_difference(&record(NOW_MS + TEN_YEARS_MS), NOW_MS),
            Some(Difference::Behind(ten_years))
        );
        assert_eq!(
            clock_difference(&record(NOW_MS - TEN_YEARS_MS), NOW_MS),
            Some(Difference::Ahead(ten_years))
        );
    }

    #[test]
    fn difference_is_told_once_an_hour_however_many_differ() {
        let clocks = Clocks::default();
        let now = rt::now();
        let at = |minutes: u64| now + Duration::from_secs(60 * minutes);
        let peer = PeerId::from_bytes([2; 32]);
        let difference = Difference::Behind(Duration::from_secs(1_000));
        let told = (0..120).filter(|minutes| clocks.on_difference(at(*minutes), peer, difference));
        assert_eq!(told.collect::<Vec<_>>(), [0, 60]);
    }
}
