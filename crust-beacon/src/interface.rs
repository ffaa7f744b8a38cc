//! A network interface: what is on its link, and which addresses are its own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use crust_core::{Addr, PeerRecord};
use ipnet::{IpNet, Ipv4Net};

/// A network interface that is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interface {
    /// The system's number for it.
    pub(crate) index: u32,
    /// The system's name for it.
    pub(crate) name: String,
    /// Its addresses, each with the prefix of its link.
    pub(crate) nets: Vec<IpNet>,
}

impl Interface {
    /// The IPv4 addresses to broadcast from: one for each subnet, [`MAX_SUBNETS`] at most.
    pub(crate) fn subnets(&self) -> Vec<Ipv4Net> {
        let mut subnets: Vec<Ipv4Net> = Vec::new();
        for net in &self.nets {
            if let IpNet::V4(net) = net
                && subnets.len() < MAX_SUBNETS
                && subnets.iter().all(|known| known.trunc() != net.trunc())
            {
                subnets.push(*net);
            }
        }
        subnets
    }

    /// Whether it speaks IPv6; each interface that does has a link-local address (RFC 4291 §2.1).
    pub(crate) fn has_v6(&self) -> bool {
        self.nets.iter().any(|net| is_link_local(net.addr()))
    }

    /// Whether `ip` is on its link.
    pub(crate) fn is_on_link(&self, ip: IpAddr) -> bool {
        self.nets.iter().any(|net| net.contains(&ip))
    }

    /// Whether a datagram from `source` came over its link: other interfaces have neighbours with link-local addresses
    /// too, and some systems show us their datagrams.
    pub(crate) fn is_neighbour(&self, source: SocketAddr) -> bool {
        let is_ours = match source {
            SocketAddr::V6(v6) => v6.scope_id() == 0 || v6.scope_id() == self.index,
            SocketAddr::V4(_) => true,
        };
        is_ours && self.is_on_link(source.ip())
    }

    pub(crate) fn is_own(&self, ip: IpAddr) -> bool {
        self.nets.iter().any(|net| net.addr() == ip)
    }

    /// What of `announced` is this interface's own: its addresses, and a wildcard as each of them.
    ///
    /// IPv6's link-local addresses are told where the interface has no other: elsewhere a peer can do without a
    /// scope. [`PeerRecord::MAX_ADDRS`] at most, in the order announced.
    pub(crate) fn own_addrs(&self, announced: &[Addr]) -> Vec<Addr> {
        let mut own = Vec::new();
        for addr in announced {
            let Some(socket_addr) = addr.socket_addr() else {
                continue;
            };
            for ip in self.own_ips(socket_addr.ip()) {
                let addr = with_socket_addr(addr, SocketAddr::new(ip, socket_addr.port()));
                if own.len() < PeerRecord::MAX_ADDRS && !own.contains(&addr) {
                    own.push(addr);
                }
            }
        }
        own
    }

    /// What of `heard` can be dialed over this interface: addresses on its link.
    ///
    /// Others are none of a neighbour's own, and dialing them would be a service to somebody who points at a third.
    pub(crate) fn dialable(&self, heard: &[Addr]) -> Vec<Addr> {
        let on_link = heard.iter().filter_map(|addr| {
            let socket_addr = addr.socket_addr()?;
            let is_target = self.is_on_link(socket_addr.ip())
                && socket_addr.port() != 0
                && !self.is_broadcast(socket_addr.ip());
            is_target.then(|| with_socket_addr(addr, self.with_scope(socket_addr)))
        });
        on_link.take(PeerRecord::MAX_ADDRS).collect()
    }

    /// The interface's addresses that `ip` stands for.
    fn own_ips(&self, ip: IpAddr) -> Vec<IpAddr> {
        let own = self.nets.iter().map(IpNet::addr);
        if !ip.is_unspecified() {
            return own.filter(|own| *own == ip).collect();
        }
        // `[::]` takes both families, as the transports listen on it.
        let own = own.filter(|own| ip.is_ipv6() || own.is_ipv4());
        let (local, global): (Vec<_>, Vec<_>) = own.partition(|own| is_link_local(*own));
        if global.is_empty() { local } else { global }
    }

    /// A link-local address means nothing without the link (RFC 4007 §6), and a neighbour cannot know our name for it.
    fn with_scope(&self, addr: SocketAddr) -> SocketAddr {
        match addr {
            SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() => {
                SocketAddrV6::new(*v6.ip(), v6.port(), 0, self.index).into()
            }
            SocketAddr::V6(v6) => SocketAddr::new(IpAddr::V6(*v6.ip()), v6.port()),
            SocketAddr::V4(_) => addr,
        }
    }

    fn is_broadcast(&self, ip: IpAddr) -> bool {
        let mut nets = self.nets.iter();
        nets.any(|net| match net {
            IpNet::V4(net) => net.prefix_len() < 31 && ip == net.broadcast(),
            IpNet::V6(_) => false,
        })
    }
}

fn with_socket_addr(addr: &Addr, socket_addr: SocketAddr) -> Addr {
    Addr::from_socket_addr(addr.scheme(), socket_addr)
}

fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
}

/// An interface with more subnets than these is a router's; each costs a socket and a datagram for each announcement.
pub(crate) const MAX_SUBNETS: usize = 4;

/// The group that beacons join on each link: transient and link-local (RFC 4291 §2.7), with a group number from the
/// range that anybody may take (RFC 3307 §4.3) and the port in it.
pub(crate) const GROUP: Ipv6Addr = Ipv6Addr::new(0xff12, 0, 0, 0, 0, 0, 0x8000, 0x5483);

/// Where a datagram for the whole subnet goes: the limited broadcast needs no agreement on its prefix, which the
/// loopback interface does not have.
pub(crate) fn broadcast(subnet: Ipv4Net) -> Ipv4Addr {
    if subnet.addr().is_loopback() {
        subnet.broadcast()
    } else {
        Ipv4Addr::BROADCAST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(nets: &[&str]) -> Interface {
        Interface {
            index: 3,
            name: "eth0".into(),
            nets: nets.iter().map(|net| net.parse().unwrap()).collect(),
        }
    }

    fn addrs(texts: &[&str]) -> Vec<Addr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn only_own_addresses_are_announced() {
        let announced = addrs(&[
            "tcp://192.0.2.1:1",
            "tcp://198.51.100.1:1",
            "tcp://example.org:1",
            "utp://[2001:db8::1]:2",
        ]);
        let own = interface(&["192.0.2.1/24", "2001:db8::1/64"]).own_addrs(&announced);
        assert_eq!(own, addrs(&["tcp://192.0.2.1:1", "utp://[2001:db8::1]:2"]));
    }

    #[test]
    fn wildcard_is_each_own_address() {
        let interface = interface(&["192.0.2.1/24", "fe80::1/64", "2001:db8::1/64"]);
        let own = interface.own_addrs(&addrs(&["tcp://[::]:5", "utp://0.0.0.0:6"]));
        let expected = [
            "tcp://192.0.2.1:5",
            "tcp://[2001:db8::1]:5",
            "utp://192.0.2.1:6",
        ];
        assert_eq!(own, addrs(&expected));
    }

    #[test]
    fn link_local_address_is_announced_where_there_is_no_other() {
        let own = interface(&["fe80::1/64"]).own_addrs(&addrs(&["tcp://[::]:5"]));
        assert_eq!(own, addrs(&["tcp://[fe80::1]:5"]));
    }

    #[test]
    fn no_more_is_announced_than_a_record_holds() {
        let many: Vec<Addr> = (1..100)
            .map(|port| format!("tcp://192.0.2.1:{port}").parse().unwrap())
            .collect();
        assert_eq!(interface(&["192.0.2.1/24"]).own_addrs(&many), many[..16]);
    }

    #[test]
    fn only_what_is_on_the_link_is_dialed() {
        let heard = addrs(&[
            "tcp://192.0.2.7:1",
            "tcp://203.0.113.9:1",
            "tcp://127.0.0.1:1",
            "tcp://192.0.2.255:1",
            "tcp://192.0.2.8:0",
            "tcp://victim.example:1",
            "utp://[fe80::9]:2",
            "utp://[fe80::9%77]:3",
        ]);
        let dialable = interface(&["192.0.2.1/24", "fe80::1/64"]).dialable(&heard);
        let expected = [
            "tcp://192.0.2.7:1",
            "utp://[fe80::9%3]:2",
            "utp://[fe80::9%3]:3",
        ];
        assert_eq!(dialable, addrs(&expected));
    }

    #[test]
    fn neighbour_of_another_interface_is_none_of_this_one() {
        let interface = interface(&["fe80::1/64"]);
        let is_neighbour = |text: &str| interface.is_neighbour(text.parse().unwrap());
        assert!(is_neighbour("[fe80::2%3]:1"));
        assert!(!is_neighbour("[fe80::2%4]:1"));
        assert!(!is_neighbour("[2001:db8::2]:1"));
    }

    #[test]
    fn each_subnet_is_broadcast_to_once() {
        let interface = interface(&["192.0.2.1/24", "192.0.2.2/24", "198.51.100.1/24"]);
        let subnets: Vec<_> = interface.subnets().iter().map(Ipv4Net::addr).collect();
        assert_eq!(
            subnets,
            [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(198, 51, 100, 1)]
        );
    }
}
