//! Several hosts that want the same port of one router.

use std::{collections::BTreeSet, time::Duration};

use crust_tests::netlab::{Host, IgdConfig};

use super::{Home, PORTS, program::Program};

/// So many hosts at once: each has external ports of its own, and is reached there.
fn assert_all_reached(args: &[&str], protocol: &str) {
    let Some(home) = Home::open(IgdConfig::default()) else {
        return;
    };
    let hosts: Vec<Host> = (0..HOSTS).map(|_| home.router.host()).collect();
    let args = [args, &PORTS].concat();
    let programs = hosts.iter().map(|host| (host, Program::start(host, &args)));
    let mut programs: Vec<_> = programs.collect();
    let mut seen = BTreeSet::new();
    let mut latest = Duration::ZERO;
    for (host, program) in &mut programs {
        let report = program.wait_mapped(2, protocol);
        latest = latest.max(report.at());
        seen.extend(report.externals().into_iter().map(|(port, addr)| {
            let (protocol, _) = port.split_once(' ').unwrap();
            (protocol.to_owned(), addr)
        }));
        assert_eq!(
            home.stranger.who(&report),
            [host.ip().to_string(), host.ip().to_string()]
        );
    }
    eprintln!("{HOSTS} hosts by {protocol}: the last mapped after {latest:?}");
    assert_eq!(seen.len(), 2 * HOSTS);
}

#[test]
fn twenty_hosts_that_map_one_port_at_once_are_all_reached() {
    assert_all_reached(&[], "PCP");
}

#[test]
fn twenty_hosts_that_map_one_port_at_once_by_upnp_are_all_reached() {
    assert_all_reached(&["only=upnp"], "UPnP");
}

/// The second who wants a port has another, and both are reached.
fn assert_given_another(only: &str, protocol: &str) {
    let Some(home) = Home::open(IgdConfig::default()) else {
        return;
    };
    let mut first = home.program(Some(only));
    let first = first.wait_mapped(2, protocol);
    let other = home.router.host();
    let only = format!("only={only}");
    let mut second = Program::start(&other, &[&only, PORTS[0], PORTS[1]]);
    let second = second.wait_mapped(2, protocol);
    for port in ["TCP 7000", "UDP 7000"] {
        assert_eq!(first.external(port).port(), 7_000);
        assert_ne!(second.external(port).port(), 7_000);
    }
    assert_eq!(home.stranger.who(&first), home.names());
    assert_eq!(
        home.stranger.who(&second),
        [other.ip().to_string(), other.ip().to_string()]
    );
}

#[test]
fn taken_port_is_another_by_pcp() {
    assert_given_another("pcp", "PCP");
}

#[test]
fn taken_port_is_another_by_nat_pmp() {
    assert_given_another("nat-pmp", "NAT-PMP");
}

#[test]
fn taken_port_is_another_by_upnp() {
    assert_given_another("upnp", "UPnP");
}

const HOSTS: usize = 20;
