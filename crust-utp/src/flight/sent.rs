//! A packet on its way, and what becomes known of it.

use std::time::{Duration, Instant};

use crate::{seq_nr::SeqNr, wire::Sack};

/// A packet that was sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    /// The place of its first byte in the stream.
    pub(crate) place: u64,
    pub(crate) len: usize,
    pub(crate) kind: SentKind,
    pub(super) sent_at: Instant,
    pub(super) sending: u64,
    pub(super) first_sending: u64,
    pub(super) state: State,
}

/// What a packet that was sent is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SentKind {
    Data,
    Fin,
    /// Data, and longer than what is known to get through.
    Probe,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    InFlight,
    Lost,
    Arrived,
}

/// An acknowledgement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ack<'a> {
    /// Everything up to this number has arrived.
    pub(crate) ack_nr: SeqNr,
    /// What came beyond the first that is missing.
    pub(crate) sack: Option<Sack<'a>>,
    /// It came in a packet that is for nothing else.
    pub(crate) is_pure: bool,
}

/// What an acknowledgement told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Arrived {
    /// Bytes that had not been acknowledged before.
    pub(crate) bytes: u64,
    /// Packets likewise.
    pub(crate) packets: u32,
    /// The round trip of the packet that was sent last of those, where it was sent once.
    pub(crate) rtt: Option<Duration>,
    /// When that packet was sent, sent once or not.
    pub(crate) newest_sent_at: Option<Instant>,
    /// Everything before this place has arrived.
    pub(crate) released: Option<u64>,
    /// The FIN has arrived, and everything before it.
    pub(crate) fin: bool,
    /// The probe has, as long as it was.
    pub(crate) probe: bool,
}

/// What was found lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lost {
    /// Bytes, without those of a probe: its loss says nothing of the load.
    pub(crate) bytes: u64,
    /// The probe was among them.
    pub(crate) probe: bool,
    /// When the last of them was sent.
    pub(crate) newest_sent_at: Instant,
}

impl Sent {
    /// Whether it is in flight, by this sending.
    pub(super) fn is_at(&self, sending: u64) -> bool {
        self.state == State::InFlight && self.sending == sending
    }

    /// Whether it was sent more than once.
    pub(crate) const fn is_again(&self) -> bool {
        self.sending != self.first_sending
    }
}
