//! Closes that the other side answers with anything but a close.

use std::time::Duration;

use crust::{DisconnectReason, Identity, Node, SendError, Session, rt};
use crust_tests::{
    Frame, Hello, Hostile, Net, all_events, connected, disconnected, event, eventually,
    identity_above, run, soon, tell,
};
use futures::FutureExt;

use crate::scene::shake_hands;

/// A node, and a peer with a session.
async fn scene() -> (Node, Identity, Hostile, Session) {
    let node = Net::Tcp.node().await;
    let identity = identity_above(&node);
    let mut peer = shake_hands(&node, &identity).await;
    soon(peer.greet(&Hello::default())).await;
    let session = connected(&node).await;
    (node, identity, peer, session)
}

/// Begins to close; the peer has been told when this returns.
async fn close(session: &Session, peer: &mut Hostile) -> rt::Task<()> {
    let session = session.clone();
    let closed = rt::spawn(async move { session.close("bye").await });
    let bye = Frame::Close(0, b"bye".to_vec());
    assert_eq!(soon(peer.close_frame()).await, Some(bye));
    closed
}

/// The peer comes in again, in another life; the node has told nothing else meanwhile, and tells no more.
async fn assert_may_return(node: &Node, identity: &Identity) {
    let mut again = shake_hands(node, identity).await;
    let hello = Hello {
        instance: 8,
        ..Hello::default()
    };
    soon(again.greet(&hello)).await;
    assert_eq!(connected(node).await.peer(), identity.peer_id());
    node.shutdown().await;
    assert_eq!(all_events(node).await, ["disconnected shutdown"]);
}

#[test]
fn close_that_is_answered_with_a_broken_frame_ends_once() {
    run(async {
        let (node, identity, mut peer, session) = scene().await;
        let closed = close(&session, &mut peer).await;
        peer.send(&[0x3f]).await.unwrap();
        soon(closed).await.unwrap();
        assert_eq!(disconnected(&node).await.1, DisconnectReason::Closed);
        assert_may_return(&node, &identity).await;
    });
}

#[test]
fn close_that_is_answered_with_a_broken_record_ends_once() {
    run(async {
        let (node, identity, mut peer, session) = scene().await;
        let closed = close(&session, &mut peer).await;
        peer.send_raw(&[0x55; 1_000]).await.unwrap();
        soon(closed).await.unwrap();
        assert_eq!(disconnected(&node).await.1, DisconnectReason::Closed);
        assert_may_return(&node, &identity).await;
    });
}

#[test]
fn block_during_a_close_ends_the_session_once() {
    run(async {
        let (node, identity, mut peer, session) = scene().await;
        let closed = close(&session, &mut peer).await;
        node.block(identity.peer_id());
        soon(closed).await.unwrap();
        assert!(tell(&event(&node).await).starts_with("disconnected "));
        assert!(node.unblock(identity.peer_id()));
        assert_may_return(&node, &identity).await;
    });
}

#[test]
fn close_returns_in_its_time_where_the_peer_reads_nothing() {
    run(async {
        let node = Net::Tcp.node().await;
        let mut peer = shake_hands(&node, &identity_above(&node)).await;
        let hello = Hello {
            window: 1 << 40,
            ..Hello::default()
        };
        soon(peer.greet(&hello)).await;
        let session = connected(&node).await;
        // Until what the system takes is full: a ping then gets no answer, and nothing moves.
        let mut sent = 0;
        while rt::timeout(FULL_AFTER, session.send(vec![0; 256 << 10]))
            .await
            .is_ok()
        {
            sent += 1;
        }
        assert!(sent > 1);
        let started_at = rt::now();
        soon(session.close("bye")).await;
        let elapsed = rt::now() - started_at;
        assert!(elapsed <= CLOSE_LIMIT, "{elapsed:?}");
        assert_eq!(disconnected(&node).await.1, DisconnectReason::Closed);
    });
}

#[test]
fn close_that_cannot_send_everything_tells_its_reason() {
    for net in Net::each() {
        run(async {
            let pair = net.pair().await;
            let full = || pair.to_far.try_send(vec![0; 64 << 10]) == Err(SendError::Full);
            let stuck = || full() && pair.to_near.stats().messages_in == FIT;
            eventually(stuck).await;
            let told = {
                let session = pair.to_near.clone();
                rt::spawn(async move { (session.closed().await, rt::now()) })
            };
            let started_at = rt::now();
            soon(pair.to_far.close("my words")).await;
            let elapsed = rt::now() - started_at;
            assert!(elapsed <= CLOSE_LIMIT, "{elapsed:?}");
            let (reason, told_at) = soon(told).await.unwrap();
            let words = "my words".into();
            assert_eq!(reason, DisconnectReason::ClosedByPeer { reason: words });
            let elapsed = told_at - started_at;
            assert!(elapsed <= Duration::from_secs(1), "{elapsed:?}");
        });
    }
}

/// Messages of 64 KiB in the window of two of the longest.
const FIT: u64 = 2 * ((4 << 20) + 64) / ((64 << 10) + 64);
/// A second, and what the clock may be late.
const CLOSE_LIMIT: Duration = Duration::from_millis(1_200);
/// The loopback takes a message in far less.
const FULL_AFTER: Duration = Duration::from_millis(200);

#[test]
fn send_on_a_session_that_gives_way_is_refused() {
    run(async {
        let node = Net::Tcp.node().await;
        let identity = identity_above(&node);
        let mut peer = shake_hands(&node, &identity).await;
        let first = Hello::default();
        let body = soon(peer.greet(&first)).await;
        let session = connected(&node).await;
        let mut again = shake_hands(&node, &identity).await;
        let second = Hello {
            token: 8,
            ended: Some(first.connection(&body)),
            ..first
        };
        again.send(&second.frame()).await.unwrap();
        // The session is the node's until it is to give way.
        let gives_way = || node.connect(identity.peer_id()).now_or_never().is_none();
        eventually(gives_way).await;
        let ended = SendError::Ended(DisconnectReason::Replaced);
        assert_eq!(session.try_send("lost"), Err(ended));
        assert_eq!(soon(session.closed()).await, DisconnectReason::Replaced);
    });
}
