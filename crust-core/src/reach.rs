//! How far an address reaches: everywhere, within one LAN or one host, or nowhere that can be named.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::Addr;

/// How far an address reaches, as far as its text tells.
///
/// What somebody else says about a third party is to be used only where [`Reach::is_shared`]: anything else is this
/// machine's own, and a stranger has no business pointing there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Everywhere, or it is a transport's own business.
    Everywhere,
    /// Within one LAN: private and carriers' addresses (RFC 1918, RFC 4193, RFC 6598) and names that each LAN gives
    /// away by itself. The IP address, where it is one and not a name.
    Lan(Option<IpAddr>),
    /// Within one host: loopback. The IP address, where it is one and not a name.
    Host(Option<IpAddr>),
    /// Means something else at each interface, or nothing at all: unspecified, link-local, multicast, broadcast, port 0.
    Nowhere,
}

impl Reach {
    /// The reach of `addr`, as far as its body is `IP:PORT` or `NAME:PORT`.
    pub fn of(addr: &Addr) -> Self {
        let body = addr.body();
        if let Ok(socket) = body.parse::<SocketAddr>() {
            return match socket.port() {
                0 => Self::Nowhere,
                _ => Self::of_ip(socket.ip()),
            };
        }
        match body.rsplit_once(':') {
            Some((_, port)) if port.parse::<u16>().is_err() => Self::Everywhere,
            // An IPv6 address with the name of an interface.
            Some((host, _)) if host.starts_with('[') => Self::Nowhere,
            Some((host, _)) => Self::of_name(host),
            None => Self::Everywhere,
        }
    }

    /// The reach of an IP address.
    pub const fn of_ip(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::of_v4(ip),
            IpAddr::V6(ip) => Self::of_v6(ip),
        }
    }

    /// Whether others than this host can make use of it.
    pub const fn is_shared(self) -> bool {
        matches!(self, Self::Everywhere | Self::Lan(_))
    }

    const fn of_v4(ip: Ipv4Addr) -> Self {
        let this_network = ip.octets()[0] == 0;
        if this_network || ip.is_broadcast() || ip.is_multicast() || ip.is_link_local() {
            Self::Nowhere
        } else if ip.is_loopback() {
            Self::Host(Some(IpAddr::V4(ip)))
        } else if ip.is_private() || is_carriers(ip) {
            Self::Lan(Some(IpAddr::V4(ip)))
        } else {
            Self::Everywhere
        }
    }

    const fn of_v6(ip: Ipv6Addr) -> Self {
        if ip.is_unspecified() || ip.is_multicast() || ip.is_unicast_link_local() {
            Self::Nowhere
        } else if ip.is_loopback() {
            Self::Host(Some(IpAddr::V6(ip)))
        } else if ip.is_unique_local() {
            Self::Lan(Some(IpAddr::V6(ip)))
        } else {
            Self::Everywhere
        }
    }

    /// Names of RFC 6761 and RFC 6762 and RFC 8375, and those without a dot.
    fn of_name(host: &str) -> Self {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let ends = |suffix| host.ends_with(suffix);
        if host == "localhost" || ends(".localhost") {
            Self::Host(None)
        } else if !host.contains('.') || ends(".local") || ends(".home.arpa") {
            Self::Lan(None)
        } else {
            Self::Everywhere
        }
    }
}

/// 100.64.0.0/10, between a carrier's NAT and its customers (RFC 6598).
const fn is_carriers(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    a == 100 && b & 0xc0 == 64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(text: &str) -> Reach {
        Reach::of(&text.parse().unwrap())
    }

    #[test]
    fn addresses_of_the_internet_reach_everywhere() {
        for text in [
            "tcp://192.0.2.7:1",
            "tcp://[2001:db8::1]:1",
            "tcp://example.org:1",
            "memory://a",
            "relay://somebody@somewhere",
            "unix://socket",
        ] {
            assert_eq!(reach(text), Reach::Everywhere, "{text}");
        }
    }

    #[test]
    fn private_addresses_and_names_reach_one_lan() {
        for text in [
            "tcp://10.1.2.3:1",
            "utp://192.168.0.1:1",
            "tcp://172.31.0.1:1",
            "tcp://100.64.0.1:1",
            "tcp://[fd00::1]:1",
            "tcp://[::ffff:10.0.0.1]:1",
            "tcp://PRINTER:1",
            "tcp://nas.local.:1",
            "tcp://nas.home.arpa:1",
        ] {
            assert!(matches!(reach(text), Reach::Lan(_)), "{text}");
        }
    }

    #[test]
    fn loopback_reaches_one_host_and_is_nothing_to_pass_on() {
        for text in [
            "tcp://127.0.0.1:1",
            "tcp://127.9.9.9:1",
            "tcp://[::1]:1",
            "tcp://[::ffff:127.0.0.1]:1",
            "tcp://LOCALHOST:1",
            "tcp://a.localhost.:1",
        ] {
            assert!(matches!(reach(text), Reach::Host(_)), "{text}");
            assert!(!reach(text).is_shared(), "{text}");
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
            assert_eq!(reach(text), Reach::Nowhere, "{text}");
        }
    }
}
