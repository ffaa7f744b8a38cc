//! Peers that come back under other keys.

use crust::core::Role;
use crust::{Limits, Node};
use crust_crypto::HandshakeError;
use crust_tests::{
    Frame, Hello, Hostile, Net, chunk, connected, dial_from, event, eventually, identity_above,
    message_text, run, soon, start, tell,
};

use crate::scene::{ATTACKER, keys};

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
