//! What is known of one peer.

use std::cmp::Reverse;

use crust_core::{Addr, PeerId, PeerRecord, Reach, SIGNATURE_LEN, SignedRecord, Verifier};

use crate::{
    known::Known,
    lans::{Lans, Place},
    rank::{Rank, rank},
};

/// What is known of one peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) peer: PeerId,
    /// Milliseconds since the Unix epoch when anything was heard of it last.
    pub(crate) heard_ms: u64,
    /// When the newest record of it was made, kept or not; zero where there was none.
    pub(crate) seq: u64,
    /// That record.
    pub(crate) record: Option<Record>,
    /// Sorted by address, each there once; [`MAX_ADDRS`] at most.
    pub(crate) known: Vec<Known>,
}

/// What the peer signed about itself, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) signed: SignedRecord,
    pub(crate) said: PeerRecord,
}

impl Record {
    /// Reads what `signed` says and leaves open who signed it: whoever hands it on must verify it then.
    pub(crate) fn read(signed: SignedRecord) -> Option<Self> {
        let said = signed.verify(&Anybody, 0).ok()?;
        Some(Self { signed, said })
    }

    /// Of two records the one with the greater value holds.
    fn precedence(&self, now_ms: u64) -> ((bool, u64), u64, &[Addr]) {
        let said = &self.said;
        (seq_precedence(said.seq, now_ms), said.expires, &said.addrs)
    }
}

impl Entry {
    /// A peer of which nothing is known yet.
    pub(crate) fn new(peer: PeerId, heard_ms: u64) -> Self {
        Self {
            peer,
            heard_ms,
            seq: 0,
            record: None,
            known: Vec::new(),
        }
    }

    /// The peer proved itself at `addr`. False where that address is not to be kept.
    pub(crate) fn on_reached(
        &mut self,
        addr: &Addr,
        lans: &Lans,
        now_ms: u64,
        rtt_ms: u32,
    ) -> bool {
        let Some(place) = lans.place(Reach::of(addr), true) else {
            return false;
        };
        let known = self.known_at(addr, place);
        known.place = place;
        known.on_reached(now_ms, rtt_ms);
        self.heard_ms = now_ms;
        self.tidy(now_ms);
        true
    }

    /// A dial to `addr` failed. False where that address is not known.
    pub(crate) fn on_failed(&mut self, addr: &Addr, now_ms: u64, limit: u8) -> bool {
        match self.position(addr) {
            Ok(at) => {
                self.known[at].on_failed(now_ms, limit);
                true
            }
            Err(_) => false,
        }
    }

    /// The peer, or somebody, says that it is at `addr`. False where that is known or not to be kept.
    pub(crate) fn on_heard(&mut self, addr: &Addr, lans: &Lans) -> bool {
        let (Some(place), Err(_)) = (lans.place(Reach::of(addr), false), self.position(addr))
        else {
            return false;
        };
        self.known_at(addr, place);
        true
    }

    /// Takes a verified record. False where one that holds is there already, or nothing of it can be kept.
    ///
    /// A record that names a LAN of somebody else cannot be shortened, for it is signed; only the addresses in it that
    /// may be kept are, and it is not.
    pub(crate) fn on_record(&mut self, record: Record, lans: &Lans, now_ms: u64) -> bool {
        if self.outranks(&record, now_ms) {
            return false;
        }
        for addr in &record.said.addrs {
            self.on_heard(addr, lans);
        }
        let all_kept = record
            .said
            .addrs
            .iter()
            .all(|addr| self.position(addr).is_ok());
        self.seq = record.said.seq;
        self.record = all_kept.then_some(record);
        self.heard_ms = now_ms;
        self.tidy(now_ms);
        !self.known.is_empty()
    }

    /// Takes what `other` knows more of the same peer. The order of such merges does not matter.
    pub(crate) fn merge(&mut self, other: Self, now_ms: u64) {
        self.heard_ms = self.heard_ms.max(other.heard_ms);
        if let Some(record) = other.record
            && !self.outranks(&record, now_ms)
        {
            self.seq = record.said.seq;
            self.record = Some(record);
        }
        if seq_precedence(other.seq, now_ms) > seq_precedence(self.seq, now_ms) {
            self.seq = other.seq;
            self.record = None;
        }
        for known in other.known {
            match self.position(&known.addr) {
                Ok(at) => self.known[at].merge(&known),
                Err(at) => self.known.insert(at, known),
            }
        }
        self.tidy(now_ms);
    }

    /// Drops rumours that the peer's own record does not confirm, and the worst addresses beyond [`MAX_ADDRS`].
    pub(crate) fn tidy(&mut self, now_ms: u64) {
        if let Some(record) = &self.record {
            let addrs = &record.said.addrs;
            self.known
                .retain(|known| known.reached.is_some() || addrs.contains(&known.addr));
        }
        while self.known.len() > MAX_ADDRS {
            let worst = |&at: &usize| {
                let known = &self.known[at];
                (
                    known.is_dead(),
                    rank(known, self.heard_ms, now_ms),
                    Reverse(at),
                )
            };
            if let Some(at) = (0..self.known.len()).max_by_key(worst) {
                self.known.remove(at);
            }
        }
    }

    /// Replaces each time by what `settled` makes of it.
    pub(crate) fn settle(&mut self, settled: impl Fn(u64) -> u64) {
        self.heard_ms = settled(self.heard_ms);
        for known in &mut self.known {
            if let Some(reached) = &mut known.reached {
                reached.at_ms = settled(reached.at_ms);
            }
            known.failed.at_ms = settled(known.failed.at_ms);
        }
    }

    /// Each time in it.
    pub(crate) fn times_ms(&self) -> impl Iterator<Item = u64> {
        let known = self.known.iter().flat_map(|known| {
            let reached_ms = known.reached.map(|reached| reached.at_ms);
            reached_ms.into_iter().chain([known.failed.at_ms])
        });
        known.chain([self.heard_ms])
    }

    /// When there last was a sign of it, for whoever forgot it at a certain time.
    pub(crate) fn last_sign_ms(&self) -> u64 {
        let reached = self.known.iter().filter_map(|known| known.reached);
        let reached_ms = reached.map(|reached| reached.at_ms).max();
        self.heard_ms.max(reached_ms.unwrap_or(0))
    }

    /// Whether it was ever reached.
    pub(crate) fn was_reached(&self) -> bool {
        self.known.iter().any(|known| known.reached.is_some())
    }

    /// Whether there is no address left to dial.
    pub(crate) fn is_dead(&self) -> bool {
        self.known.iter().all(Known::is_dead)
    }

    /// Its addresses that can be dialed from `lans`, the best first.
    pub(crate) fn offers(&self, lans: &Lans, now_ms: u64) -> Vec<&Known> {
        let dialable = |known: &&Known| !known.is_dead() && lans.is_here(&known.place);
        let mut offers: Vec<_> = self.known.iter().filter(dialable).collect();
        offers.sort_by_key(|known| rank(known, self.heard_ms, now_ms));
        offers
    }

    /// The rank of its best address; `None` where it is dead.
    pub(crate) fn rank(&self, now_ms: u64) -> Option<Rank> {
        let alive = self.known.iter().filter(|known| !known.is_dead());
        alive.map(|known| rank(known, self.heard_ms, now_ms)).min()
    }

    fn outranks(&self, record: &Record, now_ms: u64) -> bool {
        match &self.record {
            Some(ours) => ours.precedence(now_ms) >= record.precedence(now_ms),
            // Of the same record, it may be kept by now.
            None => seq_precedence(self.seq, now_ms) > seq_precedence(record.said.seq, now_ms),
        }
    }

    /// Whether `addr` is among its addresses.
    pub(crate) fn knows(&self, addr: &Addr) -> bool {
        self.position(addr).is_ok()
    }

    fn position(&self, addr: &Addr) -> Result<usize, usize> {
        self.known.binary_search_by(|known| known.addr.cmp(addr))
    }

    fn known_at(&mut self, addr: &Addr, place: Place) -> &mut Known {
        let at = self.position(addr).unwrap_or_else(|at| {
            self.known.insert(at, Known::untried(addr.clone(), place));
            at
        });
        &mut self.known[at]
    }
}

/// Of records made at two times that with the greater value holds.
///
/// One made far in the future is by a clock that is wrong, the peer's or ours. It yields to one that is not, or the peer
/// could not take it back for years.
fn seq_precedence(seq: u64, now_ms: u64) -> (bool, u64) {
    let plausible = seq <= now_ms.saturating_add(MAX_SKEW_MS);
    (plausible && seq > 0, seq)
}

/// Addresses kept of one peer: as many as it may say itself.
pub(crate) const MAX_ADDRS: usize = PeerRecord::MAX_ADDRS;

/// A day: what clocks set by hand, in the wrong zone, are wrong by.
const MAX_SKEW_MS: u64 = 24 * 60 * 60 * 1_000;

/// Takes each signature for good.
struct Anybody;

impl Verifier for Anybody {
    fn verify(&self, _: &PeerId, _: &[u8], _: &[u8; SIGNATURE_LEN]) -> bool {
        true
    }
}
