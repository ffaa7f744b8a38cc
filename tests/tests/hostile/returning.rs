//! Peers that come back, under the same keys or others.

use crust::core::Role;
use crust::{Limits, Node};
use crust_crypto::HandshakeError;
use crust_tests::{
    Frame, Hello, Hostile, Net, chunk, connected, dial_from, event, events, eventually,
    identity_above, identity_below, message, message_text, run, soon, start, tell,
};

use crate::scene::{ATTACKER, keys, shake_hands};

/// A stranger, in so far as the node lets it in.
async fn stranger(node: &Node) -> Result<Hostile, HandshakeError> {
    let connection = dial_from(ATTACKER, &node.listening()[0]).await;
    let keys = keys(&identity_above(node));
    soon(Hostile::new(connection, Role::Dialer, &keys)).await
}

/// Fills its window, says goodbye, and is gone.
async fn fill_and_go(node: &Node, mut peer: Hostile) {
    soon(peer.greet(&Hello::default())).await;
    let message = chunk(Some(LEN as u64), true, &[b'x'; LEN]);
    for _ in 0..FIT {
        peer.send(&message).await.unwrap();
    }
    peer.send(&Frame::Close(0, Vec::new()).bytes())
        .await
        .unwrap();
    eventually(|| node.stats().sessions == 0).await;
}

const LEN: usize = 1_000;
const FIT: usize = 20;

#[test]
fn unread_messages_of_ended_sessions_count_against_their_address() {
    run(async {
        let mut limits = Limits::default();
        limits.max_message = LEN;
        limits.receive_window = FIT * (LEN + 64);
        limits.sessions_per_address = 2;
        let node = start(Net::Tcp.builder().limits(limits)).await;
        for _ in 0..2 {
            let peer = stranger(&node).await.unwrap();
            fill_and_go(&node, peer).await;
        }
        assert!(stranger(&node).await.is_err());
        assert_eq!(tell(&event(&node).await), "abuse flood");
        // One of them is read to its end: there is room for one, and for one only.
        connected(&node).await;
        for _ in 0..FIT {
            assert_eq!(message_text(&node).await.len(), LEN);
        }
        assert_eq!(tell(&event(&node).await), "disconnected closed_by_peer");
        let peer = stranger(&node).await.unwrap();
        fill_and_go(&node, peer).await;
        assert!(stranger(&node).await.is_err());
    });
}

/// An arbiter that had a session with the node, of which nothing is read yet, tries another connection and then, with a
/// third, has a session again. Gives what the third hello of the node says of its last session, and the name of the first.
async fn arbiter_that_tries_twice(node: &Node, second: Option<Frame>) -> (Option<u64>, u64) {
    let identity = identity_below(node);
    let hello = Hello::default();
    let mut peer = shake_hands(node, &identity).await;
    let first = hello.connection(&soon(peer.greet(&hello)).await);
    let mut words = message(b"x").repeat(MESSAGES);
    words.extend(Frame::Close(0, Vec::new()).bytes());
    peer.send(&words).await.unwrap();
    soon(peer.close_frame()).await;
    eventually(|| node.stats().sessions == 0).await;

    let mut peer = shake_hands(node, &identity).await;
    let mut words = hello.frame();
    if let Some(second) = second {
        words.extend(second.bytes());
        peer.send(&words).await.unwrap();
        soon(peer.close_frame()).await;
    } else {
        peer.send(&words).await.unwrap();
        drop(peer);
        eventually(|| node.stats().handshakes_failed == 1).await;
    }

    let mut peer = shake_hands(node, &identity).await;
    let body = soon(peer.greet(&hello)).await;
    eventually(|| node.stats().sessions == 1).await;
    let ended = Hello::ended(&body);
    let mut expected = vec!["connected"];
    expected.extend(["message x"; MESSAGES]);
    expected.extend(["disconnected closed_by_peer", "connected"]);
    assert_eq!(events(node, expected.len()).await, expected);
    (ended, first)
}

/// More than one session's turn in the stream of events.
const MESSAGES: usize = 100;

#[test]
fn connection_that_dies_unconfirmed_is_named_and_leaves_the_order_of_events() {
    run(async {
        let node = Net::Tcp.node().await;
        let (ended, first) = arbiter_that_tries_twice(&node, None).await;
        assert!(ended.is_some_and(|ended| ended != first));
    });
}

#[test]
fn connection_that_the_arbiter_refuses_is_not_taken_for_the_last_session() {
    run(async {
        let node = Net::Tcp.node().await;
        let duplicate = Some(Frame::Close(2, Vec::new()));
        let (ended, first) = arbiter_that_tries_twice(&node, duplicate).await;
        assert_eq!(ended, Some(first));
    });
}
