//! How a node is set up: limits and times, with their defaults.

use std::time::Duration;

#[cfg(doc)]
use crate::DisconnectReason;

/// What bounds a node. Every field has a default that suits a program on a desktop or a server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of the longest message taken or sent; 4 MiB.
    pub max_message: usize,
    /// What one peer's messages may take here until the application reads them, each counted with 64 bytes more than it
    /// has; 8 MiB, and never less than two of the longest messages. A session's memory stays under this, the send
    /// queue, and 272 KiB of buffers while data flows.
    pub receive_window: usize,
    /// What the messages of all peers together may take here until the application reads them, counted alike; 1 GiB.
    /// Beyond it the sessions that hold the most are ended with [`DisconnectReason::Limit`], and what of theirs is not
    /// read is dropped: a safety net for an application that has stopped reading, where windows do not suffice.
    pub receive_total: usize,
    /// What messages to one peer may take here until they are sent, counted alike; 1 MiB. A message waits only for
    /// those of its own and higher priorities, so each level in use can hold that much; one longer message goes in when
    /// there are none.
    pub send_queue: usize,
    /// Sessions in all; 16,384.
    pub sessions: usize,
    /// Sessions with peers that dialed from one IP address; 1,024: many can stand behind one NAT.
    pub sessions_per_address: usize,
    /// Sessions with peers that dialed from one prefix (/24, /48); 4,096.
    pub sessions_per_prefix: usize,
    /// Handshakes at one time that others began; 1,024.
    pub handshakes: usize,
    /// Of these, from one IP address; 128.
    pub handshakes_per_address: usize,
    /// Of these, from one prefix (/24, /48); 256.
    pub handshakes_per_prefix: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message: 4 << 20,
            receive_window: 8 << 20,
            receive_total: 1 << 30,
            send_queue: 1 << 20,
            sessions: 16_384,
            sessions_per_address: 1_024,
            sessions_per_prefix: 4_096,
            handshakes: 1_024,
            handshakes_per_address: 128,
            handshakes_per_prefix: 256,
        }
    }
}

impl Limits {
    /// Within what the protocol can say: a message of a gibibyte, a window of 2^60 (2^28 on 32-bit machines).
    pub(crate) fn clamped(mut self) -> Self {
        self.max_message = self.max_message.min(1 << 30);
        self.receive_window = self.receive_window.min(usize::MAX / 16);
        self
    }
}

/// How long things may take.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// To open a connection to one address; 10 s.
    pub dial: Duration,
    /// For handshake and hello together; 10 s.
    pub handshake: Duration,
    /// After which a peer that is not heard is lost; 20 s. It is asked after half of that.
    pub lost: Duration,
    /// A search is given to find somebody, before it counts as tried in vain; 10 s. What ends before has had its time.
    pub search: Duration,
    /// Between one address and the next while a peer is dialed; 250 ms (RFC 8305 §5).
    pub stagger: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            dial: Duration::from_secs(10),
            handshake: Duration::from_secs(10),
            lost: Duration::from_secs(20),
            search: Duration::from_secs(10),
            stagger: Duration::from_millis(250),
        }
    }
}

impl Timeouts {
    /// Within what a clock can count.
    pub(crate) fn clamped(mut self) -> Self {
        for time in [
            &mut self.dial,
            &mut self.handshake,
            &mut self.lost,
            &mut self.search,
            &mut self.stagger,
        ] {
            *time = (*time).min(LONGEST);
        }
        self
    }
}

/// A year: nobody waits longer.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3_600);
