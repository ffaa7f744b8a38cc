//! The end of a node.

use std::{pin::pin, time::Duration};

use crust::{
    ConnectError, DisconnectReason, Node, Session,
    core::{DialOpts, MemoryTransport, Transport},
    rt,
};
use crust_tests::{
    Link, LinkTransport, Net, Pair, addr, all_events, connected, contact, disconnected, eventually,
    message_text, run, soon, start,
};
use futures::{AsyncReadExt, StreamExt, future::join_all, poll};

#[test]
fn shutdown_with_a_hundred_busy_sessions_flushes_all_within_a_second() {
    run(async {
        let net = Net::memory();
        let node = net.node().await;
        let peers = join_all((0..100).map(|_| async {
            let peer = net.node().await;
            let session = soon(node.connect(contact(&peer))).await.unwrap();
            (peer, session)
        }));
        let peers = peers.await;
        let readers: Vec<_> = peers
            .iter()
            .map(|(peer, _)| rt::spawn(bytes_until_the_end(peer.clone())))
            .collect();
        for (_, session) in &peers {
            fill(session);
        }
        let started_at = rt::now();
        node.shutdown().await;
        let elapsed = rt::now() - started_at;
        assert!(elapsed <= Duration::from_secs(1), "{elapsed:?}");
        for reader in readers {
            assert_eq!(
                soon(reader).await.unwrap(),
                (1 << 20, DisconnectReason::Shutdown)
            );
        }
        assert_eq!(node.stats().sessions, 0);
    });
}

/// 1 MiB: the first message may be of any length, and these together are no more than the queue holds.
fn fill(session: &Session) {
    session.try_send(vec![7; 1 << 20]).unwrap();
}

async fn bytes_until_the_end(node: Node) -> (usize, DisconnectReason) {
    let session = connected(&node).await;
    let mut bytes = 0;
    while let Some(message) = session.recv().await {
        bytes += message.data.len();
    }
    (bytes, session.closed().await)
}

#[test]
fn shutdown_returns_within_a_second_where_a_peer_takes_nothing() {
    run(async {
        let link = Link::default();
        let pair = linked_pair(&link).await;
        fill(&pair.to_far);
        link.cut();
        let started_at = rt::now();
        pair.near.shutdown().await;
        let elapsed = rt::now() - started_at;
        assert!(elapsed <= Duration::from_secs(1), "{elapsed:?}");
        assert_eq!(all_events(&pair.near).await, ["disconnected shutdown"]);
    });
}

/// A pair of which the near end dials through `link`.
async fn linked_pair(link: &Link) -> Pair {
    let memory = MemoryTransport::new();
    let far = start(Net::Memory(memory.clone()).builder());
    let near = Node::builder()
        .without_built_in_transports()
        .transport(LinkTransport::new(memory, link.clone()))
        .listen(addr("memory://near"));
    Pair::new(start(near).await, far.await).await
}

#[test]
fn nothing_is_left_of_a_node_that_was_shut_down() {
    run(async {
        let link = Link::default();
        let pair = linked_pair(&link).await;
        pair.near.shutdown().await;
        assert_eq!(all_events(&pair.near).await, ["disconnected shutdown"]);
        let Pair { near, to_far, .. } = pair;
        drop((near, to_far));
        // Whoever holds the node holds its transport, and that holds the link.
        eventually(|| link.holders() == 1).await;
    });
}

#[test]
fn address_is_free_after_a_shutdown_and_connects_are_refused() {
    run(async {
        let memory = MemoryTransport::new();
        let net = Net::Memory(memory.clone());
        let (node, other) = (net.node().await, net.node().await);
        let addr = node.listening()[0].clone();
        node.shutdown().await;
        let connect = node.connect(contact(&other)).await;
        assert!(
            matches!(connect, Err(ConnectError::Shutdown)),
            "{connect:?}"
        );
        let connect = soon(other.connect(addr.clone())).await;
        assert!(
            matches!(connect, Err(ConnectError::Failed { .. })),
            "{connect:?}"
        );
        memory.listen(&addr).await.unwrap();
    });
}

#[test]
fn port_is_free_after_a_shutdown() {
    run(async {
        let node = Net::Tcp.node().await;
        let addr = node.listening()[0].clone();
        node.shutdown().await;
        let again = start(Node::builder().listen(addr.clone())).await;
        assert_eq!(again.listening(), [addr]);
    });
}

#[test]
fn dropping_the_last_node_ends_it() {
    for net in Net::each() {
        run(async {
            let Pair {
                near,
                far,
                to_far,
                to_near,
            } = net.pair().await;
            let clone = near.clone();
            drop(near);
            to_near.send("the clone lives").await.unwrap();
            assert_eq!(message_text(&clone).await, "the clone lives");
            to_far.send("last words").await.unwrap();
            drop(clone);
            assert_eq!(message_text(&far).await, "last words");
            assert_eq!(disconnected(&far).await.1, DisconnectReason::Shutdown);
            assert_eq!(soon(to_far.closed()).await, DisconnectReason::Shutdown);
        });
    }
}

#[test]
fn connect_that_runs_during_a_shutdown_ends() {
    run(async {
        let memory = MemoryTransport::new();
        // Takes connections and never says a word.
        let mut mute = memory.listen(&addr("memory://mute")).await.unwrap();
        let node = Net::Memory(memory).node().await;
        let connect = {
            let node = node.clone();
            rt::spawn(async move { node.connect(addr("memory://mute")).await })
        };
        let _held = soon(mute.next()).await.unwrap().unwrap();
        let started_at = rt::now();
        node.shutdown().await;
        let connect = soon(connect).await.unwrap();
        assert!(
            matches!(connect, Err(ConnectError::Shutdown)),
            "{connect:?}"
        );
        let elapsed = rt::now() - started_at;
        assert!(elapsed <= Duration::from_secs(1), "{elapsed:?}");
    });
}

#[test]
fn half_open_handshake_does_not_outlive_a_shutdown() {
    run(async {
        let memory = MemoryTransport::new();
        let link = Link::default();
        let node = Node::builder()
            .without_built_in_transports()
            .transport(LinkTransport::new(memory.clone(), link.clone()))
            .listen(addr("memory://node"));
        let node = start(node).await;
        let opts = DialOpts::default();
        let to = addr("memory://node");
        let mut mute = memory.dial(&to, &opts).await.unwrap();
        // The listener takes one after the other: once it has answered the second, it has begun with the first.
        assert!(
            soon(Net::Memory(memory.clone()).node().await.connect(to))
                .await
                .is_ok()
        );
        let started_at = rt::now();
        node.shutdown().await;
        let read = soon(mute.read(&mut [0; 1])).await;
        assert!(!matches!(read, Ok(1..)), "{read:?}");
        drop(node);
        eventually(|| link.holders() == 1).await;
        let elapsed = rt::now() - started_at;
        assert!(elapsed <= Duration::from_secs(2), "{elapsed:?}");
    });
}

#[test]
fn shutdown_that_is_given_up_ends_the_events_all_the_same() {
    for net in Net::each() {
        run(async {
            let pair = net.pair().await;
            let told = {
                let node = pair.near.clone();
                rt::spawn(async move { all_events(&node).await })
            };
            // Dropped after its first poll, most likely before it is done.
            let _ = poll!(pin!(pair.near.shutdown()));
            assert_eq!(soon(told).await.unwrap(), ["disconnected shutdown"]);
            // And whoever asks again has it at once or soon.
            soon(pair.near.shutdown()).await;
        });
    }
}

#[test]
fn session_that_is_held_keeps_no_node_alive() {
    run(async {
        let link = Link::default();
        let pair = linked_pair(&link).await;
        pair.to_near.send("unread").await.unwrap();
        eventually(|| pair.to_far.stats().messages_in == 1).await;
        let Pair { near, to_far, .. } = pair;
        drop(near);
        assert_eq!(soon(to_far.closed()).await, DisconnectReason::Shutdown);
        eventually(|| link.holders() == 1).await;
        assert_eq!(soon(to_far.recv()).await.unwrap().data, "unread");
        assert!(soon(to_far.recv()).await.is_none());
    });
}
