//! What somebody else sees of a local port.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// At which address somebody sees a local port of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Observation {
    /// The local port. Its IP address is unspecified where that is not known.
    pub local: SocketAddr,
    /// Who sees it: the server or peer that was sent to.
    pub destination: SocketAddr,
    /// Where it is seen.
    pub observed_addr: SocketAddr,
}
