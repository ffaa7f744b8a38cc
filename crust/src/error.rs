//! Why a node did not start, and why a peer was not reached.

use std::{fmt, sync::Arc, time::Duration};

use crust_core::{Addr, DiscoveryError, PeerId, TransportError};
use crust_crypto::{HandshakeError, IdentityError};
use thiserror::Error;

use crate::reason::DisconnectReason;

/// Why a node did not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The identity file could not be used.
    #[error("the node's identity could not be read or made")]
    Identity(#[from] IdentityError),
    /// An address could not be listened on.
    #[error("could not listen")]
    Listen(#[from] TransportError),
    /// The range of sessions to keep has nothing in it.
    #[error(
        "a node cannot keep {least} to {most} sessions; the first is to be the smaller, and the second not 0"
    )]
    Keep {
        /// At least so many.
        least: usize,
        /// At most so many.
        most: usize,
    },
    /// There is no transport: the facade was built without any, and none was given.
    #[error("there is no transport; turn a feature on (tcp) or give one to the builder")]
    NoTransport,
    /// Two transports serve one scheme.
    #[error("two transports serve {scheme}://")]
    SchemeTwice {
        /// The scheme.
        scheme: &'static str,
    },
}

/// Why a peer was not reached: everything that was tried.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The peer, or every address of it, is blocked here.
    #[error("{target} is blocked here")]
    Blocked {
        /// Who or where.
        target: String,
    },
    /// Every address was tried.
    #[error("could not connect to {target}:{}", list(.attempts))]
    Failed {
        /// Who or where.
        target: String,
        /// What was tried, in order.
        attempts: Vec<Attempt>,
    },
    /// No address of the peer is known.
    #[error(
        "no address of {peer} is known, and no discovery found one; give one, as in {peer}@tcp://192.0.2.7:5483"
    )]
    NoAddress {
        /// Who.
        peer: PeerId,
    },
    /// The node itself was to be connected to.
    #[error("that is this node itself")]
    Oneself,
    /// The node was shut down.
    #[error("this node is shut down")]
    Shutdown,
}

/// Why there is no session with anybody.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BootstrapError {
    /// Everybody who was found was tried.
    #[error("found no way into the network:{}{}", search_list(.searches), list(.attempts))]
    Failed {
        /// What was tried, in order; the first 256.
        attempts: Vec<Attempt>,
        /// Where was searched.
        searches: Vec<SearchReport>,
    },
    /// The node has no discovery.
    #[error(
        "this node has no discovery to find anybody with; give it one, or a contact to connect to"
    )]
    NoDiscovery,
    /// The node was shut down.
    #[error("this node is shut down")]
    Shutdown,
}

/// What one discovery's search came to.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SearchReport {
    /// The discovery's name.
    pub source: &'static str,
    /// How often it found somebody.
    pub found: u64,
    /// What went wrong last.
    pub error: Option<Arc<DiscoveryError>>,
}

impl fmt::Display for SearchReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.found {
            0 => write!(f, "{}: found nobody", self.source)?,
            1 => write!(f, "{}: found 1 peer or address", self.source)?,
            found => write!(f, "{}: found {found} peers or addresses", self.source)?,
        }
        match &self.error {
            Some(error) => write!(f, " ({})", chain(error)),
            None => Ok(()),
        }
    }
}

/// One attempt to reach a peer.
#[derive(Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// Where.
    pub addr: Addr,
    /// How long it took to fail.
    pub elapsed: Duration,
    /// Why it failed.
    pub error: AttemptError,
}

impl Attempt {
    /// The peer that is there and has no room.
    pub(crate) const fn met_a_limit(&self) -> Option<PeerId> {
        match self.error {
            AttemptError::Full { peer } => Some(peer),
            _ => None,
        }
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let after = self.elapsed.as_millis();
        match &self.error {
            // These name the address themselves.
            AttemptError::Transport(error) => write!(f, "{} (after {after} ms)", chain(error)),
            error => write!(f, "{}: {} (after {after} ms)", self.addr, chain(error)),
        }
    }
}

/// Why one attempt failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AttemptError {
    /// The address is blocked here.
    #[error("blocked here")]
    Blocked,
    /// The other side keeps another connection to this node, and that did not become a session in time.
    #[error("the other side keeps another connection, which was not ready within {} s", .limit.as_secs_f32())]
    Duplicate {
        /// The time it had.
        limit: Duration,
    },
    /// The other side took the connection and then ended it.
    #[error("the other side ended it: {0}")]
    Ended(DisconnectReason),
    /// The peer that answered has as many sessions as it wants.
    #[error("{peer} has as many sessions as it wants, or its limits allow")]
    Full {
        /// Who answered.
        peer: PeerId,
    },
    /// The connection could not be encrypted.
    #[error("the handshake failed")]
    Handshake(#[from] HandshakeError),
    /// The other side did not answer the handshake in time.
    #[error("no answer to the handshake within {} s", .limit.as_secs_f32())]
    HandshakeTimeout {
        /// The time it had.
        limit: Duration,
    },
    /// This node has as many sessions as it may.
    #[error("this node has as many sessions as its limits allow")]
    Limit,
    /// This node answered.
    #[error("this node itself answers there")]
    Oneself,
    /// The other side did not keep to the protocol.
    #[error("protocol error: {detail}")]
    Protocol {
        /// What was wrong.
        detail: String,
    },
    /// The address did not take the connection in time.
    #[error("no connection within {} s", .limit.as_secs_f32())]
    Timeout {
        /// The time it had.
        limit: Duration,
    },
    /// The transport could not open the connection.
    #[error(transparent)]
    Transport(#[from] TransportError),
}

impl AttemptError {
    /// Whether it says something about the address, and not about this node alone.
    pub(crate) const fn tells_of_the_address(&self) -> bool {
        match self {
            Self::Blocked | Self::Full { .. } | Self::Limit | Self::Oneself => false,
            Self::Transport(error) => matches!(
                error,
                TransportError::Refused { .. } | TransportError::TimedOut { .. }
            ),
            _ => true,
        }
    }
}

fn list(attempts: &[Attempt]) -> String {
    attempts
        .iter()
        .map(|attempt| format!("\n  {attempt}"))
        .collect()
}

fn search_list(searches: &[SearchReport]) -> String {
    searches
        .iter()
        .map(|search| format!("\n  {search}"))
        .collect()
}

/// An error with its sources, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text += ": ";
        text += &error.to_string();
        source = error.source();
    }
    text
}
