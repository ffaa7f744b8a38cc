//! How many may come at once.

use std::time::Duration;

use crust::{ConnectError, Identity, Limits, Timeouts, core::Connection, rt};
use crust_crypto::Handshake;
use crust_tests::{Net, builder_from, contact, dial_from, eventually, run, soon, start};
use futures::{AsyncReadExt, AsyncWriteExt};

use crate::scene::{ATTACKER, Scene, assert_ends_without_a_byte, keys};

/// Connections with half a handshake: the node has answered each, so it has let each in.
async fn half_open(scene: &Scene, count: usize) -> Vec<Connection> {
    let mut held = Vec::new();
    while held.len() < count {
        let mut connection = scene.dial().await;
        let mut handshake = Handshake::dialer(&keys(&Identity::generate()), None);
        let first = handshake.poll_output().unwrap();
        let _ = connection.write_all(&first).await;
        // One may be refused while the honest peer's handshake gives back its place.
        if matches!(soon(connection.read(&mut [0; 1])).await, Ok(1)) {
            held.push(connection);
        }
    }
    held
}

#[test]
fn half_open_handshakes_of_one_address_are_bounded() {
    run(async {
        let mut limits = Limits::default();
        limits.handshakes_per_address = 4;
        let mut scene = Scene::with(limits, Timeouts::default()).await;
        let held = half_open(&scene, 4).await;
        let mut fifth = scene.dial().await;
        assert_ends_without_a_byte(&mut fifth).await;
        assert_eq!(scene.told().await, "abuse flood");
        assert!(scene.node.stats().refused >= 1);

        let elsewhere = start(builder_from("127.0.0.3")).await;
        soon(elsewhere.connect(contact(&scene.node))).await.unwrap();
        drop(held);
        eventually(|| scene.node.stats().handshakes_failed == 4).await;
        let here = start(builder_from(ATTACKER)).await;
        soon(here.connect(contact(&scene.node))).await.unwrap();
        scene.end().await;
    });
}

#[test]
fn half_open_handshakes_of_one_prefix_are_bounded() {
    run(async {
        let mut limits = Limits::default();
        limits.handshakes_per_prefix = 4;
        let scene = Scene::with(limits, Timeouts::default()).await;
        let _held = half_open(&scene, 4).await;
        let mut neighbour = dial_from("127.0.0.77", scene.addr()).await;
        assert_ends_without_a_byte(&mut neighbour).await;
        let elsewhere = start(builder_from("127.0.1.1")).await;
        soon(elsewhere.connect(contact(&scene.node))).await.unwrap();
        scene.end().await;
    });
}

#[test]
fn half_open_handshakes_are_bounded_in_total() {
    run(async {
        let mut limits = Limits::default();
        limits.handshakes = 4;
        let scene = Scene::with(limits, Timeouts::default()).await;
        let held = half_open(&scene, 4).await;
        let mut fifth = dial_from("127.0.7.7", scene.addr()).await;
        assert_ends_without_a_byte(&mut fifth).await;
        drop(held);
        eventually(|| scene.node.stats().handshakes_failed == 4).await;
        let elsewhere = start(builder_from("127.0.7.7")).await;
        soon(elsewhere.connect(contact(&scene.node))).await.unwrap();
        scene.end().await;
    });
}

#[test]
fn sessions_are_bounded_in_total_and_by_address() {
    for by_address in [false, true] {
        run(async {
            let mut limits = Limits::default();
            if by_address {
                limits.sessions_per_address = 2;
            } else {
                limits.sessions = 2;
            }
            let node = start(Net::Tcp.builder().limits(limits)).await;
            let peers = [
                Net::Tcp.node().await,
                Net::Tcp.node().await,
                Net::Tcp.node().await,
            ];
            let first = soon(peers[0].connect(contact(&node))).await.unwrap();
            soon(peers[1].connect(contact(&node))).await.unwrap();
            let third = soon(peers[2].connect(contact(&node))).await;
            assert!(
                matches!(third, Err(ConnectError::Failed { .. })),
                "{third:?}"
            );
            eventually(|| node.stats().sessions == 2).await;
            assert!(node.stats().refused >= 1);
            soon(first.close("")).await;
            eventually(|| node.stats().sessions == 1).await;
            // The place is given back a moment after the end is told.
            let limit = Duration::from_secs(10);
            let connected = async { while peers[2].connect(contact(&node)).await.is_err() {} };
            rt::timeout(limit, connected).await.unwrap();
        });
    }
}
