//! What a server's answer tells, and why there is none.

use std::{net::SocketAddr, time::Duration};

use crust_core::{Reach, udp::SendError};
use thiserror::Error;

use super::wire::{Attribute, Class, Message};

/// What a server told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Binding {
    /// The address at which the server sees us.
    pub observed_addr: SocketAddr,
    /// Where the answer came from.
    pub answered_from: SocketAddr,
    /// The server's other address and other port (RFC 5780 §7.4), of servers that have two of each.
    pub other_addr: Option<SocketAddr>,
    /// From request to answer; `None` where the request was sent several times, so that it is not known which was
    /// answered.
    pub rtt: Option<Duration>,
}

impl Binding {
    /// The server's other address, where it can be one: of the same version of IP, and no nearer to this host than the server is.
    /// A server that names another would have this host send into its own network.
    pub(crate) fn other_addr_of(&self, server: SocketAddr) -> Option<SocketAddr> {
        let is_fitting = |other: &SocketAddr| {
            let reach = Reach::of_ip(other.ip());
            let is_as_far = match Reach::of_ip(server.ip()) {
                Reach::Everywhere => reach == Reach::Everywhere,
                Reach::Lan(_) => reach.is_shared(),
                Reach::Host(_) => matches!(reach, Reach::Host(_)),
                Reach::Nowhere => false,
            };
            is_as_far && other.is_ipv4() == server.is_ipv4() && other.port() != 0
        };
        self.other_addr.filter(is_fitting)
    }
}

/// Why there is no binding.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StunError {
    /// As many requests as may be are without an answer.
    #[error("{limit} requests are without an answer, the one to {server} is too many")]
    Full {
        /// Whom the request was for.
        server: SocketAddr,
        /// How many there may be.
        limit: usize,
    },
    /// The answer has no address in it, or one that is nobody's.
    #[error("{server} did not say where it sees us")]
    NoAddress {
        /// Whom the request was for.
        server: SocketAddr,
    },
    /// The server answered that it will not.
    #[error("{server} refused with {code}")]
    Refused {
        /// Whom the request was for.
        server: SocketAddr,
        /// Its reason (RFC 8489 §14.8), from 300 to 699: 420 where it does not know something that was asked for.
        code: u16,
    },
    /// The request could not be sent.
    #[error("the request to {server} could not be sent")]
    Send {
        /// Whom the request was for.
        server: SocketAddr,
        /// Why not.
        source: SendError,
    },
    /// No answer came.
    #[error("{server} did not answer any of {requests} requests")]
    TimedOut {
        /// Whom the request was for.
        server: SocketAddr,
        /// How often it was asked.
        requests: u32,
    },
    /// The answer has an attribute that must be understood and is not (RFC 8489 §6.3.3).
    #[error("the answer of {server} has the unknown attribute {kind:#06x}")]
    Unknown {
        /// Whom the request was for.
        server: SocketAddr,
        /// The attribute's number.
        kind: u16,
    },
}

/// What an answer, which belongs to a request for `server`, says.
pub(super) fn read(
    server: SocketAddr,
    from: SocketAddr,
    answer: &Message<'_>,
    rtt: Option<Duration>,
) -> Result<Binding, StunError> {
    if answer.class() == Class::Error {
        let code = answer.attributes().find_map(|attribute| match attribute {
            Attribute::ErrorCode { code, .. } => Some(code),
            _ => None,
        });
        let code = code.unwrap_or(UNSAID);
        return Err(StunError::Refused { server, code });
    }
    if let Some(kind) = answer.unknown_required().next() {
        return Err(StunError::Unknown { server, kind });
    }
    let observed = answer.attributes().find_map(|attribute| match attribute {
        Attribute::XorMappedAddress(addr) => Some(addr),
        _ => None,
    });
    let other = answer.attributes().find_map(|attribute| match attribute {
        Attribute::OtherAddress(addr) => Some(addr),
        _ => None,
    });
    Ok(Binding {
        observed_addr: observed
            .filter(is_host)
            .ok_or(StunError::NoAddress { server })?,
        answered_from: from,
        other_addr: other.filter(is_host),
        rtt,
    })
}

/// Whether one host can be at `addr`: one to answer, or to ask.
pub(super) fn is_host(addr: &SocketAddr) -> bool {
    let ip = addr.ip();
    let is_broadcast = matches!(ip, std::net::IpAddr::V4(ip) if ip.is_broadcast());
    addr.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !is_broadcast
}

/// The code of an error that has none: that of a server's own failure.
const UNSAID: u16 = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_names_no_other_address_that_is_nearer_than_itself() {
        let named = |server: &str, other: &str| {
            let server = server.parse().unwrap();
            let binding = Binding {
                observed_addr: server,
                answered_from: server,
                other_addr: other.parse().ok(),
                rtt: None,
            };
            binding.other_addr_of(server).is_some()
        };
        assert!(named("11.0.0.1:1", "21.0.0.1:2"));
        assert!(named("192.168.1.9:1", "192.168.1.8:2"));
        assert!(named("127.0.0.1:1", "127.0.0.2:2"));
        for other in ["127.0.0.1:2", "192.168.1.1:80", "[2d00::1]:2", "0.0.0.0:2"] {
            assert!(!named("11.0.0.1:1", other), "{other}");
        }
        assert!(!named("192.168.1.9:1", "127.0.0.1:2"));
        assert!(!named("11.0.0.1:1", "21.0.0.1:0"));
    }
}
