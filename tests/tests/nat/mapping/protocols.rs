//! Each protocol alone, and all at once.

use crust_tests::netlab::IgdConfig;

use super::{Home, program::Program};

/// Ports are mapped by one protocol alone and reached over TCP and UDP, under their own numbers.
fn assert_reached_by(only: &str, protocol: &str) {
    let Some(home) = Home::open(IgdConfig::default()) else {
        return;
    };
    let mut program = home.program(Some(only));
    let report = program.wait_mapped(2, protocol);
    eprintln!("{protocol}: mapped after {:?}", report.at());
    for port in ["TCP 7000", "UDP 7000"] {
        assert_eq!(report.external(port), (home.router.wan(), 7_000).into());
    }
    assert_eq!(home.stranger.who(&report), home.names());
}

#[test]
fn port_mapped_by_pcp_is_reached_by_a_stranger() {
    assert_reached_by("pcp", "PCP");
}

#[test]
fn port_mapped_by_nat_pmp_is_reached_by_a_stranger() {
    assert_reached_by("nat-pmp", "NAT-PMP");
}

#[test]
fn port_mapped_by_upnp_is_reached_by_a_stranger() {
    assert_reached_by("upnp", "UPnP");
}

#[test]
fn where_all_are_spoken_pcp_has_the_ports_in_the_end() {
    let Some(home) = Home::open(IgdConfig::default()) else {
        return;
    };
    let mut program = home.program(None);
    let report = program.wait(|report| {
        let is_pcp = |port| report.mapping(port)["protocol"] == "PCP";
        report.is_complete()
            && report.externals().len() == 2
            && ["TCP 7000", "UDP 7000"].into_iter().all(is_pcp)
    });
    eprintln!("all: mapped by PCP after {:?}", report.at());
    assert_eq!(home.stranger.who(&report), home.names());
}

#[test]
fn gateway_that_speaks_upnp_alone_maps_by_it() {
    let Some(home) = Home::open(IgdConfig::default().without_nat_pmp()) else {
        return;
    };
    let mut program = home.program(None);
    let report = program.wait_mapped(2, "UPnP");
    eprintln!("UPnP alone spoken: mapped after {:?}", report.at());
    assert_eq!(home.stranger.who(&report), home.names());
}

#[test]
fn mapped_port_is_reached_over_utp() {
    let Some(home) = Home::open(IgdConfig::default()) else {
        return;
    };
    let mut program = Program::start(&home.host, &["utp:7001"]);
    let report = program.wait_mapped(1, "PCP");
    let name = home.stranger.utp(report.external("UDP 7001"));
    assert_eq!(name.unwrap(), home.host.ip().to_string());
}
