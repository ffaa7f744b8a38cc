//! A record in the table, and what is known of it.

use std::time::Instant;

use crust_core::{Addr, SignedRecord};

use super::{
    index::Place,
    prefix::Prefix,
    slots::{Marks, Slot},
};
use crate::gossip::{candidate, wire::Told};

/// A record in the table, and what is known of it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(super) signed: SignedRecord,
    /// Bytes that it takes in a message.
    pub(super) len: usize,
    pub(super) seq: u64,
    pub(super) expires: u64,
    /// When it was made, by this node's clock.
    pub(super) made_at: Instant,
    /// From when on its peer is held to be dead.
    pub(super) silent_at: Instant,
    pub(super) place: Place,
    pub(super) prefixes: Vec<Prefix>,
    /// The sessions whose peers have it, or were sent it.
    pub(super) known: Marks,
    pub(super) dials: Dials,
}

impl Entry {
    pub(crate) const fn signed(&self) -> &SignedRecord {
        &self.signed
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn version(&self) -> u64 {
        self.place.version
    }

    pub(crate) const fn source(&self) -> crust_core::PeerId {
        self.place.source
    }

    /// As it is told to others.
    pub(crate) fn told(&self, now: Instant) -> Told {
        let age = now.saturating_duration_since(self.made_at);
        Told {
            record: self.signed.clone(),
            age_ms: u32::try_from(age.as_nanos().div_ceil(1_000_000)).unwrap_or(u32::MAX),
        }
    }

    pub(super) const fn is_live(&self, unix_ms: u64) -> bool {
        self.expires > unix_ms
    }

    pub(super) fn is_unknown_to(&self, slot: Slot) -> bool {
        !self.known.has(slot)
    }

    /// Learns that nobody, or somebody else, answered at `addr`. True where all that can be tried was, twice.
    pub(super) fn failed(&mut self, addr: &Addr) -> bool {
        let addrs = candidate::read_again(&self.signed).addrs;
        let Some(place) = addrs.iter().position(|other| other == addr) else {
            return false;
        };
        self.dials.failed |= 1 << place;
        if self.dials.failed.count_ones() as usize >= addrs.len() {
            self.dials.rounds += 1;
            self.dials.failed = 0;
        }
        self.dials.rounds >= FAILED_ROUNDS
    }
}

/// How dials to a record's addresses went since one last succeeded.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Dials {
    /// Each address that failed in this round: one bit each, and a record has sixteen at most.
    failed: u16,
    /// How often all of them failed.
    rounds: u8,
}

/// One may be a bad moment.
const FAILED_ROUNDS: u8 = 2;
