//! How far an address reaches: everywhere, within one LAN, or nowhere that can be named.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crust_core::Addr;

/// How far an address reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Everywhere, or it is a transport's own business.
    Public,
    /// Within one LAN, or within one host; the IP address where it is one and not a name.
    Lan(Option<IpAddr>),
    /// Means something else at each interface, or nothing at all.
    Nowhere,
}

impl Scope {
    /// The reach of `addr`, as far as its body is `IP:PORT` or `NAME:PORT`.
    pub(crate) fn of(addr: &Addr) -> Self {
        let body = addr.body();
        if let Ok(socket) = body.parse::<SocketAddr>() {
            return Self::of_socket(socket);
        }
        match body.rsplit_once(':') {
            Some((_, port)) if port.parse::<u16>().is_err() => Self::Public,
            // An IPv6 address with the name of an interface.
            Some((host, _)) if host.starts_with('[') => Self::Nowhere,
            Some((host, _)) if is_lan_name(host) => Self::Lan(None),
            Some(_) | None => Self::Public,
        }
    }

    fn of_socket(socket: SocketAddr) -> Self {
        if socket.port() == 0 {
            return Self::Nowhere;
        }
        match socket.ip().to_canonical() {
            IpAddr::V4(ip) => Self::of_v4(ip),
            IpAddr::V6(ip) => Self::of_v6(ip),
        }
    }

    fn of_v4(ip: Ipv4Addr) -> Self {
        let this_network = ip.octets()[0] == 0;
        if this_network || ip.is_broadcast() || ip.is_multicast() || ip.is_link_local() {
            return Self::Nowhere;
        }
        if ip.is_private() || ip.is_loopback() || is_carriers(ip) {
            return Self::Lan(Some(ip.into()));
        }
        Self::Public
    }

    fn of_v6(ip: Ipv6Addr) -> Self {
        if ip.is_unspecified() || ip.is_multicast() || ip.is_unicast_link_local() {
            return Self::Nowhere;
        }
        if ip.is_loopback() || ip.is_unique_local() {
            return Self::Lan(Some(ip.into()));
        }
        Self::Public
    }
}

/// 100.64.0.0/10, between a carrier's NAT and its customers (RFC 6598).
fn is_carriers(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    a == 100 && b & 0xc0 == 64
}

/// Names that each LAN gives away by itself: without a dot, and those of RFC 6762, RFC 8375 and RFC 6761.
fn is_lan_name(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let ends = |suffix| host.ends_with(suffix);
    !host.contains('.') || ends(".local") || ends(".home.arpa") || ends(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> Scope {
        Scope::of(&text.parse().unwrap())
    }

    #[test]
    fn addresses_of_the_internet_reach_everywhere() {
        for text in [
            "tcp://192.0.2.7:1",
            "tcp://[2001:db8::1]:1",
            "tcp://example.org:1",
            "memory://a",
            "relay://somebody@somewhere",
            "unix:///tmp/socket",
        ] {
            assert_eq!(scope(text), Scope::Public, "{text}");
        }
    }

    #[test]
    fn private_addresses_and_names_reach_one_lan() {
        for text in [
            "tcp://10.1.2.3:1",
            "utp://192.168.0.1:1",
            "tcp://172.31.0.1:1",
            "tcp://100.64.0.1:1",
            "tcp://127.0.0.1:1",
            "tcp://[::1]:1",
            "tcp://[fd00::1]:1",
            "tcp://[::ffff:10.0.0.1]:1",
            "tcp://printer:1",
            "tcp://LOCALHOST:1",
            "tcp://nas.local.:1",
            "tcp://nas.home.arpa:1",
        ] {
            assert!(matches!(scope(text), Scope::Lan(_)), "{text}");
        }
    }

    #[test]
    fn addresses_that_name_no_place_reach_nowhere() {
        for text in [
            "tcp://0.0.0.0:1",
            "tcp://0.1.2.3:1",
            "tcp://192.0.2.7:0",
            "tcp://255.255.255.255:1",
            "tcp://224.0.0.1:1",
            "tcp://169.254.1.1:1",
            "tcp://[::]:1",
            "tcp://[ff02::1]:1",
            "tcp://[fe80::1]:1",
            "tcp://[fe80::1%eth0]:1",
        ] {
            assert_eq!(scope(text), Scope::Nowhere, "{text}");
        }
    }
}
