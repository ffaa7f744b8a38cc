//! Listening and accepting.

use crust_core::{Transport, TransportError, listen_live, rt};
use crust_tcp::TcpTransport;
use futures::{AsyncReadExt, StreamExt, future};

use crate::{accept, addr, assert_talk, both, dial, listen, loopbacks, pair};

fn port(addr: &crust_core::Addr) -> u16 {
    addr.socket_addr().unwrap().port()
}

fn is_in_use(result: Result<crust_core::Listener, TransportError>) -> bool {
    matches!(result, Err(TransportError::InUse { .. }))
}

#[test]
fn port_zero_becomes_a_port() {
    rt::block_on(async {
        for host in [loopbacks(), &["localhost"]].concat() {
            let mut listener = listen(&format!("tcp://{host}:0")).await;
            assert_ne!(port(listener.local_addr()), 0);
            let (mut dialed, mut accepted) = pair(&mut listener).await;
            assert_eq!(dialed.remote_addr(), accepted.local_addr());
            assert_eq!(dialed.local_addr(), accepted.remote_addr());
            assert_talk(&mut dialed, &mut accepted).await;
        }
    });
}

#[test]
fn dual_stack_listener_shows_ipv4_as_ipv4() {
    rt::block_on(async {
        let mut listener = listen("tcp://[::]:0").await;
        let port = port(listener.local_addr());
        for ip in loopbacks() {
            let to = addr(&format!("tcp://{ip}:{port}"));
            let (mut dialed, mut accepted) = both(dial(&to), &mut listener).await;
            assert_eq!(accepted.local_addr(), &to);
            assert_eq!(accepted.remote_addr(), dialed.local_addr());
            assert!(accepted.remote_addr().body().starts_with(ip));
            assert_talk(&mut dialed, &mut accepted).await;
        }
    });
}

#[test]
fn ipv4_listener_is_shown_as_such_when_asked_for_as_mapped() {
    let listener = rt::block_on(listen("tcp://[::ffff:127.0.0.1]:0"));
    assert!(listener.local_addr().body().starts_with("127.0.0.1:"));
}

#[test]
fn port_of_a_listener_is_in_use() {
    rt::block_on(async {
        let mut listener = listen("tcp://127.0.0.1:0").await;
        let here = listener.local_addr().clone();
        assert!(is_in_use(TcpTransport::new().listen(&here).await));
        let _connection = pair(&mut listener).await;
        assert!(is_in_use(TcpTransport::new().listen(&here).await));
    });
}

/// macOS and Windows let a specific address be taken beside the wildcard.
#[cfg(target_os = "linux")]
#[test]
fn port_of_a_wildcard_listener_is_in_use_at_each_address() {
    rt::block_on(async {
        let wildcard = listen("tcp://[::]:0").await;
        let port = port(wildcard.local_addr());
        for ip in [loopbacks(), &["0.0.0.0"]].concat() {
            let here = addr(&format!("tcp://{ip}:{port}"));
            assert!(is_in_use(TcpTransport::new().listen(&here).await), "{ip}");
        }
    });
}

#[test]
fn port_is_free_again_while_its_connections_live() {
    rt::block_on(async {
        let mut listener = listen("tcp://127.0.0.1:0").await;
        let here = listener.local_addr().clone();
        let (mut dialed, mut accepted) = pair(&mut listener).await;
        drop(listener);
        assert!(matches!(
            dial(&here).await,
            Err(TransportError::Refused { .. })
        ));
        let mut again = TcpTransport::new().listen(&here).await.unwrap();
        assert_talk(&mut dialed, &mut accepted).await;
        let (mut dialed, mut accepted) = pair(&mut again).await;
        assert_talk(&mut dialed, &mut accepted).await;
    });
}

#[test]
fn address_of_another_host_cannot_be_listened_on() {
    // 192.0.2.0/24 is nobody's (RFC 5737).
    let elsewhere = addr("tcp://192.0.2.1:0");
    let error = rt::block_on(TcpTransport::new().listen(&elsewhere)).unwrap_err();
    assert!(matches!(&error, TransportError::Io { addr, .. } if *addr == elsewhere));
}

#[test]
fn live_port_is_taken_when_free_and_given_up_when_busy() {
    rt::block_on(async {
        let tcp: Box<dyn Transport> = Box::new(TcpTransport::new());
        let live = listen("tcp://127.0.0.1:0").await;
        let here = live.local_addr().clone();
        let fallback = listen_live(&*tcp, &here).await.unwrap();
        assert_ne!(port(fallback.local_addr()), port(&here));
        assert!(fallback.local_addr().body().starts_with("127.0.0.1:"));
        drop(live);
        let taken = listen_live(&*tcp, &here).await.unwrap();
        assert_eq!(taken.local_addr(), &here);
    });
}

#[test]
fn dropped_incoming_ends_the_dialer_and_not_the_listener() {
    rt::block_on(async {
        let mut listener = listen("tcp://127.0.0.1:0").await;
        let mut dropped = dial(listener.local_addr()).await.unwrap();
        let incoming = listener.next().await.unwrap().unwrap();
        assert_eq!(incoming.remote_addr(), dropped.local_addr());
        drop(incoming);
        let mut read = Vec::new();
        assert_eq!(dropped.read_to_end(&mut read).await.unwrap(), 0);
        let (mut dialed, mut accepted) = pair(&mut listener).await;
        assert_talk(&mut dialed, &mut accepted).await;
    });
}

#[test]
fn burst_of_dialers_waits_to_be_accepted() {
    /// Under the smallest default limit, 128 on macOS.
    const BURST: usize = 100;
    rt::block_on(async {
        let mut listener = listen("tcp://127.0.0.1:0").await;
        let to = listener.local_addr().clone();
        let dialed = future::try_join_all((0..BURST).map(|_| dial(&to))).await;
        assert_eq!(dialed.unwrap().len(), BURST);
        for _ in 0..BURST {
            accept(&mut listener).await;
        }
    });
}
