//! What can go wrong, for each operation.

use std::{io, net::SocketAddr};

use thiserror::Error;

/// Why a port could not be bound.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BindError {
    /// Another socket holds the address.
    #[error("UDP {addr} is in use")]
    InUse {
        /// The address asked for.
        addr: SocketAddr,
    },
    /// The system said no.
    #[error("UDP {addr} could not be bound")]
    Io {
        /// The address asked for.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

impl BindError {
    pub(super) fn from_io(addr: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse { addr },
            _ => Self::Io { addr, source },
        }
    }
}

/// Why a protocol could not be registered.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// As many protocols as a port takes are registered.
    #[error("UDP {addr} has {limit} protocols already")]
    Full {
        /// The port's address.
        addr: SocketAddr,
        /// How many it takes.
        limit: usize,
    },
}

/// Why a datagram was not sent. The port stays good after each.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SendError {
    /// The system has no room at this moment; [`UdpPort::writable`](super::UdpPort::writable) tells when it has.
    #[error("no room to send to {to} now")]
    Full {
        /// Where the datagram was to go.
        to: SocketAddr,
    },
    /// The system said no. Some systems say so of a datagram that found a queue full.
    #[error("sending to {to} failed")]
    Io {
        /// Where the datagram was to go.
        to: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A datagram is longer than the path, or UDP itself, takes. Smaller ones may pass.
    #[error("the datagram is too long for the path to {to}")]
    TooLong {
        /// Where the datagram was to go.
        to: SocketAddr,
    },
    /// There is no way there at this moment, or a firewall of this host forbids it.
    #[error("{to} cannot be reached from here")]
    Unreachable {
        /// Where the datagram was to go.
        to: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

impl SendError {
    pub(super) fn from_io(to: SocketAddr, source: io::Error) -> Self {
        use io::ErrorKind as Kind;

        if quinn_udp::is_msg_size_err(&source) {
            return Self::TooLong { to };
        }
        match source.kind() {
            Kind::WouldBlock => Self::Full { to },
            Kind::AddrNotAvailable
            | Kind::ConnectionRefused
            | Kind::ConnectionReset
            | Kind::HostUnreachable
            | Kind::NetworkDown
            | Kind::NetworkUnreachable
            | Kind::PermissionDenied => Self::Unreachable { to, source },
            _ => Self::Io { to, source },
        }
    }
}
