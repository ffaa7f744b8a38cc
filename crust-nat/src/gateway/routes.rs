//! Which gateways this host has.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod other;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use crust_core::Reach;
use if_addrs::{IfAddr, Interface};

#[cfg(any(target_os = "linux", target_os = "android"))]
use self::linux::default_routes;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
use self::other::default_routes;
use super::address::Gateway;

/// Asks the system for the default gateways of all interfaces: of IPv4 with the interface's address, of IPv6 with each of its
/// global ones, two at most. 16 in all.
///
/// Blocks, for a fraction of a millisecond.
///
/// # Errors
///
/// What the system says.
pub fn gateways() -> io::Result<Vec<Gateway>> {
    Ok(join(&default_routes()?, &if_addrs::get_if_addrs()?))
}

/// A default route.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Route {
    gateway: IpAddr,
    interface: InterfaceId,
}

/// What a system's routes call an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    any(target_os = "linux", target_os = "android"),
    expect(dead_code, reason = "here interfaces have names")
)]
enum InterfaceId {
    Index(u32),
    Name(String),
}

impl InterfaceId {
    fn is(&self, interface: &Interface) -> bool {
        match self {
            Self::Index(index) => interface.index == Some(*index),
            Self::Name(name) => interface.name == *name,
        }
    }
}

fn join(routes: &[Route], interfaces: &[Interface]) -> Vec<Gateway> {
    let mut gateways = Vec::new();
    for route in routes {
        let ours = interfaces.iter().filter(|i| route.interface.is(i));
        let found = match route.gateway {
            IpAddr::V4(gateway) => of_ipv4(gateway, ours).into_iter().collect(),
            IpAddr::V6(gateway) => of_ipv6(gateway, ours),
        };
        for gateway in found {
            if gateways.len() < MAX_GATEWAYS && !gateways.contains(&gateway) {
                gateways.push(gateway);
            }
        }
    }
    gateways
}

/// Towards the gateway this host has the address of the gateway's own prefix, where it has several.
fn of_ipv4<'a>(
    gateway: Ipv4Addr,
    interfaces: impl Iterator<Item = &'a Interface>,
) -> Option<Gateway> {
    let addrs = interfaces.filter_map(|interface| match &interface.addr {
        IfAddr::V4(addr) => Some(addr),
        IfAddr::V6(_) => None,
    });
    let off_link = |local: Ipv4Addr, mask: Ipv4Addr| local & mask != gateway & mask;
    let local = addrs.min_by_key(|addr| off_link(addr.ip, addr.netmask))?;
    Some(Gateway::new(local.ip.into(), gateway.into()))
}

fn of_ipv6<'a>(gateway: Ipv6Addr, interfaces: impl Iterator<Item = &'a Interface>) -> Vec<Gateway> {
    let global = interfaces.filter_map(|interface| match &interface.addr {
        IfAddr::V6(addr) if Reach::of_ip(addr.ip.into()) == Reach::Everywhere => {
            Some((addr.ip, interface.index))
        }
        IfAddr::V4(_) | IfAddr::V6(_) => None,
    });
    let scope_id = |index: Option<u32>| match gateway.is_unicast_link_local() {
        true => index.unwrap_or(0),
        false => 0,
    };
    let gateways = global.map(|(local, index)| {
        Gateway::new(local.into(), gateway.into()).with_scope_id(scope_id(index))
    });
    gateways.take(MAX_IPV6_LOCALS).collect()
}

/// Each costs three sockets.
const MAX_GATEWAYS: usize = 16;
/// One that stays and one for privacy (RFC 8981); a node may be reached at both.
const MAX_IPV6_LOCALS: usize = 2;

#[cfg(test)]
mod tests {
    use if_addrs::{IfOperStatus, Ifv4Addr, Ifv6Addr};

    use super::*;

    fn interface(addr: IfAddr) -> Interface {
        Interface {
            name: "lan0".to_owned(),
            addr,
            index: Some(3),
            oper_status: IfOperStatus::Up,
            is_p2p: false,
            #[cfg(windows)]
            adapter_name: String::new(),
        }
    }

    fn v4(ip: [u8; 4]) -> Interface {
        interface(IfAddr::V4(Ifv4Addr {
            ip: ip.into(),
            netmask: [255, 255, 255, 0].into(),
            prefixlen: 24,
            broadcast: None,
        }))
    }

    fn v6(ip: &str) -> Interface {
        interface(IfAddr::V6(Ifv6Addr {
            ip: ip.parse().unwrap(),
            netmask: "ffff:ffff:ffff:ffff::".parse().unwrap(),
            prefixlen: 64,
            broadcast: None,
        }))
    }

    fn route(gateway: &str) -> Route {
        Route {
            gateway: gateway.parse().unwrap(),
            interface: InterfaceId::Name("lan0".to_owned()),
        }
    }

    #[test]
    fn address_in_the_prefix_of_the_gateway_is_the_local_one() {
        let interfaces = [v4([10, 0, 0, 2]), v4([192, 168, 1, 2]), v6("2001:db8::2")];
        let expected = Gateway::new([192, 168, 1, 2].into(), [192, 168, 1, 1].into());
        assert_eq!(join(&[route("192.168.1.1")], &interfaces), [expected]);
    }

    #[test]
    fn gateway_of_ipv6_is_for_each_global_address() {
        let interfaces = [
            "fe80::2",
            "fd00::2",
            "2001:db8::2",
            "2001:db8::3",
            "2001:db8::4",
        ]
        .map(v6);
        let gateways = join(&[route("fe80::1")], &interfaces);
        let locals: Vec<String> = gateways.iter().map(|g| g.local.to_string()).collect();
        assert_eq!(locals, ["2001:db8::2", "2001:db8::3"]);
        assert!(gateways.iter().all(|gateway| gateway.scope_id == 3));
    }

    #[test]
    fn interface_without_address_has_no_gateway() {
        assert_eq!(join(&[route("192.168.1.1")], &[v6("2001:db8::2")]), []);
        assert_eq!(join(&[route("fe80::1")], &[v6("fe80::2")]), []);
    }

    #[test]
    fn each_gateway_is_there_once_and_there_are_not_too_many() {
        let interfaces = [v4([192, 168, 1, 2])];
        assert_eq!(
            join(&[route("192.168.1.1"), route("192.168.1.1")], &interfaces).len(),
            1
        );
        let routes: Vec<Route> = (1..=100)
            .map(|n| route(&format!("192.168.1.{n}")))
            .collect();
        assert_eq!(join(&routes, &interfaces).len(), MAX_GATEWAYS);
    }

    #[test]
    fn system_tells_its_gateways() {
        for gateway in gateways().unwrap() {
            assert_eq!(gateway.local.is_ipv4(), gateway.addr.is_ipv4());
        }
    }
}
