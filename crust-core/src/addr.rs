//! Where a peer can be dialed: a scheme and a body that belongs to the transport.

use std::{fmt, net::SocketAddr, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::{PeerId, host_port::canonical};

/// An address of one transport: `scheme://body`.
///
/// `tcp://192.0.2.7:5483`, `utp://[2001:db8::1]:5483`, `tcp://example.org:5483`, `memory://a`. The scheme names the
/// transport; the body is the transport's own business. At most [`Addr::MAX_LEN`] bytes of printable text without
/// spaces. Cloning copies a pointer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Addr(Arc<str>);

impl Addr {
    /// Bytes of the longest address.
    pub const MAX_LEN: usize = 256;

    /// Puts a scheme before a socket address. One of the IPv4-mapped kind becomes IPv4 (RFC 4291 §2.5.5.2).
    ///
    /// # Panics
    ///
    /// When `scheme` is not a scheme; it is the caller's own constant.
    pub fn from_socket_addr(scheme: &str, addr: SocketAddr) -> Self {
        let text = format!("{scheme}://{}", canonical(addr));
        text.parse()
            .expect("the scheme is lower-case letters and digits")
    }

    /// The part before `://`.
    pub fn scheme(&self) -> &str {
        self.split().0
    }

    /// The part after `://`.
    pub fn body(&self) -> &str {
        self.split().1
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The body as IP address and port, where it is that and not a name.
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        self.body().parse().ok()
    }

    /// The same body under another scheme.
    ///
    /// # Panics
    ///
    /// When `scheme` is not a scheme; it is the caller's own constant.
    #[must_use]
    pub fn with_scheme(&self, scheme: &str) -> Self {
        let text = format!("{scheme}://{}", self.body());
        text.parse()
            .expect("the scheme is lower-case letters and digits")
    }

    fn split(&self) -> (&str, &str) {
        self.0
            .split_once("://")
            .expect("an Addr holds `://` from its making on")
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Addr({self})")
    }
}

impl FromStr for Addr {
    type Err = AddrError;

    fn from_str(text: &str) -> Result<Self, AddrError> {
        if text.len() > Self::MAX_LEN {
            return Err(AddrError::TooLong(text.len()));
        }
        let (scheme, body) = text.split_once("://").ok_or(AddrError::NoScheme)?;
        if !is_scheme(scheme) {
            return Err(AddrError::Scheme);
        }
        if body.is_empty() || body.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(AddrError::Body);
        }
        Ok(Self(text.into()))
    }
}

impl Serialize for Addr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Addr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Why a text is no [`Addr`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AddrError {
    /// Nothing follows `://`, or spaces or control characters do.
    #[error("the part after `://` is empty or holds spaces")]
    Body,
    /// There is no `://`.
    #[error("an address looks like tcp://192.0.2.7:5483; `://` is missing")]
    NoScheme,
    /// What stands before `://` is no scheme.
    #[error("the part before `://` must be lower-case letters and digits")]
    Scheme,
    /// The text has more than [`Addr::MAX_LEN`] bytes.
    #[error("an address has at most {} bytes, not {}", Addr::MAX_LEN, .0)]
    TooLong(usize),
}

/// An address, and the peer that should answer there if that is known: `PEER@scheme://body`, or the address alone.
///
/// What people copy from one terminal to another, and what a program is given as its first contact.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Contact {
    /// Who must answer; any peer may where this is `None`.
    pub peer: Option<PeerId>,
    /// Where to dial.
    pub addr: Addr,
}

impl From<Addr> for Contact {
    fn from(addr: Addr) -> Self {
        Self { peer: None, addr }
    }
}

impl fmt::Display for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.peer {
            Some(peer) => write!(f, "{peer}@{}", self.addr),
            None => write!(f, "{}", self.addr),
        }
    }
}

impl FromStr for Contact {
    type Err = ContactError;

    fn from_str(text: &str) -> Result<Self, ContactError> {
        let scheme_ends = text.find("://").ok_or(AddrError::NoScheme)?;
        match text[..scheme_ends].split_once('@') {
            Some((peer, _)) => {
                let addr = text[peer.len() + 1..].parse()?;
                Ok(Self {
                    peer: Some(peer.parse()?),
                    addr,
                })
            }
            None => Ok(Self::from(text.parse::<Addr>()?)),
        }
    }
}

/// Why a text is no [`Contact`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ContactError {
    /// The address is none.
    #[error(transparent)]
    Addr(#[from] AddrError),
    /// What stands before `@` is no peer.
    #[error(transparent)]
    Peer(#[from] crate::peer_id::PeerIdError),
}

/// Longest scheme; those in use have three to six letters.
const MAX_SCHEME_LEN: usize = 32;

/// RFC 3986 §3.1, lower case only so that equal addresses have equal text.
fn is_scheme(text: &str) -> bool {
    let tail =
        |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.');
    text.len() <= MAX_SCHEME_LEN
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(tail)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_of_an_address_are_told_apart() {
        let addr: Addr = "tcp://[2001:db8::1]:5483".parse().unwrap();
        assert_eq!((addr.scheme(), addr.body()), ("tcp", "[2001:db8::1]:5483"));
        assert_eq!(
            addr.socket_addr(),
            Some("[2001:db8::1]:5483".parse().unwrap())
        );
        assert_eq!(
            "tcp://example.org:1".parse::<Addr>().unwrap().socket_addr(),
            None
        );
    }

    #[test]
    fn wrong_addresses_say_what_is_wrong() {
        assert_eq!("192.0.2.7:1".parse::<Addr>(), Err(AddrError::NoScheme));
        assert_eq!("TCP://a".parse::<Addr>(), Err(AddrError::Scheme));
        assert_eq!("tcp://".parse::<Addr>(), Err(AddrError::Body));
        assert_eq!("tcp://a b".parse::<Addr>(), Err(AddrError::Body));
        let long = format!("tcp://{}", "a".repeat(Addr::MAX_LEN));
        assert_eq!(long.parse::<Addr>(), Err(AddrError::TooLong(262)));
    }

    #[test]
    fn contact_names_a_peer_or_does_not() {
        let peer = PeerId::from_bytes([9; 32]);
        let contact: Contact = format!("{peer}@tcp://192.0.2.7:1").parse().unwrap();
        assert_eq!(contact.peer, Some(peer));
        assert_eq!(contact.to_string(), format!("{peer}@tcp://192.0.2.7:1"));
        assert_eq!("memory://a@b".parse::<Contact>().unwrap().peer, None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text: String) {
            let _ = text.parse::<Addr>();
            let _ = text.parse::<Contact>();
        }

        #[test]
        fn what_is_read_prints_the_same(scheme in "[a-z][a-z0-9]{0,5}", body in "[!-~]{1,99}") {
            let text = format!("{scheme}://{body}");
            prop_assert_eq!(text.parse::<Addr>().unwrap().to_string(), text);
        }
    }
}
