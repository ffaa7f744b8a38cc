//! Machines on one LAN, without any configuration.

use std::time::Duration;

use crate::lab::{Host, Lab, Wiring, within};

#[test]
fn sixteen_machines_on_a_lan_find_each_other() {
    Lab::run(
        "lan::sixteen_machines_on_a_lan_find_each_other",
        Wiring::Lan,
        |lab| {
            let args = ["lan".into(), "gossip".into(), "keep=8..16".into()];
            // As many as the original's test had. Where no program for Windows is given, they are like the others.
            let mut hosts: Vec<Host> = (0..2).map(|_| lab.windows_host(&args)).collect();
            hosts.extend((2..16).map(|_| lab.host(&args)));
            let windows = hosts.iter().filter(|host| host.is_windows()).count();
            hosts.iter_mut().for_each(Host::go);
            hosts.iter_mut().for_each(Host::started);
            let sessions = within(Duration::from_secs(10), "5 sessions each", || {
                hosts.iter_mut().all(|host| host.count("sessions") >= 5)
            });
            let known = within(Duration::from_secs(10), "all 15 known to each", || {
                hosts.iter_mut().all(|host| host.count("found") == 15)
            });
            eprintln!(
                "16 machines, {windows} of them Windows: 5 sessions each after {sessions:.1?}, all known {known:.1?} later"
            );
        },
    );
}

#[test]
fn machines_without_any_address_but_their_own_ipv6_ones_meet() {
    Lab::run(
        "lan::machines_without_any_address_but_their_own_ipv6_ones_meet",
        Wiring::Lan,
        |lab| {
            let args = ["lan".into(), "gossip".into(), "keep=2..16".into()];
            let mut hosts = [lab.host(&args), lab.host(&args), lab.host(&args)];
            hosts
                .iter()
                .for_each(|host| host.ip("addr flush dev eth0 scope global"));
            hosts.iter_mut().for_each(Host::go);
            hosts.iter_mut().for_each(Host::started);
            let met = within(Duration::from_secs(5), "two sessions each", || {
                hosts.iter_mut().all(|host| host.count("sessions") == 2)
            });
            eprintln!("three met over link-local addresses after {met:.2?}");
        },
    );
}

#[test]
fn two_machines_meet_within_a_second_and_again_when_one_moves() {
    Lab::run(
        "lan::two_machines_meet_within_a_second_and_again_when_one_moves",
        Wiring::Lan,
        |lab| {
            let args = ["lan".into(), "keep=1..16".into()];
            let mut hosts = [lab.host(&args), lab.host(&args)];
            hosts.iter_mut().for_each(Host::go);
            hosts.iter_mut().for_each(Host::started);
            let met = within(Duration::from_secs(1), "a session", || {
                hosts.iter_mut().all(|host| host.count("sessions") == 1)
            });
            hosts[1].ip("addr flush dev eth0\naddr add 10.7.99.99/16 dev eth0");
            let again = within(
                Duration::from_secs(3),
                "a session with its new address",
                || hosts.iter_mut().all(|host| host.count("connected") == 2),
            );
            eprintln!("met after {met:.2?}, and again {again:.2?} after a move");
        },
    );
}
