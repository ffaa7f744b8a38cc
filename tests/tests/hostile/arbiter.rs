//! A node that dials somebody who does not keep to the rules of who decides.

use std::time::Duration;

use crust::{
    Attempt, AttemptError, ConnectError, Node, Timeouts,
    core::{Listener, MemoryTransport, Role, Transport},
    rt,
};
use crust_tests::{
    Frame, Hello, Hostile, Net, addr, connected, disconnected, identity_above, identity_below, run,
    soon, start,
};
use futures::{StreamExt, future::join};

use crate::scene::keys;

const HANDSHAKE: Duration = Duration::from_millis(300);

async fn scene() -> (Node, Listener) {
    let memory = MemoryTransport::new();
    let mut timeouts = Timeouts::default();
    timeouts.handshake = HANDSHAKE;
    let listener = memory.listen(&addr("memory://hostile")).await.unwrap();
    let builder = Net::Memory(memory).builder().timeouts(timeouts);
    (start(builder).await, listener)
}

async fn take(listener: &mut Listener, identity: crust::Identity) -> Hostile {
    let connection = listener.next().await.unwrap().unwrap().accept().await;
    let connection = connection.unwrap();
    Hostile::new(connection, Role::Listener, &keys(&identity))
        .await
        .unwrap()
}

/// Dials an arbiter that answers hello with its own and then with `decision`, and holds the line.
async fn dial_an_arbiter_that_says(decision: Option<Frame>) -> (Attempt, Duration) {
    let (node, mut listener) = scene().await;
    let serve = async {
        let mut arbiter = take(&mut listener, identity_below(&node)).await;
        arbiter.send(&Hello::default().frame()).await.unwrap();
        if let Some(decision) = decision {
            arbiter.send(&decision.bytes()).await.unwrap();
        }
        arbiter
    };
    let started_at = rt::now();
    let connect = soon(node.connect(addr("memory://hostile")));
    let (connect, _arbiter) = join(connect, serve).await;
    let Err(ConnectError::Failed { mut attempts, .. }) = connect else {
        panic!("{connect:?}");
    };
    (attempts.remove(0), rt::now() - started_at)
}

#[test]
fn arbiter_that_never_confirms_is_given_up_after_the_time_out() {
    run(async {
        let (attempt, elapsed) = dial_an_arbiter_that_says(None).await;
        assert!(
            matches!(
                attempt.error,
                AttemptError::HandshakeTimeout { limit: HANDSHAKE }
            ),
            "{attempt}"
        );
        assert!(elapsed >= HANDSHAKE);
    });
}

#[test]
fn arbiter_that_keeps_a_connection_that_there_is_not_is_given_up_with_that_word() {
    run(async {
        let duplicate = Frame::Close(2, Vec::new());
        let (attempt, _) = dial_an_arbiter_that_says(Some(duplicate)).await;
        assert!(
            matches!(attempt.error, AttemptError::Duplicate { limit: HANDSHAKE }),
            "{attempt}"
        );
        assert!(
            attempt.to_string().contains("another connection"),
            "{attempt}"
        );
    });
}

#[test]
fn arbiter_that_says_something_else_broke_the_protocol() {
    run(async {
        let (attempt, _) = dial_an_arbiter_that_says(Some(Frame::Ping(1))).await;
        assert!(
            matches!(attempt.error, AttemptError::Protocol { .. }),
            "{attempt}"
        );
    });
}

#[test]
fn arbiter_that_closes_for_a_reason_is_quoted() {
    run(async {
        let refusal = Frame::Close(0, b"not today".to_vec());
        let (attempt, _) = dial_an_arbiter_that_says(Some(refusal)).await;
        assert!(attempt.to_string().contains("not today"), "{attempt}");
    });
}

#[test]
fn confirmation_by_one_who_is_not_the_arbiter_ends_the_session() {
    run(async {
        let (node, mut listener) = scene().await;
        let serve = async {
            let mut peer = take(&mut listener, identity_above(&node)).await;
            let hello = [Hello::default().frame(), Frame::Confirm.bytes()].concat();
            peer.send(&hello).await.unwrap();
            peer
        };
        let connect = soon(node.connect(addr("memory://hostile")));
        let (connect, _peer) = join(connect, serve).await;
        connect.unwrap();
        connected(&node).await;
        assert_eq!(disconnected(&node).await.1.name(), "protocol");
    });
}
