//! What goes into gossip without I/O, and what comes out.

use bytes::Bytes;
use crust_core::{PeerId, PeerRecord, SignedRecord};

use super::breach::Breach;

/// What happens to a [`Machine`](super::Machine).
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Input<'a> {
    /// The session with this peer ended.
    Down(PeerId),
    /// A message came.
    Message {
        /// From whom.
        peer: PeerId,
        /// Its bytes, untrusted.
        bytes: &'a [u8],
    },
    /// The last message to this peer found no room.
    Unsent(PeerId),
    /// A session with this peer began.
    Up(PeerId),
}

/// What a [`Machine`](super::Machine) wants done.
#[derive(Debug)]
#[non_exhaustive]
pub enum Output {
    /// A peer broke the rules: tell who keeps count.
    Breach {
        /// Who did.
        peer: PeerId,
        /// How.
        breach: Breach,
    },
    /// There are new records: see [`next_after`](super::Machine::next_after).
    Learned,
    /// This node's record is to be signed anew, with [`next_seq`](super::Machine::next_seq) and [`lifetime`](super::Machine::lifetime), and set.
    Renew,
    /// Send this.
    Send {
        /// To whom.
        peer: PeerId,
        /// A control message.
        message: Bytes,
    },
}

/// A record that is known, and from whom.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Known {
    /// What it says. Its peer signed it.
    pub record: PeerRecord,
    /// The record as it travels.
    pub signed: SignedRecord,
    /// The peer that told it first.
    pub source: PeerId,
    /// Counts changes: a later record has a higher one.
    pub version: u64,
}
