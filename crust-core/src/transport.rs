//! What a transport is: it dials addresses and listens on them.

use std::{fmt, io, sync::Arc};

use async_trait::async_trait;
use thiserror::Error;

use crate::{Addr, Connection, Listener};

/// A way to open connections: TCP, uTP, memory, or one of your own.
///
/// Implement it for your type, run [`conformance::transport`](crate::conformance) on it (feature `test-util`), and
/// hand it to a node as a value.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// The schemes served, without `://`.
    fn schemes(&self) -> &[&'static str];

    /// Opens a connection to `addr`.
    ///
    /// It has no time-out of its own; the caller sets one.
    ///
    /// # Errors
    ///
    /// [`TransportError::Unsupported`] for a scheme that is not served, [`TransportError::Refused`] where nobody
    /// listens, and the other variants as they say.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes what was half open.
    async fn dial(&self, addr: &Addr, opts: &DialOpts) -> Result<Connection, TransportError>;

    /// Binds `addr` and listens before it returns.
    ///
    /// # Errors
    ///
    /// [`TransportError::InUse`] where somebody else listens there, and the other variants as they say.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future, or the listener it gave, frees the address.
    async fn listen(&self, addr: &Addr) -> Result<Listener, TransportError>;
}

#[async_trait]
impl<T: Transport + ?Sized> Transport for Arc<T> {
    fn schemes(&self) -> &[&'static str] {
        (**self).schemes()
    }

    async fn dial(&self, addr: &Addr, opts: &DialOpts) -> Result<Connection, TransportError> {
        (**self).dial(addr, opts).await
    }

    async fn listen(&self, addr: &Addr) -> Result<Listener, TransportError> {
        (**self).listen(addr).await
    }
}

#[async_trait]
impl<T: Transport + ?Sized> Transport for Box<T> {
    fn schemes(&self) -> &[&'static str] {
        (**self).schemes()
    }

    async fn dial(&self, addr: &Addr, opts: &DialOpts) -> Result<Connection, TransportError> {
        (**self).dial(addr, opts).await
    }

    async fn listen(&self, addr: &Addr) -> Result<Listener, TransportError> {
        (**self).listen(addr).await
    }
}

/// How to dial. Hole punching needs both; a plain dial neither.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DialOpts {
    /// Bind to this local address first, usually the listener's own; the transport picks one where it is `None`.
    pub from: Option<Addr>,
    /// Who this end is in whatever follows the connect.
    pub role: Role,
}

impl DialOpts {
    /// Binds to `addr` before dialing.
    #[must_use]
    pub fn with_from(mut self, addr: Addr) -> Self {
        self.from = Some(addr);
        self
    }

    /// Takes `role` once connected.
    #[must_use]
    pub fn with_role(mut self, role: Role) -> Self {
        self.role = role;
        self
    }
}

/// Who opened a connection (Noise: initiator and responder).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The end that opened it and speaks first.
    #[default]
    Dialer,
    /// The end that took it.
    Listener,
}

impl Role {
    /// The role of the other end.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Dialer => Self::Listener,
            Self::Listener => Self::Dialer,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Dialer => "dialer",
            Self::Listener => "listener",
        })
    }
}

/// Why a transport could not dial, listen or accept.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TransportError {
    /// Another program, or another listener of this one, holds the address.
    #[error("{addr} is in use")]
    InUse {
        /// The address asked for.
        addr: Addr,
    },
    /// The address has a scheme that is served but a body that the transport cannot read.
    #[error("{addr} is not an address of this transport: {reason}")]
    Invalid {
        /// The address asked for.
        addr: Addr,
        /// What a right one looks like.
        reason: &'static str,
    },
    /// The system said no.
    #[error("{addr} failed")]
    Io {
        /// The address asked for.
        addr: Addr,
        /// What the system said.
        source: io::Error,
    },
    /// The name stands for no address.
    #[error("the name in {addr} could not be resolved")]
    Name {
        /// The address asked for.
        addr: Addr,
        /// What the resolver said.
        source: io::Error,
    },
    /// The machine is there and nobody listens.
    #[error("{addr} refused the connection")]
    Refused {
        /// The address asked for.
        addr: Addr,
    },
    /// The system gave up waiting.
    #[error("{addr} did not answer")]
    TimedOut {
        /// The address asked for.
        addr: Addr,
    },
    /// No transport serves the scheme.
    #[error("no transport here serves {addr}")]
    Unsupported {
        /// The address asked for.
        addr: Addr,
    },
    /// There is no way to that network or machine.
    #[error("{addr} cannot be reached from here")]
    Unreachable {
        /// The address asked for.
        addr: Addr,
    },
}

impl TransportError {
    /// Sorts what the system said about `addr` into the variant that says it best.
    pub fn from_io(addr: &Addr, source: io::Error) -> Self {
        let addr = addr.clone();
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse { addr },
            io::ErrorKind::ConnectionRefused => Self::Refused { addr },
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                Self::Unreachable { addr }
            }
            io::ErrorKind::TimedOut => Self::TimedOut { addr },
            _ => Self::Io { addr, source },
        }
    }

    /// The address it is about.
    pub fn addr(&self) -> &Addr {
        match self {
            Self::InUse { addr }
            | Self::Invalid { addr, .. }
            | Self::Io { addr, .. }
            | Self::Name { addr, .. }
            | Self::Refused { addr }
            | Self::TimedOut { addr }
            | Self::Unsupported { addr }
            | Self::Unreachable { addr } => addr,
        }
    }
}
