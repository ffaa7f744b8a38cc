//! Hosts that this one is not: without IPv6, without a name server, with a slow link. Each test runs itself again in a
//! network namespace of its own, and is skipped where the system gives none.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

use std::{env, fs, process::Command};

use crust_core::{Addr, Connection, DialOpts, Listener, Transport, TransportError, rt};
use crust_tcp::TcpTransport;
use futures::{AsyncReadExt, AsyncWriteExt, FutureExt, StreamExt, future};

#[test]
fn wildcard_listener_works_on_a_host_without_ipv6() {
    let test = "wildcard_listener_works_on_a_host_without_ipv6";
    in_namespace(test, "sysctl -qw net.ipv6.conf.all.disable_ipv6=1", || {
        rt::block_on(async {
            let mut listener = listen("tcp://[::]:0").await;
            let port = listener.local_addr().socket_addr().unwrap().port();
            let to = addr(&format!("tcp://127.0.0.1:{port}"));
            let (dialed, incoming) = future::join(dial(&to), listener.next()).await;
            assert_eq!(incoming.unwrap().unwrap().local_addr(), &to);
            dialed.unwrap();
        });
    });
}

#[test]
fn name_that_cannot_be_resolved_is_named_in_the_error() {
    let test = "name_that_cannot_be_resolved_is_named_in_the_error";
    in_namespace(test, "true", || {
        let unknown = addr("tcp://unknown.example:1");
        let error = rt::block_on(dial(&unknown)).unwrap_err();
        assert!(matches!(&error, TransportError::Name { addr, .. } if *addr == unknown));
    });
}

#[test]
fn network_without_a_route_is_unreachable() {
    let test = "network_without_a_route_is_unreachable";
    in_namespace(test, "true", || {
        let far = addr("tcp://192.0.2.1:1");
        let error = rt::block_on(dial(&far)).unwrap_err();
        assert!(matches!(&error, TransportError::Unreachable { addr } if *addr == far));
    });
}

#[test]
fn crossing_syns_become_one_connection() {
    let test = "crossing_syns_become_one_connection";
    in_namespace(test, "true", || {
        rt::block_on(async {
            let here = listen("tcp://127.0.0.1:0").await;
            let there = listen("tcp://127.0.0.2:0").await;
            let (mut one, mut other) = dial_across(&here, &there).await;
            assert_eq!(one.local_addr(), other.remote_addr());
            assert_eq!(one.remote_addr(), other.local_addr());
            assert_talk(&mut one, &mut other).await;
            for mut listener in [here, there] {
                assert!(listener.next().now_or_never().is_none());
            }
        });
    });
}

/// Both dial while the link loses everything; what then crosses are their repeated SYN packets.
async fn dial_across(here: &Listener, there: &Listener) -> (Connection, Connection) {
    run("tc qdisc add dev lo root blackhole");
    let mut dials = future::try_join(
        dial_from(here.local_addr(), there.local_addr()),
        dial_from(there.local_addr(), here.local_addr()),
    )
    .boxed();
    while sockets_in_syn_sent() < 2 {
        assert!(futures::poll!(&mut dials).is_pending());
    }
    run("tc qdisc del dev lo root");
    dials.await.unwrap()
}

fn sockets_in_syn_sent() -> usize {
    let table = fs::read_to_string("/proc/self/net/tcp").unwrap();
    table.matches(" 02 ").count()
}

async fn assert_talk(one: &mut Connection, other: &mut Connection) {
    let mut byte = [0];
    one.write_all(b"?").await.unwrap();
    other.read_exact(&mut byte).await.unwrap();
    assert_eq!(byte, *b"?");
}

fn addr(text: &str) -> Addr {
    text.parse().unwrap()
}

async fn listen(text: &str) -> Listener {
    TcpTransport::new().listen(&addr(text)).await.unwrap()
}

async fn dial(addr: &Addr) -> Result<Connection, TransportError> {
    TcpTransport::new().dial(addr, &DialOpts::default()).await
}

async fn dial_from(from: &Addr, addr: &Addr) -> Result<Connection, TransportError> {
    let opts = DialOpts::default().with_from(from.clone());
    TcpTransport::new().dial(addr, &opts).await
}

/// Runs `body` in a network namespace whose loopback interface is up, after the shell command `prepare`.
fn in_namespace(test: &str, prepare: &str, body: impl FnOnce()) {
    if env::var_os(INSIDE).is_some() {
        return body();
    }
    let ready = format!("command -v tc && ip link set lo up && {prepare}");
    if !unshare(&ready)
        .output()
        .is_ok_and(|output| output.status.success())
    {
        eprintln!("skipped: no network namespace for this user, or no `ip` and `tc`");
        return;
    }
    let status = unshare(&format!(
        "{ready} && exec \"$0\" --exact {test} --nocapture"
    ))
    .arg(env::current_exe().unwrap())
    .env(INSIDE, "1")
    .status();
    assert!(status.unwrap().success(), "{test} failed in its namespace");
}

fn unshare(script: &str) -> Command {
    let options = ["--user", "--map-root-user", "--net", "sh", "-c", script];
    let mut command = Command::new("unshare");
    command.args(options);
    command
}

fn run(command: &str) {
    let status = Command::new("sh").args(["-c", command]).status();
    assert!(status.unwrap().success(), "{command}");
}

/// Set where the test runs in its namespace.
const INSIDE: &str = "CRUST_TCP_TEST_NAMESPACE";
