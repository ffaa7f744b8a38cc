//! Who is on the LAN: in a network namespace, for the LAN of this machine is nobody's business.
#![cfg(target_os = "linux")]

use std::{
    env,
    net::{Ipv4Addr, UdpSocket},
    process::Command,
};

use crate::process::{Running, run, stderr, text};

#[test]
fn node_is_listed_and_its_end_too() {
    on_a_lan("lan::node_is_listed_and_its_end_too", || {
        let mut lan = Running::start(&["lan", "--json"]);
        let mut node = Running::start(&["node", "--json", "--no-cache"]);
        let listening = node.event("listening");
        let here = lan.event("here");
        assert_eq!(here["peer"], listening["peer"]);
        assert_eq!(here["interface"], "br0");
        node.type_line("stop");
        assert_eq!(node.exit_code(), Some(0));
        assert_eq!(lan.event("gone")["peer"], listening["peer"]);
    });
}

#[test]
fn port_of_another_program_is_told() {
    on_a_lan("lan::port_of_another_program_is_told", || {
        let _taken = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 5483)).unwrap();
        let said = stderr(&run(&["lan", "--seconds", "1"]));
        assert!(
            said.contains("warning: ") && said.contains("port 5483"),
            "{said}"
        );
        let mut node = Running::start(&["node", "--json", "--no-cache"]);
        let warning = node.event("warning");
        assert!(text(&warning, "text").contains("port 5483"), "{warning}");
    });
}

#[test]
fn machine_in_no_network_is_told_so() {
    on_a_lan("lan::machine_in_no_network_is_told_so", || {
        ip("ip link del br0");
        let said = stderr(&run(&["lan", "--seconds", "0.1"]));
        assert!(
            said.contains("warning: this machine is in no network"),
            "{said}"
        );
    });
}

/// Runs `body` in a network namespace with loopback and one link.
fn on_a_lan(test: &str, body: impl FnOnce()) {
    if env::var_os(INSIDE).is_some() {
        ip(PREPARE);
        return body();
    }
    let can = unshare(PREPARE).output();
    if !can.is_ok_and(|output| output.status.success()) {
        assert!(env::var_os("NETLAB_REQUIRED").is_none(), "no namespace");
        eprintln!("skipped: no network namespace for this user, or no `unshare` and `ip`");
        return;
    }
    let status = unshare("exec \"$0\" --exact \"$1\" --nocapture")
        .arg(env::current_exe().unwrap())
        .arg(test)
        .env(INSIDE, "1")
        .status();
    assert!(status.unwrap().success(), "{test} failed in its namespace");
}

fn unshare(script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", "sh", "-ec", script]);
    command
}

fn ip(script: &str) {
    let status = Command::new("sh").args(["-ec", script]).status();
    assert!(status.unwrap().success(), "{script}");
}

const PREPARE: &str = "ip link set lo up
    ip link add br0 type bridge mcast_snooping 0
    ip addr add 10.9.0.1/24 dev br0
    ip link set br0 up";
/// Set where the test runs in its namespace.
const INSIDE: &str = "CRUST_CLI_TEST_NAMESPACE";
