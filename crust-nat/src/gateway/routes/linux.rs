//! The routes of this thread's network namespace, as the kernel writes them.

use std::{
    fs::File,
    io::{self, Read},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::{InterfaceId, Route};

/// The default routes that lead through a gateway.
///
/// `/proc/net` would be the main thread's.
pub(super) fn default_routes() -> io::Result<Vec<Route>> {
    let mut routes = parse_ipv4(&read("/proc/thread-self/net/route")?);
    // The file is not there where the kernel has no IPv6.
    let ipv6 = read("/proc/thread-self/net/ipv6_route");
    routes.extend(parse_ipv6(&ipv6.unwrap_or_default()));
    Ok(routes)
}

/// A router with all routes of the Internet has its own first.
fn read(path: &str) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_LEN).read_to_string(&mut text)?;
    Ok(text)
}

/// Interface, destination, gateway, flags, three counters and the mask; addresses in the host's order.
fn parse_ipv4(text: &str) -> Vec<Route> {
    let parse = |line: &str| {
        let columns: Vec<&str> = line.split_ascii_whitespace().take(8).collect();
        let &[name, destination, gateway, flags, _, _, _, mask] = columns.as_slice() else {
            return None;
        };
        let hex = |text: &str| u32::from_str_radix(text, 16).ok();
        let is_default = hex(destination)? == 0 && hex(mask)? == 0;
        let gateway = Ipv4Addr::from(hex(gateway)?.to_ne_bytes());
        is_usable(hex(flags)?)
            .then(|| route(name, gateway.into()))
            .filter(|_| is_default)
    };
    text.lines().skip(1).filter_map(parse).collect()
}

/// Destination and its length, source and its length, gateway, three counters, flags, interface.
fn parse_ipv6(text: &str) -> Vec<Route> {
    let parse = |line: &str| {
        let columns: Vec<&str> = line.split_ascii_whitespace().collect();
        let &[destination, len, _, _, gateway, _, _, _, flags, name] = columns.as_slice() else {
            return None;
        };
        let address = |text: &str| u128::from_str_radix(text, 16).ok();
        let is_default = address(destination)? == 0 && len == "00";
        let gateway = Ipv6Addr::from(address(gateway)?);
        let flags = u32::from_str_radix(flags, 16).ok()?;
        is_usable(flags)
            .then(|| route(name, gateway.into()))
            .filter(|_| is_default)
    };
    text.lines().filter_map(parse).collect()
}

const fn is_usable(flags: u32) -> bool {
    flags & (RTF_UP | RTF_GATEWAY) == RTF_UP | RTF_GATEWAY
}

fn route(name: &str, gateway: IpAddr) -> Route {
    Route {
        gateway,
        interface: InterfaceId::Name(name.to_owned()),
    }
}

/// `linux/route.h`.
const RTF_UP: u32 = 1;
const RTF_GATEWAY: u32 = 2;
/// Some 8,000 routes.
const MAX_LEN: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_endian = "little")]
    #[test]
    fn default_routes_of_ipv4_are_found() {
        let text = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
            eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
            wlan0\t00000000\t010200C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n\
            tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n\
            tun0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000080\t0\t0\t0\n\
            eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n\
            junk\n";
        let expected = [
            route("eth0", [192, 168, 1, 1].into()),
            route("wlan0", [192, 0, 2, 1].into()),
        ];
        assert_eq!(parse_ipv4(text), expected);
    }

    #[test]
    fn default_routes_of_ipv6_are_found() {
        let zeros = "0".repeat(32);
        let gateway = "fe800000000000000000000000000001";
        let text = format!(
            "{zeros} 00 {zeros} 00 {gateway} 00000400 00000001 00000000 00450003     eth0\n\
             {zeros} 00 {zeros} 00 {zeros} ffffffff 00000001 00000000 00200200       lo\n\
             {gateway} 80 {zeros} 00 {gateway} 00000400 00000001 00000000 00000003     eth0\n"
        );
        let expected = route("eth0", "fe80::1".parse().unwrap());
        assert_eq!(parse_ipv6(&text), [expected]);
    }
}
