//! Dialing from the listener's port.
#![cfg_attr(
    not(unix),
    expect(unused_imports, reason = "most need a port that is shared")
)]

use crust_core::{Addr, Connection, Listener, Transport, TransportError, rt};
use crust_tcp::TcpTransport;

use crate::{addr, assert_talk, both, closed_port, dial_from, listen, loopbacks, pair};

async fn pair_from(from: &Addr, listener: &mut Listener) -> (Connection, Connection) {
    let to = listener.local_addr().clone();
    both(dial_from(from, &to), listener).await
}

/// Windows shares the port of a wildcard listener only.
#[cfg(unix)]
#[test]
fn peers_see_the_port_of_the_listener() {
    rt::block_on(async {
        let mut home = listen("tcp://127.0.0.1:0").await;
        let from = home.local_addr().clone();
        let mut kept = Vec::new();
        for _ in 0..3 {
            let mut peer = listen("tcp://127.0.0.1:0").await;
            let (mut dialed, mut accepted) = pair_from(&from, &mut peer).await;
            assert_eq!(dialed.local_addr(), &from);
            assert_eq!(accepted.remote_addr(), &from);
            assert_talk(&mut dialed, &mut accepted).await;
            kept.push((dialed, accepted));
        }
        let (mut dialed, mut accepted) = pair(&mut home).await;
        assert_talk(&mut dialed, &mut accepted).await;
    });
}

#[test]
fn wildcard_listener_is_dialed_from_in_both_families() {
    if cfg!(windows) && std::env::var_os("WINEPREFIX").is_some() {
        // Windows lets a specific address be bound beside a wildcard listener; Wine answers WSAEADDRINUSE.
        println!("skipped: Wine cannot bind a specific address beside a wildcard listener");
        return;
    }
    rt::block_on(async {
        let home = listen("tcp://[::]:0").await;
        let port = home.local_addr().socket_addr().unwrap().port();
        for ip in loopbacks() {
            let mut peer = listen(&format!("tcp://{ip}:0")).await;
            let (_dialed, accepted) = pair_from(home.local_addr(), &mut peer).await;
            let seen = addr(&format!("tcp://{ip}:{port}"));
            assert_eq!(accepted.remote_addr(), &seen);
        }
    });
}

#[cfg(unix)]
#[test]
fn dials_from_a_port_open_it_to_no_second_listener() {
    rt::block_on(async {
        let home = listen("tcp://127.0.0.1:0").await;
        let from = home.local_addr().clone();
        let mut peer = listen("tcp://127.0.0.1:0").await;
        let (_dialed, _accepted) = pair_from(&from, &mut peer).await;
        let second = TcpTransport::new().listen(&from).await;
        assert!(matches!(second, Err(TransportError::InUse { .. })));
    });
}

#[cfg(unix)]
#[test]
fn listener_returns_to_a_port_dialed_from() {
    rt::block_on(async {
        let home = listen("tcp://127.0.0.1:0").await;
        let from = home.local_addr().clone();
        let mut peer = listen("tcp://127.0.0.1:0").await;
        let (mut dialed, mut accepted) = pair_from(&from, &mut peer).await;
        drop(home);
        let mut home = TcpTransport::new().listen(&from).await.unwrap();
        assert_talk(&mut dialed, &mut accepted).await;
        let (mut dialed, mut accepted) = pair(&mut home).await;
        assert_talk(&mut dialed, &mut accepted).await;
    });
}

#[test]
fn port_zero_to_dial_from_is_any_port() {
    rt::block_on(async {
        let mut peer = listen("tcp://127.0.0.1:0").await;
        let (dialed, _accepted) = pair_from(&addr("tcp://127.0.0.1:0"), &mut peer).await;
        assert!(dialed.local_addr().body().starts_with("127.0.0.1:"));
    });
}

#[test]
fn wrong_place_to_dial_from_is_named_in_the_error() {
    let (_socket, to) = closed_port("127.0.0.1");
    let fails = |from: &str| {
        let error = rt::block_on(dial_from(&addr(from), &to)).unwrap_err();
        assert_eq!(error.addr(), &addr(from));
        error
    };
    assert!(matches!(
        fails("utp://127.0.0.1:1"),
        TransportError::Unsupported { .. }
    ));
    assert!(matches!(
        fails("tcp://localhost:1"),
        TransportError::Invalid { .. }
    ));
    assert!(matches!(
        fails("tcp://[::1]:1"),
        TransportError::Invalid { .. }
    ));
    assert!(matches!(
        fails("tcp://192.0.2.1:0"),
        TransportError::Io { .. }
    ));
}

#[test]
fn port_held_by_another_program_cannot_be_dialed_from() {
    let (_socket, held) = closed_port("127.0.0.1");
    let (_other, to) = closed_port("127.0.0.1");
    let error = rt::block_on(dial_from(&held, &to)).unwrap_err();
    assert!(
        matches!(&error, TransportError::InUse { addr } if *addr == held),
        "{error}"
    );
}

/// Only Linux has 127.0.0.2 from the start.
#[cfg(target_os = "linux")]
#[test]
fn nodes_dialing_each_other_at_once_get_a_connection() {
    rt::block_on(async {
        for _ in 0..50 {
            let (here, there) = (
                listen("tcp://127.0.0.1:0").await,
                listen("tcp://127.0.0.2:0").await,
            );
            let (mut one, mut other) = meet(here, there).await;
            assert_eq!(one.local_addr(), other.remote_addr());
            assert_eq!(one.remote_addr(), other.local_addr());
            assert_talk(&mut one, &mut other).await;
        }
    });
}

/// Each end takes what comes first: its dial or a dial of the other.
#[cfg(target_os = "linux")]
async fn meet(mut here: Listener, mut there: Listener) -> (Connection, Connection) {
    let (here_at, there_at) = (here.local_addr().clone(), there.local_addr().clone());
    futures::future::join(
        dial_or_accept(&here_at, &there_at, &mut here),
        dial_or_accept(&there_at, &here_at, &mut there),
    )
    .await
}

#[cfg(target_os = "linux")]
async fn dial_or_accept(from: &Addr, to: &Addr, listener: &mut Listener) -> Connection {
    match dial_from(from, to).await {
        Ok(connection) => connection,
        Err(_) => crate::accept(listener).await,
    }
}
