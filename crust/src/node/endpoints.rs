//! Where this node can be reached: what to tell others, and what never to.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Mutex,
    time::{Duration, Instant},
};

use crust_core::{Addr, Reach, rt};

#[cfg(feature = "nat")]
use crate::node::reach::Reachability;
use crate::sync::lock;

/// One way to reach this node.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoint {
    /// As it is bound on an interface of this machine.
    pub local: Addr,
    /// As the world sees it, where that is known: the same for a public address, and unknown behind a NAT.
    pub external: Option<Addr>,
    /// How far it can be reached there, as peers have tried.
    #[cfg(feature = "nat")]
    pub reachability: Reachability,
}

/// The endpoints of `listening`: a wildcard stands for each interface's address. Never loopback, unspecified or
/// link-local ones, which mean nothing to others.
pub(crate) fn endpoints(listening: &[Addr]) -> Vec<Endpoint> {
    let mut endpoints: Vec<Endpoint> = listening.iter().flat_map(expand).collect();
    endpoints.dedup();
    endpoints
}

fn expand(addr: &Addr) -> Vec<Endpoint> {
    let Some(socket) = addr.socket_addr() else {
        return Vec::new();
    };
    let ips = if socket.ip().is_unspecified() {
        interfaces(socket.ip())
    } else {
        vec![socket.ip()]
    };
    let endpoint = |ip: IpAddr| {
        let local = Addr::from_socket_addr(addr.scheme(), SocketAddr::new(ip, socket.port()));
        let external = is_public(ip).then(|| local.clone());
        Endpoint {
            local,
            external,
            #[cfg(feature = "nat")]
            reachability: Reachability::Unknown,
        }
    };
    ips.into_iter()
        .filter(|ip| Reach::of_ip(*ip).is_shared())
        .map(endpoint)
        .collect()
}

/// The addresses that a wildcard takes: `[::]` those of both families, as the transports listen on it.
fn interfaces(wildcard: IpAddr) -> Vec<IpAddr> {
    addresses()
        .into_iter()
        .filter(|ip| wildcard.is_ipv6() || ip.is_ipv4())
        .collect()
}

/// The networks that this machine has addresses in.
#[cfg(feature = "bootstrap")]
pub(crate) fn prefixes() -> Vec<ipnet::IpNet> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let prefix = |interface: if_addrs::Interface| {
        let len = match &interface.addr {
            if_addrs::IfAddr::V4(addr) => addr.prefixlen,
            if_addrs::IfAddr::V6(addr) => addr.prefixlen,
        };
        ipnet::IpNet::new(interface.ip(), len).ok()
    };
    interfaces.into_iter().filter_map(prefix).collect()
}

/// Whether this machine has lost an address that it had.
pub(crate) fn is_gone(local: &Addr) -> bool {
    let Some(local) = local.socket_addr() else {
        return false;
    };
    let ip = local.ip().to_canonical();
    let addresses = addresses();
    // Where there are none at all, the system did not tell.
    !ip.is_unspecified() && !addresses.is_empty() && !addresses.contains(&ip)
}

/// The addresses of all interfaces. Asked of the system once in [`FRESH`] at most: each hello tells them.
fn addresses() -> Vec<IpAddr> {
    static ADDRESSES: Mutex<Option<(Instant, Vec<IpAddr>)>> = Mutex::new(None);
    let now = rt::now();
    let mut known = lock(&ADDRESSES);
    match &*known {
        Some((at, addresses)) if now.saturating_duration_since(*at) < FRESH => addresses.clone(),
        _ => {
            let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
            let addresses: Vec<_> = interfaces
                .into_iter()
                .map(|interface| interface.ip())
                .collect();
            *known = Some((now, addresses.clone()));
            addresses
        }
    }
}

/// An address that is a second old is as good as new to whoever dials it.
const FRESH: Duration = Duration::from_secs(1);

/// Whether the whole world can dial an address that is bound here (RFC 6890 lists those it cannot).
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            !(ip.is_private() || is_shared(ip) || ip.is_documentation() || is_benchmarking(ip))
        }
        IpAddr::V6(ip) => !(ip.is_unique_local() || is_documentation_v6(ip)),
    }
}

/// RFC 6598: between a provider's NAT and its customers.
const fn is_shared(ip: Ipv4Addr) -> bool {
    ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64
}

/// RFC 2544.
const fn is_benchmarking(ip: Ipv4Addr) -> bool {
    ip.octets()[0] == 198 && ip.octets()[1] & 0xfe == 18
}

/// RFC 3849.
const fn is_documentation_v6(ip: Ipv6Addr) -> bool {
    ip.segments()[0] == 0x2001 && ip.segments()[1] == 0x0db8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<Endpoint> {
        endpoints(&[text.parse().unwrap()])
    }

    #[test]
    fn addresses_that_mean_nothing_to_others_are_not_told() {
        for text in [
            "tcp://127.0.0.1:1",
            "tcp://[::1]:1",
            "tcp://169.254.1.1:1",
            "tcp://[fe80::1]:1",
            "memory://a",
        ] {
            assert_eq!(of(text), [], "{text}");
        }
        let wildcard = of("tcp://[::]:1");
        assert!(wildcard.iter().all(|endpoint| {
            let ip = endpoint.local.socket_addr().unwrap().ip();
            !ip.is_loopback() && !ip.is_unspecified()
        }));
    }

    #[test]
    fn public_address_is_its_own_external_address() {
        let public = of("tcp://8.8.4.4:1");
        assert_eq!(public[0].external.as_ref(), Some(&public[0].local));
        for text in [
            "tcp://192.168.1.2:1",
            "tcp://100.64.1.2:1",
            "tcp://10.1.1.1:1",
            "tcp://[fd00::1]:1",
        ] {
            assert_eq!(of(text)[0].external, None, "{text}");
        }
    }
}
