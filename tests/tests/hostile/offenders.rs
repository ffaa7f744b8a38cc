//! Those who keep at it.

use crust::Event;
use crust_crypto::Handshake;
use crust_tests::{builder_from, contact, dial_from, eventually, identity_above, run, soon, start};
use futures::AsyncWriteExt;

use crate::scene::{ATTACKER, Scene, assert_ends_without_a_byte, keys};

#[test]
fn repeat_offender_is_refused_before_any_cryptography_and_others_are_not() {
    run(async {
        let scene = Scene::new().await;
        for offence in 1..=25 {
            let mut junk = scene.dial().await;
            let _ = junk.write_all(&[0x55; 1_000]).await;
            assert_ends_without_a_byte(&mut junk).await;
            let failed = || scene.node.stats().handshakes_failed;
            eventually(|| failed() == offence || scene.node.stats().refused > 0).await;
        }
        eventually(|| scene.node.stats().handshakes_failed >= 20).await;
        let refused = scene.node.stats().refused;

        let mut honest_bytes = dial_from(ATTACKER, scene.addr()).await;
        let mut handshake = Handshake::dialer(&keys(&identity_above(&scene.node)), None);
        let _ = honest_bytes
            .write_all(&handshake.poll_output().unwrap())
            .await;
        assert_ends_without_a_byte(&mut honest_bytes).await;
        eventually(|| scene.node.stats().refused > refused).await;

        let other = start(builder_from("127.0.0.3")).await;
        soon(other.connect(contact(&scene.node))).await.unwrap();
        scene.end().await;
    });
}

#[test]
fn application_hears_of_a_flood_of_offences_once() {
    run(async {
        let mut scene = Scene::new().await;
        for offence in 1..=10 {
            let mut junk = scene.dial().await;
            let _ = junk.write_all(&[0x55; 1_000]).await;
            assert_ends_without_a_byte(&mut junk).await;
            eventually(|| scene.node.stats().handshakes_failed == offence).await;
        }
        let first = scene.event().await;
        assert!(matches!(first, Event::Abuse { count: 1, .. }), "{first:?}");
        let other = start(builder_from("127.0.0.3")).await;
        soon(other.connect(contact(&scene.node))).await.unwrap();
        assert_eq!(scene.told().await, "connected");
        scene.end().await;
    });
}

#[test]
fn offences_after_a_session_count_too() {
    run(async {
        let scene = Scene::new().await;
        for offence in 1..=20 {
            let mut attacker = scene.attacker().await;
            soon(attacker.greet(&crust_tests::Hello::default())).await;
            attacker.send(&[0x3f]).await.unwrap();
            soon(attacker.close_frame()).await.unwrap();
            eventually(|| scene.node.stats().protocol_errors == offence).await;
        }
        // What was forgotten since the first one, a few more make up for.
        for _ in 0..5 {
            let mut junk = scene.dial().await;
            let _ = junk.write_all(&[0x55; 1_000]).await;
            assert_ends_without_a_byte(&mut junk).await;
        }
        eventually(|| scene.node.stats().refused > 0).await;
        scene.end().await;
    });
}
