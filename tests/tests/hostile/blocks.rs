//! Blocks cut what matches at once and keep it out.

use std::net::IpAddr;

use crust::{AttemptError, Blocked, ConnectError, DisconnectReason, Identity, IpNet, Node};
use crust_tests::{
    Frame, Hello, Net, addr, all_events, builder_from, contact, dial_from, disconnected,
    eventually, identity_above, identity_below, message, run, soon, start,
};

use crate::scene::{ATTACKER, assert_ends_without_a_byte, shake_hands};

/// Three nodes at 127.0.0.2 and one at 127.0.0.9, all connected.
async fn scene() -> (Node, Vec<Node>, Node) {
    let node = Net::Tcp.node().await;
    let mut near = Vec::new();
    for _ in 0..3 {
        near.push(start(builder_from("127.0.0.2")).await);
        soon(near.last().unwrap().connect(contact(&node)))
            .await
            .unwrap();
    }
    let far = start(builder_from("127.0.0.9")).await;
    soon(far.connect(contact(&node))).await.unwrap();
    eventually(|| node.stats().sessions == 4).await;
    (node, near, far)
}

async fn assert_cuts_and_refuses(block: impl Into<Blocked>) {
    let block = block.into();
    let (node, near, far) = scene().await;
    node.block(block);
    for peer in &near {
        let session = crust_tests::connected(peer).await;
        assert!(matches!(
            soon(session.closed()).await,
            DisconnectReason::ClosedByPeer { .. }
        ));
    }
    eventually(|| node.stats().sessions == 1).await;
    assert_eq!(node.sessions()[0].peer(), far.id());

    let failed = node.stats().handshakes_failed;
    let mut connection = dial_from("127.0.0.2", &node.listening()[0]).await;
    assert_ends_without_a_byte(&mut connection).await;
    let again = soon(near[0].connect(contact(&node))).await;
    assert!(
        matches!(again, Err(ConnectError::Failed { .. })),
        "{again:?}"
    );
    assert_eq!(node.stats().handshakes_failed, failed);

    assert!(node.unblock(block));
    assert!(!node.unblock(block));
    soon(near[0].connect(contact(&node))).await.unwrap();
}

#[test]
fn blocked_address_is_cut_and_refused_until_it_is_unblocked() {
    run(assert_cuts_and_refuses(ip("127.0.0.2")));
}

#[test]
fn blocked_prefix_is_cut_and_refused_until_it_is_unblocked() {
    run(assert_cuts_and_refuses(
        "127.0.0.3/30".parse::<IpNet>().unwrap(),
    ));
}

#[test]
fn address_written_as_an_ipv4_mapped_one_is_the_same() {
    run(assert_cuts_and_refuses(ip("::ffff:127.0.0.2")));
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn blocked_peer_cannot_come_back_until_it_is_unblocked() {
    for net in Net::each() {
        run(async {
            let pair = net.pair().await;
            let id = pair.near.id();
            pair.far.block(id);
            assert_eq!(disconnected(&pair.far).await.1, DisconnectReason::Blocked);
            soon(pair.to_far.closed()).await;
            let again = soon(pair.near.connect(contact(&pair.far))).await;
            let Err(ConnectError::Failed { attempts, .. }) = again else {
                panic!("{again:?}");
            };
            assert!(
                matches!(attempts[0].error, AttemptError::Ended(_)),
                "{attempts:?}"
            );
            let out = soon(pair.far.connect(id)).await;
            assert!(matches!(out, Err(ConnectError::Blocked { .. })), "{out:?}");
            let by_address = soon(pair.far.connect(contact(&pair.near).addr)).await;
            assert!(by_address.is_err(), "{by_address:?}");
            assert!(pair.far.unblock(id));
            soon(pair.near.connect(contact(&pair.far))).await.unwrap();
        });
    }
}

#[test]
fn blocked_address_is_not_dialed() {
    run(async {
        let (node, other) = (Net::Tcp.node().await, Net::Tcp.node().await);
        node.block(ip("127.0.0.1"));
        let connect = soon(node.connect(contact(&other))).await;
        let Err(ConnectError::Failed { attempts, .. }) = connect else {
            panic!("{connect:?}");
        };
        assert!(matches!(attempts[0].error, AttemptError::Blocked));
    });
}

/// `block` comes when the peer's last word before it has a session is outstanding.
async fn assert_keeps_out(node: Node, identity: Identity, block: Blocked) {
    let is_arbiter = identity.peer_id() < node.id();
    let mut peer = shake_hands(&node, &identity).await;
    // The node has said its hello, so it has looked at who this is.
    assert!(matches!(soon(peer.frames()).await[..], [Frame::Hello(_)]));
    node.block(block);
    let mut last_words = Hello::default().frame();
    if is_arbiter {
        last_words.extend(Frame::Confirm.bytes());
    }
    last_words.extend(message(b"let me in"));
    peer.send(&last_words).await.unwrap();
    soon(peer.close_frame()).await;
    eventually(|| node.stats().handshakes_failed == 1).await;
    assert_eq!(node.sessions(), []);
    node.shutdown().await;
    assert_eq!(all_events(&node).await, [""; 0]);
}

#[test]
fn peer_that_is_blocked_before_its_hello_gets_no_session() {
    for identity in [identity_above, identity_below] {
        run(async {
            let node = Net::Tcp.node().await;
            let identity = identity(&node);
            let block = identity.peer_id().into();
            assert_keeps_out(node, identity, block).await;
        });
    }
}

#[test]
fn address_that_is_blocked_before_its_hello_gets_no_session() {
    for identity in [identity_above, identity_below] {
        run(async {
            let node = Net::Tcp.node().await;
            let identity = identity(&node);
            assert_keeps_out(node, identity, ip(ATTACKER).into()).await;
        });
    }
}

#[test]
fn name_of_a_blocked_address_is_not_connected_to() {
    run(async {
        let (node, other) = (Net::Tcp.node().await, Net::Tcp.node().await);
        let port = contact(&other).addr.socket_addr().unwrap().port();
        let name = addr(&format!("tcp://localhost:{port}"));
        node.block("127.0.0.0/8".parse::<IpNet>().unwrap());
        let connect = soon(node.connect(name.clone())).await;
        let Err(ConnectError::Failed { attempts, .. }) = connect else {
            panic!("{connect:?}");
        };
        assert!(matches!(attempts[0].error, AttemptError::Blocked));
        assert!(node.unblock("127.0.0.0/8".parse::<IpNet>().unwrap()));
        soon(node.connect(name)).await.unwrap();
    });
}
