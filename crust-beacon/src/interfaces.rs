//! Which interfaces are up.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv6Addr},
};

use if_addrs::IfAddr;
use ipnet::IpNet;
use tracing::debug;

use crate::interface::Interface;

/// Asks the system which interfaces are up, [`MAX_INTERFACES`] at most: the loopback interface or all others.
///
/// Blocks, for a fraction of a millisecond.
///
/// # Errors
///
/// What the system says.
pub(crate) fn list(loopback: bool) -> io::Result<Vec<Interface>> {
    let mut interfaces: BTreeMap<u32, Interface> = BTreeMap::new();
    for found in if_addrs::get_if_addrs()? {
        let is_wanted = found.is_oper_up() && found.is_loopback() == loopback;
        if let (true, Some(index), Some(net)) = (is_wanted, found.index, net(&found.addr)) {
            let interface = interfaces.entry(index).or_insert_with(|| Interface {
                index,
                name: found.name,
                nets: Vec::new(),
            });
            interface.nets.push(net);
        }
    }
    // The system's order changes; an interface that has the same addresses in another order has not changed.
    for interface in interfaces.values_mut() {
        interface.nets.sort();
    }
    if interfaces.len() > MAX_INTERFACES {
        debug!(
            found = interfaces.len(),
            used = MAX_INTERFACES,
            "too many interfaces"
        );
    }
    Ok(interfaces.into_values().take(MAX_INTERFACES).collect())
}

fn net(addr: &IfAddr) -> Option<IpNet> {
    let (ip, prefix) = match addr {
        IfAddr::V4(v4) => (IpAddr::V4(v4.ip), v4.prefixlen),
        IfAddr::V6(v6) => (IpAddr::V6(without_scope(v6.ip)), v6.prefixlen),
    };
    IpNet::new(ip, prefix).ok()
}

/// The BSDs write the interface's number into a link-local address (RFC 4291 §2.5.6 has zeros there).
fn without_scope(ip: Ipv6Addr) -> Ipv6Addr {
    let mut segments = ip.segments();
    if ip.is_unicast_link_local() {
        segments[1] = 0;
    }
    Ipv6Addr::from(segments)
}

/// A machine full of containers has hundreds; each costs four sockets.
const MAX_INTERFACES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_listed_only_where_it_is_wanted() {
        let is_loopback =
            |interface: &Interface| interface.nets.iter().any(|n| n.addr().is_loopback());
        assert!(!list(false).unwrap().iter().any(is_loopback));
        assert!(list(true).unwrap().iter().all(is_loopback));
        assert!(!list(true).unwrap().is_empty());
    }

    #[test]
    fn scope_within_an_address_is_taken_out() {
        let ip = "fe80:4::1".parse().unwrap();
        assert_eq!(without_scope(ip), "fe80::1".parse::<Ipv6Addr>().unwrap());
    }
}
