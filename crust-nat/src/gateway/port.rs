//! What is asked for: a port of this host, seen from outside.

use std::{fmt, num::NonZeroU16};

use crate::Protocol;

/// A port of this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InternalPort {
    /// Whose port it is.
    pub protocol: Protocol,
    /// Its number on this host.
    pub number: NonZeroU16,
}

impl InternalPort {
    /// Port `number` of TCP.
    pub const fn tcp(number: NonZeroU16) -> Self {
        let protocol = Protocol::Tcp;
        Self { protocol, number }
    }

    /// Port `number` of UDP.
    pub const fn udp(number: NonZeroU16) -> Self {
        let protocol = Protocol::Udp;
        Self { protocol, number }
    }
}

impl fmt::Display for InternalPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.protocol, self.number)
    }
}

/// A port to be mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PortRequest {
    /// The port of this host.
    pub port: InternalPort,
    /// The external port to ask for. The gateway gives another one where it is occupied.
    pub external_port: NonZeroU16,
}

impl PortRequest {
    /// Asks for an external port of the same number.
    pub const fn new(port: InternalPort) -> Self {
        Self {
            port,
            external_port: port.number,
        }
    }

    /// Asks for this external port, as it was granted in an earlier session.
    #[must_use]
    pub const fn with_external_port(mut self, external_port: NonZeroU16) -> Self {
        self.external_port = external_port;
        self
    }
}
