//! Other people's programs see the same mappings, and none at the end.

use std::process::Command;

use crust_tests::{
    Tool,
    netlab::{Host, IgdConfig, Lab, MINIUPNPD},
};

use super::Home;

const TOOLS: [Tool<'static>; 3] = [
    MINIUPNPD,
    ("command -v natpmpc", "`natpmpc`"),
    ("command -v upnpc", "`upnpc` of miniupnpc"),
];

fn home() -> Option<Home> {
    Some(Home::new(Lab::open_with(&TOOLS)?, IgdConfig::default()))
}

fn said(host: &Host, command: &mut Command) -> String {
    String::from_utf8(host.output(command).stdout).unwrap()
}

/// The mappings that `upnpc` lists, as `TCP 7000->192.168.1.2:7000`, in order.
fn upnpc(host: &Host) -> Vec<String> {
    let text = said(host, Command::new("upnpc").args(["-m", "eth0", "-l"]));
    assert!(text.contains("ExternalIPAddress = 22.0.0.1"), "{text}");
    let words = text
        .lines()
        .map(|line| line.split_whitespace().skip(1).collect());
    let mappings = words.filter_map(|words: Vec<_>| match words[..] {
        [protocol @ ("TCP" | "UDP"), ends, ..] => Some(format!("{protocol} {ends}")),
        _ => None,
    });
    let mut mappings: Vec<_> = mappings.collect();
    mappings.sort_unstable();
    mappings
}

/// `upnpc` lists what is mapped by one protocol, and nothing once the program has ended.
fn assert_listed_until_the_end(only: &str, protocol: &str) {
    let Some(home) = home() else { return };
    let mut program = home.program(Some(only));
    program.wait_mapped(2, protocol);
    let expected = ["TCP", "UDP"].map(|it| format!("{it} 7000->192.168.1.2:7000"));
    assert_eq!(upnpc(&home.host), expected);
    let took = program.stop();
    eprintln!("{protocol}: deleted after {took:?}");
    assert_eq!(upnpc(&home.host), [""; 0]);
}

#[test]
fn upnpc_lists_what_pcp_mapped_until_it_is_deleted_at_the_end() {
    assert_listed_until_the_end("pcp", "PCP");
}

#[test]
fn upnpc_lists_what_nat_pmp_mapped_until_it_is_deleted_at_the_end() {
    assert_listed_until_the_end("nat-pmp", "NAT-PMP");
}

#[test]
fn upnpc_lists_what_upnp_mapped_until_it_is_deleted_at_the_end() {
    assert_listed_until_the_end("upnp", "UPnP");
}

#[test]
fn port_asked_for_by_every_protocol_is_mapped_once_and_deleted_at_the_end() {
    let Some(home) = home() else { return };
    let mut program = home.program(None);
    program.wait(|report| report.is_complete() && report.externals().len() == 2);
    program.wait_mapped(2, "PCP");
    assert_eq!(upnpc(&home.host).len(), 2);
    program.stop();
    assert_eq!(upnpc(&home.host), [""; 0]);
}

#[test]
fn natpmpc_sees_the_same_address_and_does_not_get_the_port() {
    let Some(home) = home() else { return };
    let mut program = home.program(Some("nat-pmp"));
    let report = program.wait_mapped(2, "NAT-PMP");
    let other = home.router.host();
    let mut natpmpc = Command::new("natpmpc");
    natpmpc.args(["-g", "192.168.1.1", "-a", "7000", "7000", "tcp", "60"]);
    let text = said(&other, &mut natpmpc);
    let ip = report.external("TCP 7000").ip();
    assert!(
        text.contains(&format!("Public IP address : {ip}\n")),
        "{text}"
    );
    assert!(text.contains("Mapped public port "), "{text}");
    assert!(!text.contains("Mapped public port 7000 "), "{text}");
}
