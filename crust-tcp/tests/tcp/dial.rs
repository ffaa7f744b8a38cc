//! Dialing.

use crust_core::{TransportError, rt};
use futures::{AsyncReadExt, AsyncWriteExt, io::IoSlice};

use crate::{accept, addr, assert_talk, closed_port, dial, dial_from, listen, loopbacks, pair};

#[test]
fn dial_to_closed_port_is_refused() {
    for ip in loopbacks() {
        let (_socket, closed) = closed_port(ip);
        let error = rt::block_on(dial(&closed)).unwrap_err();
        assert!(matches!(&error, TransportError::Refused { addr } if *addr == closed));
    }
}

#[test]
fn error_of_a_name_keeps_the_name() {
    let (_socket, closed) = closed_port("127.0.0.1");
    let named = addr(&closed.as_str().replace("127.0.0.1", "localhost"));
    let error = rt::block_on(dial(&named)).unwrap_err();
    assert!(matches!(&error, TransportError::Refused { addr } if *addr == named));
}

#[test]
fn name_reaches_the_family_that_listens() {
    rt::block_on(async {
        let mut listener = listen("tcp://127.0.0.1:0").await;
        let port = listener.local_addr().socket_addr().unwrap().port();
        let mut dialed = dial(&addr(&format!("tcp://localhost:{port}")))
            .await
            .unwrap();
        assert_eq!(dialed.remote_addr(), listener.local_addr());
        let mut accepted = accept(&mut listener).await;
        assert_talk(&mut dialed, &mut accepted).await;
    });
}

#[test]
fn interface_that_does_not_exist_is_a_name_error() {
    let unknown = addr("tcp://[fe80::1%nonesuch]:1");
    let error = rt::block_on(dial(&unknown)).unwrap_err();
    assert!(matches!(&error, TransportError::Name { addr, .. } if *addr == unknown));
}

#[test]
fn junk_is_invalid_and_other_schemes_are_unsupported() {
    rt::block_on(async {
        for junk in ["tcp://127.0.0.1", "tcp://127.0.0.1:0", "tcp://127.1:80"] {
            let error = dial(&addr(junk)).await.unwrap_err();
            assert!(matches!(error, TransportError::Invalid { .. }), "{error}");
        }
        let error = dial(&addr("utp://127.0.0.1:1")).await.unwrap_err();
        assert!(matches!(error, TransportError::Unsupported { .. }));
    });
}

#[test]
fn dial_never_connects_to_itself() {
    let (socket, closed) = closed_port("127.0.0.1");
    drop(socket);
    let error = rt::block_on(dial_from(&closed, &closed)).unwrap_err();
    assert!(matches!(error, TransportError::Refused { .. }), "{error}");
}

#[test]
fn vectored_write_takes_all_buffers_at_once() {
    rt::block_on(async {
        let mut listener = listen("tcp://127.0.0.1:0").await;
        let (mut dialed, mut accepted) = pair(&mut listener).await;
        let parts = [b"one".as_slice(), b"", b"two"].map(IoSlice::new);
        assert_eq!(dialed.write_vectored(&parts).await.unwrap(), 6);
        let mut read = [0; 6];
        accepted.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"onetwo");
    });
}

#[test]
fn close_ends_one_direction_and_can_be_repeated() {
    rt::block_on(async {
        let mut listener = listen("tcp://127.0.0.1:0").await;
        let (mut dialed, mut accepted) = pair(&mut listener).await;
        dialed.close().await.unwrap();
        dialed.close().await.unwrap();
        let mut read = Vec::new();
        accepted.read_to_end(&mut read).await.unwrap();
        accepted.write_all(b"still open").await.unwrap();
        accepted.close().await.unwrap();
        dialed.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, b"still open");
    });
}

/// Linux shows in `/proc` what becomes of the socket.
#[cfg(target_os = "linux")]
#[test]
fn cancelled_dial_closes_its_socket() {
    use futures::{FutureExt, poll};

    rt::block_on(async {
        let full = FullListener::new().await;
        let mut dialing = Box::pin(dial(&full.addr));
        while syn_sent_to(&full.addr) == 0 {
            assert!(poll!(&mut dialing).is_pending());
        }
        assert!(dialing.as_mut().now_or_never().is_none());
        drop(dialing);
        assert_eq!(syn_sent_to(&full.addr), 0);
    });
}

/// A listener whose queue is full, so that Linux leaves the next SYN without an answer.
#[cfg(target_os = "linux")]
struct FullListener {
    addr: crust_core::Addr,
    _listener: socket2::Socket,
    _queued: Vec<crust_core::Connection>,
}

#[cfg(target_os = "linux")]
impl FullListener {
    async fn new() -> Self {
        let (listener, addr) = closed_port("127.0.0.1");
        listener.listen(0).unwrap();
        Self {
            _queued: vec![dial(&addr).await.unwrap()],
            addr,
            _listener: listener,
        }
    }
}

/// How many sockets wait for the answer of `addr`.
#[cfg(target_os = "linux")]
fn syn_sent_to(addr: &crust_core::Addr) -> usize {
    let port = addr.socket_addr().unwrap().port();
    let waiting = format!(":{port:04X} 02 ");
    let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
    table.matches(&waiting).count()
}
