//! Blocks cut what matches at once and keep it out.

use std::net::IpAddr;

use crust::{AttemptError, ConnectError, DisconnectReason, IpNet, Node};
use crust_tests::{
    Net, builder_from, contact, dial_from, disconnected, eventually, run, soon, start,
};

use crate::scene::assert_ends_without_a_byte;

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

async fn assert_cuts_and_refuses(block: impl Into<crust::Blocked>) {
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
