//! The part of the internet an address is in, as far as one holder's reach goes as a rule.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use crust_core::Addr;

/// A /24 of IPv4 or a /48 of IPv6: what one site has as a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Prefix {
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

impl Prefix {
    /// The prefixes of `addrs`, each once. A name is in none.
    pub(super) fn all_of(addrs: &[Addr]) -> Vec<Self> {
        let ips = addrs.iter().filter_map(|addr| addr.socket_addr());
        let prefixes: BTreeSet<_> = ips.map(|addr| Self::of(addr.ip())).collect();
        prefixes.into_iter().collect()
    }

    fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(Ipv4Addr::from_bits(ip.to_bits() & (!0 << 8))),
            IpAddr::V6(ip) => Self::V6(Ipv6Addr::from_bits(ip.to_bits() & (!0 << 80))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_site_share_a_prefix() {
        let prefixes = |texts: &[&str]| {
            let addrs: Vec<_> = texts.iter().map(|text| text.parse().unwrap()).collect();
            Prefix::all_of(&addrs).len()
        };
        assert_eq!(
            prefixes(&[
                "tcp://192.0.2.1:1",
                "utp://192.0.2.200:2",
                "tcp://[::ffff:192.0.2.3]:1"
            ]),
            1
        );
        assert_eq!(prefixes(&["tcp://192.0.2.1:1", "tcp://192.0.3.1:1"]), 2);
        assert_eq!(
            prefixes(&["tcp://[2001:db8:1:2::1]:1", "tcp://[2001:db8:1:ffff::2]:1"]),
            1
        );
        assert_eq!(
            prefixes(&["tcp://[2001:db8:1::1]:1", "tcp://[2001:db8:2::1]:1"]),
            2
        );
        assert_eq!(prefixes(&["tcp://example.org:1", "memory://a"]), 0);
    }
}
