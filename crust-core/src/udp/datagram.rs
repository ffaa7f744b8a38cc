//! What is received and what is sent.

use std::net::{IpAddr, SocketAddr};

/// A datagram that was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Datagram<'a> {
    /// Who sent it. An IPv4 sender is shown as such on a dual-stack port too.
    pub from: SocketAddr,
    /// The local address that it was sent to, where the system tells.
    pub to: Option<IpAddr>,
    /// Its congestion mark; `None` where it has none.
    pub ecn: Option<Ecn>,
    /// Its payload, which may be empty.
    pub data: &'a [u8],
}

impl<'a> Datagram<'a> {
    /// One without a local address and a congestion mark.
    pub const fn new(from: SocketAddr, data: &'a [u8]) -> Self {
        Self {
            from,
            to: None,
            ecn: None,
            data,
        }
    }
}

/// What is to be sent: one datagram, or several of one size to the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transmit<'a> {
    /// Where it goes. IPv4 addresses can be sent to from a dual-stack port.
    pub to: SocketAddr,
    /// The local address to send from, as [`Datagram::to`] told it; the system chooses where it is `None`.
    pub from: Option<IpAddr>,
    /// The congestion mark to set.
    pub ecn: Option<Ecn>,
    /// The payload, or several of them one after another.
    pub data: &'a [u8],
    /// The size in bytes of each payload in `data`, of which the last may be shorter. All of `data` is one datagram
    /// where it is `None` or 0.
    pub segment_size: Option<usize>,
}

impl<'a> Transmit<'a> {
    /// One datagram.
    pub const fn new(to: SocketAddr, data: &'a [u8]) -> Self {
        Self {
            to,
            from: None,
            ecn: None,
            data,
            segment_size: None,
        }
    }

    /// Cuts `data` into datagrams of `segment_size` bytes.
    #[must_use]
    pub const fn with_segment_size(mut self, segment_size: usize) -> Self {
        self.segment_size = Some(segment_size);
        self
    }

    /// Sends from the local address `from`: answers come from where the question was sent to.
    #[must_use]
    pub const fn with_from(mut self, from: IpAddr) -> Self {
        self.from = Some(from);
        self
    }

    /// Sets the congestion mark.
    #[must_use]
    pub const fn with_ecn(mut self, ecn: Ecn) -> Self {
        self.ecn = Some(ecn);
        self
    }
}

/// An explicit congestion notification (RFC 3168 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ecn {
    /// A router on the way is congested.
    Ce,
    /// The sender understands such marks.
    Ect0,
    /// The same; RFC 9331 gives it a meaning of its own.
    Ect1,
}
