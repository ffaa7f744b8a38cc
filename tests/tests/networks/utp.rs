//! uTP between machines.

use std::time::Duration;

use crate::lab::{FILTER, Host, Lab, Wiring, within};

/// Two nodes on routed links that have a session over uTP alone; the first dialed.
fn over_utp(lab: &mut Lab) -> [Host; 2] {
    let args = |rest: String| ["only=utp".into(), "keep=1..16".into(), rest];
    let contact = lab.addr(1, PORT).replace("tcp:", "utp:");
    let there = lab.host(&args(format!("port={PORT}")));
    let here = lab.host(&args(format!("contact={contact}")));
    let mut hosts = [here, there];
    hosts.iter_mut().for_each(Host::go);
    hosts.iter_mut().for_each(Host::started);
    within(Duration::from_secs(5), "a session", || {
        hosts.iter_mut().all(|host| host.count("sessions") == 1)
    });
    hosts
}

fn got(host: &mut Host) -> usize {
    host.ask("got")[0].parse().unwrap()
}

#[test]
fn session_goes_on_where_the_path_becomes_narrower() {
    Lab::run(
        "utp::session_goes_on_where_the_path_becomes_narrower",
        Wiring::Routed,
        |lab| {
            let mut hosts = over_utp(lab);
            // More than there is time for.
            hosts[0].say("push 1000000");
            let mut before = 0;
            within(Duration::from_secs(10), "16 MiB", || {
                before = got(&mut hosts[1]);
                before > 1 << 24
            });
            Lab::narrow(hosts[1].number, 1_280);
            let mut stalled = Duration::ZERO;
            for _ in 0..5 {
                before = got(&mut hosts[1]);
                stalled = stalled.max(within(Duration::from_secs(3), "a MiB more", || {
                    got(&mut hosts[1]) > before + (1 << 20)
                }));
            }
            assert_eq!(hosts[1].count("connected"), 1, "the session is the same");
            eprintln!("went on {stalled:.1?} after the path became narrower");
        },
    );
}

/// A node that others are told of by its address for TCP, and one that is told, whose network lets no `protocol` through.
/// Gives the time until they had a session.
fn meet_without(lab: &mut Lab, protocol: &str) -> Duration {
    let args = |rest: String| ["keep=1..16".into(), rest];
    let there = lab.host(&args(format!("port={PORT}")));
    let here = lab.host(&args(format!("contact={}", lab.addr(1, PORT))));
    here.block(protocol);
    let mut hosts = [there, here];
    hosts.iter_mut().for_each(Host::go);
    hosts.iter_mut().for_each(Host::started);
    let met = within(Duration::from_secs(2), "a session", || {
        hosts.iter_mut().all(|host| host.count("sessions") == 1)
    });
    hosts[1].say("push 8");
    within(Duration::from_secs(10), "8 MiB", || {
        got(&mut hosts[0]) == 8 << 20
    });
    met
}

#[test]
fn network_that_blocks_tcp_is_crossed_within_two_seconds() {
    const TEST: &str = "utp::network_that_blocks_tcp_is_crossed_within_two_seconds";
    Lab::run_with(&[FILTER], TEST, Wiring::Routed, |lab| {
        let met = meet_without(lab, "tcp");
        eprintln!("met over uTP after {met:.1?}, TCP blocked");
    });
}

#[test]
fn network_that_blocks_udp_loses_nothing() {
    const TEST: &str = "utp::network_that_blocks_udp_loses_nothing";
    Lab::run_with(&[FILTER], TEST, Wiring::Routed, |lab| {
        let met = meet_without(lab, "udp");
        eprintln!("met over TCP after {met:.1?}, UDP blocked");
    });
}

const PORT: u16 = 4_000;
