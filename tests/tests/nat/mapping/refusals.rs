//! Gateways that map nothing, or say what is not so.

use std::{
    io::Write,
    net::{IpAddr, UdpSocket},
    process::{Command, Stdio},
    time::Duration,
};

use crust_tests::netlab::{Host, IgdConfig, Lab, MINIUPNPD, Router};

use super::{PORTS, program::Program, stranger::Stranger};

/// A host behind a router with a port mapping server, behind another router with this LAN.
fn behind_two(outer_lan: &str) -> Option<(Lab, Router, Host)> {
    let lab = Lab::open_with(&[MINIUPNPD])?;
    let outer = lab.router("22.0.0.1").with_lan(outer_lan).build();
    let inner = lab.router_behind(&outer);
    let inner = inner.with_igd(IgdConfig::default()).build();
    let host = inner.host();
    Some((lab, inner, host))
}

/// Where somebody on the internet sees a host.
fn seen(lab: &Lab, host: &Host) -> IpAddr {
    let server = lab.public(&["11.0.0.10"]);
    let server = server.run(|| UdpSocket::bind("11.0.0.10:3478")).unwrap();
    let client = host.run(|| UdpSocket::bind("0.0.0.0:0")).unwrap();
    client.send_to(b"hello", "11.0.0.10:3478").unwrap();
    server.recv_from(&mut [0; 16]).unwrap().1.ip()
}

#[test]
fn where_nothing_is_spoken_that_is_told_within_three_seconds() {
    let Some(lab) = Lab::open() else { return };
    let host = lab.router("22.0.0.1").build().host();
    let mut program = Program::start(&host, &PORTS);
    let report = program.wait(|report| report.is_complete());
    eprintln!("nothing spoken: told after {:?}", report.at());
    assert!(report.at() < Duration::from_secs(3), "{:?}", report.at());
    assert_eq!(PROTOCOLS.map(|it| report.status(it)), ["failed"; 3]);
    let not_listening = "the gateway does not listen for it";
    assert_eq!(
        PROTOCOLS.map(|it| report.why(it).unwrap_or_default()),
        [not_listening, not_listening, "no answer"]
    );
    assert_eq!(report.externals(), []);
    assert!(program.stop() < Duration::from_secs(3));
}

#[test]
fn gateway_that_drops_what_it_does_not_speak_is_told_silent_within_three_seconds() {
    let Some(lab) = Lab::open() else { return };
    let host = lab.router("22.0.0.1").build().host();
    // A filter of its own drops what the gateway says.
    let mut command = Command::new("nft");
    command.args(["-f", "-"]).stdin(Stdio::piped());
    let mut nft = host.spawn(&mut command);
    let chain = "type filter hook input priority 0; ip saddr 192.168.1.1 drop;";
    let rules = format!("table ip deaf {{ chain input {{ {chain} }}; }}");
    nft.stdin
        .take()
        .unwrap()
        .write_all(rules.as_bytes())
        .unwrap();
    assert!(nft.wait().unwrap().success());
    let mut program = Program::start(&host, &PORTS);
    let report = program.wait(|report| report.is_complete());
    assert!(report.at() < Duration::from_secs(3), "{:?}", report.at());
    assert_eq!(
        PROTOCOLS.map(|it| report.why(it).unwrap_or_default()),
        ["no answer"; 3]
    );
}

#[test]
fn gateway_behind_a_carriers_nat_refuses_and_says_why() {
    let Some((_lab, inner, host)) = behind_two("100.64.1.0/24") else {
        return;
    };
    assert_eq!(inner.wan().octets()[..2], [100, 64]);
    let mut program = Program::start(&host, &PORTS);
    let report = program.wait(|report| PROTOCOLS.iter().all(|it| report.why(it).is_some()));
    eprintln!("behind a carrier's NAT: refused after {:?}", report.at());
    assert_eq!(report.externals(), []);
    assert_eq!(
        PROTOCOLS.map(|it| report.why(it).unwrap_or_default()),
        [
            "refused: result code 8: the gateway has no room for another mapping at this time",
            "refused: result code 3: the gateway has no external address that it could map",
            "the gateway has no external address",
        ]
    );
}

#[test]
fn gateway_that_claims_another_address_than_peers_see_is_contradicted() {
    // A carrier that has taken addresses of others for its inside.
    let Some((lab, inner, host)) = behind_two("33.0.0.0/24") else {
        return;
    };
    let mut program = Program::start(&host, &PORTS);
    let report = program.wait_mapped(2, "PCP");
    assert_eq!(report.external("TCP 7000").ip(), inner.wan());
    assert_eq!(report.mapping("TCP 7000")["agreement"], "Unknown");
    assert_eq!(report.mapping("TCP 7000")["is_credible"], true);
    let seen = seen(&lab, &host);
    assert_ne!(seen, inner.wan());
    program.say(&format!("observe {seen}"));
    let report = program.wait(|report| report.mapping("TCP 7000")["agreement"] == "Contradicted");
    assert_eq!(report.mapping("TCP 7000")["is_credible"], false);
    let stranger = Stranger::new(&lab);
    assert!(stranger.tcp(report.external("TCP 7000")).is_err());
}

#[test]
fn gateway_that_claims_the_address_that_peers_see_is_confirmed() {
    let Some(lab) = Lab::open_with(&[MINIUPNPD]) else {
        return;
    };
    let router = lab
        .router("22.0.0.1")
        .with_igd(IgdConfig::default())
        .build();
    let host = router.host();
    let mut program = Program::start(&host, &PORTS);
    program.wait_mapped(2, "PCP");
    program.say(&format!("observe {}", seen(&lab, &host)));
    let report = program.wait(|report| report.mapping("TCP 7000")["agreement"] == "Confirmed");
    assert_eq!(report.mapping("TCP 7000")["is_credible"], true);
}

const PROTOCOLS: [&str; 3] = ["PCP", "NAT-PMP", "UPnP"];
