//! The body of addresses of the internet: an IP address and port, or a name to resolve.

use std::{
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs},
};

use crate::{Addr, TransportError, rt};

/// The body of an address as `IP:PORT` or `NAME:PORT`, for transports that reach hosts of the internet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPort {
    /// An IP address; one of the IPv4-mapped kind has become IPv4.
    Ip(SocketAddr),
    /// A name, or an IPv6 address with the name of an interface, for the system to resolve.
    Name {
        /// What is resolved.
        host: String,
        /// The port that comes with it.
        port: u16,
    },
}

impl HostPort {
    /// Reads `addr`, which has this scheme. Port 0 is for listening.
    ///
    /// # Errors
    ///
    /// [`TransportError::Unsupported`] for another scheme, and [`TransportError::Invalid`].
    pub fn parse(scheme: &str, addr: &Addr) -> Result<Self, TransportError> {
        if addr.scheme() != scheme {
            return Err(TransportError::Unsupported { addr: addr.clone() });
        }
        Self::parse_body(addr.body()).ok_or_else(|| invalid(addr, "expected IP:PORT or NAME:PORT"))
    }

    /// Reads `addr` as something to connect to.
    ///
    /// # Errors
    ///
    /// Those of [`HostPort::parse`], and [`TransportError::Invalid`] for port 0.
    pub fn parse_remote(scheme: &str, addr: &Addr) -> Result<Self, TransportError> {
        let target = Self::parse(scheme, addr)?;
        if target.port() == 0 {
            return Err(invalid(addr, "nobody can be dialed at port 0"));
        }
        Ok(target)
    }

    /// Reads `addr` as the local end to dial from.
    ///
    /// # Errors
    ///
    /// Those of [`HostPort::parse`], and [`TransportError::Invalid`] for a name.
    pub fn parse_local(scheme: &str, addr: &Addr) -> Result<SocketAddr, TransportError> {
        match Self::parse(scheme, addr)? {
            Self::Ip(ip) => Ok(ip),
            Self::Name { .. } => Err(invalid(addr, "a dial starts from IP:PORT, not from a name")),
        }
    }

    /// The IP addresses it stands for, at least one, in the system's order of preference (RFC 6724).
    ///
    /// # Errors
    ///
    /// [`TransportError::Name`], with `addr`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the question up; the system's resolver ends unheard.
    pub async fn resolve(self, addr: &Addr) -> Result<Vec<SocketAddr>, TransportError> {
        let (host, port) = match self {
            Self::Ip(ip) => return Ok(vec![ip]),
            Self::Name { host, port } => (host, port),
        };
        let lookup = move || Ok((host.as_str(), port).to_socket_addrs()?.collect::<Vec<_>>());
        let found = match rt::unblock(lookup).await {
            Ok(found) => found,
            Err(cancelled) => Err(io::Error::other(cancelled)),
        };
        match found {
            Ok(found) if found.is_empty() => Err(name_error(addr, io::ErrorKind::NotFound.into())),
            Ok(found) => Ok(found.into_iter().map(canonical).collect()),
            Err(source) => Err(name_error(addr, source)),
        }
    }

    fn parse_body(body: &str) -> Option<Self> {
        if let Ok(ip) = body.parse() {
            return Some(Self::Ip(canonical(ip)));
        }
        let (host, port) = body.rsplit_once(':')?;
        let port = parse_port(port)?;
        let host = match host.strip_prefix('[') {
            Some(scoped) => scoped.strip_suffix(']').filter(|ip| is_scoped_ipv6(ip))?,
            None => Some(host).filter(|name| is_name(name))?,
        };
        Some(Self::Name {
            host: host.to_owned(),
            port,
        })
    }

    /// The port.
    pub fn port(&self) -> u16 {
        match self {
            Self::Ip(ip) => ip.port(),
            Self::Name { port, .. } => *port,
        }
    }
}

/// `addr` as Crust shows it: IPv4 where a dual-stack socket says IPv4-mapped IPv6 (RFC 4291 §2.5.5.2).
pub(crate) fn canonical(addr: SocketAddr) -> SocketAddr {
    match addr.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, addr.port()),
        IpAddr::V6(_) => addr,
    }
}

fn invalid(addr: &Addr, reason: &'static str) -> TransportError {
    TransportError::Invalid {
        addr: addr.clone(),
        reason,
    }
}

fn name_error(addr: &Addr, source: io::Error) -> TransportError {
    TransportError::Name {
        addr: addr.clone(),
        source,
    }
}

/// Digits only: `u16::from_str` alone would take `+80`.
fn parse_port(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// A host name in ASCII. What the system's resolver would read as a number (`127.1`, `0x7f000001`) is none, so that an
/// IP address has one spelling only.
fn is_name(host: &str) -> bool {
    let labels = host.strip_suffix('.').unwrap_or(host).split('.');
    let last = labels.clone().next_back().unwrap_or_default();
    labels.clone().all(is_label) && !is_number(last)
}

/// Letters, digits and hyphens (RFC 1123 §2.1), and the underscore that local networks use.
fn is_label(label: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    (1..=MAX_LABEL_LEN).contains(&label.len())
        && label.bytes().all(inner)
        && !label.starts_with('-')
}

fn is_number(label: &str) -> bool {
    let hex = label
        .strip_prefix("0x")
        .or_else(|| label.strip_prefix("0X"));
    label.bytes().all(|b| b.is_ascii_digit())
        || hex.is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// `fe80::1%eth0` (RFC 4007 §11).
fn is_scoped_ipv6(text: &str) -> bool {
    let zone = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    text.split_once('%').is_some_and(|(ip, name)| {
        ip.parse::<Ipv6Addr>().is_ok() && !name.is_empty() && name.bytes().all(zone)
    })
}

/// RFC 1035 §2.3.4.
const MAX_LABEL_LEN: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<HostPort, TransportError> {
        HostPort::parse("tcp", &text.parse().unwrap())
    }

    fn name(host: &str, port: u16) -> HostPort {
        let host = host.to_owned();
        HostPort::Name { host, port }
    }

    #[test]
    fn ips_and_names_are_told_apart() {
        let ip = |text: &str| HostPort::Ip(text.parse().unwrap());
        assert_eq!(parse("tcp://192.0.2.7:1").unwrap(), ip("192.0.2.7:1"));
        assert_eq!(parse("tcp://[::1]:1").unwrap(), ip("[::1]:1"));
        assert_eq!(parse("tcp://[fe80::1%3]:1").unwrap(), ip("[fe80::1%3]:1"));
        assert_eq!(
            parse("tcp://[fe80::1%eth0]:1").unwrap(),
            name("fe80::1%eth0", 1)
        );
        assert_eq!(
            parse("tcp://a-b.example.org.:80").unwrap(),
            name("a-b.example.org.", 80)
        );
    }

    #[test]
    fn mapped_ipv4_is_ipv4() {
        let expected = HostPort::Ip("192.0.2.7:1".parse().unwrap());
        assert_eq!(parse("tcp://[::ffff:192.0.2.7]:1").unwrap(), expected);
    }

    #[test]
    fn junk_bodies_are_invalid() {
        let long = "a".repeat(64);
        for body in [
            "192.0.2.7",
            "192.0.2.7:",
            "192.0.2.7:65536",
            "192.0.2.7:+80",
            "192.0.2.256:1",
            ":80",
            "localhost",
            "a:b:1",
            "::1:1",
            "[::1]",
            "[::1",
            "[::1]80",
            "[localhost]:1",
            "[::1%]:1",
            "[x%y]:1",
            "127.1:1",
            "2130706433:1",
            "a.0x7f:1",
            "-a.org:1",
            "a..org:1",
            ".:1",
            "a_b!:1",
            "user@host:1",
            "host:1/path",
            "hóst:1",
            &long,
            &format!("{long}:1"),
        ] {
            let error = parse(&format!("tcp://{body}")).unwrap_err();
            assert!(
                matches!(error, TransportError::Invalid { .. }),
                "{body}: {error}"
            );
        }
    }

    #[test]
    fn other_schemes_are_unsupported() {
        let error = parse("utp://192.0.2.7:1").unwrap_err();
        assert!(matches!(error, TransportError::Unsupported { .. }));
    }

    #[test]
    fn port_zero_is_for_listening_only() {
        let addr = "tcp://192.0.2.7:0".parse().unwrap();
        assert!(HostPort::parse("tcp", &addr).is_ok());
        assert!(matches!(
            HostPort::parse_remote("tcp", &addr),
            Err(TransportError::Invalid { .. })
        ));
    }
}
