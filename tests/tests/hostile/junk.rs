//! Connections that never become sessions.

use std::time::Duration;

use crust::{
    Addr, Event, Limits, Timeouts,
    core::{Connection, Role},
    rt,
};
use crust_crypto::Handshake;
use crust_tests::{
    Finds, Frame, Hello, Hostile, Net, contact, dial_from, eventually, find, identity_above,
    message, run, soon, start, tell,
};
use futures::{AsyncReadExt, AsyncWriteExt};

use crate::scene::{Scene, assert_ends_without_a_byte, keys};

const HANDSHAKE: Duration = Duration::from_millis(400);

async fn scene() -> Scene {
    let mut timeouts = Timeouts::default();
    timeouts.handshake = HANDSHAKE;
    Scene::with(Limits::default(), timeouts).await
}

/// It was counted, the application was told once, and nobody else noticed.
async fn assert_counted(mut scene: Scene) {
    let event = scene.event().await;
    assert_eq!(tell(&event), "abuse handshake");
    let Event::Abuse {
        source,
        count,
        refused,
        ..
    } = event
    else {
        unreachable!("told above");
    };
    assert_eq!(
        (source.to_string().as_str(), count, refused),
        ("127.0.0.1", 1, false)
    );
    assert_eq!(scene.node.stats().handshakes_failed, 1);
    assert_eq!(scene.node.sessions().len(), 1);
    scene.end().await;
}

#[test]
fn random_bytes_get_no_answer() {
    run(async {
        let scene = scene().await;
        let mut junk = scene.dial().await;
        let bytes: Vec<u8> = (0..2_000_u32)
            .map(|i| (i.wrapping_mul(2_654_435_769)).to_be_bytes()[0])
            .collect();
        let _ = junk.write_all(&bytes).await;
        assert_ends_without_a_byte(&mut junk).await;
        assert_counted(scene).await;
    });
}

#[test]
fn silence_is_cut_at_the_time_out() {
    run(async {
        let scene = scene().await;
        let started_at = rt::now();
        let mut mute = scene.dial().await;
        assert_ends_without_a_byte(&mut mute).await;
        assert!(rt::now() - started_at >= HANDSHAKE);
        assert_counted(scene).await;
    });
}

#[test]
fn half_a_handshake_is_cut_at_the_time_out() {
    run(async {
        let scene = scene().await;
        let mut half = scene.dial().await;
        let mut handshake = Handshake::dialer(&keys(&identity_above(&scene.node)), None);
        half.write_all(&handshake.poll_output().unwrap())
            .await
            .unwrap();
        let mut answer = Vec::new();
        let _ = soon(half.read_to_end(&mut answer)).await;
        assert!(!answer.is_empty());
        assert_counted(scene).await;
    });
}

#[test]
fn one_byte_at_a_time_is_no_way_round_the_time_out() {
    run(async {
        let scene = scene().await;
        let started_at = rt::now();
        let mut drip = scene.dial().await;
        let mut handshake = Handshake::dialer(&keys(&identity_above(&scene.node)), None);
        let first = handshake.poll_output().unwrap();
        for byte in first.chunks(1).cycle() {
            if drip.write_all(byte).await.is_err() || rt::now() - started_at > 10 * HANDSHAKE {
                break;
            }
            rt::sleep(HANDSHAKE / 20).await;
        }
        let elapsed = rt::now() - started_at;
        assert!(elapsed < 10 * HANDSHAKE, "{elapsed:?}");
        eventually(|| scene.node.stats().handshakes_failed == 1).await;
        assert_counted(scene).await;
    });
}

#[test]
fn handshake_one_byte_at_a_time_is_a_handshake() {
    run(async {
        let scene = Scene::new().await;
        let mut drip = scene.dial().await;
        let mut handshake = Handshake::dialer(&keys(&identity_above(&scene.node)), None);
        let mut answer = [0; 1];
        let keyed = loop {
            while let Some(output) = handshake.poll_output() {
                for byte in output.chunks(1) {
                    drip.write_all(byte).await.unwrap();
                    drip.flush().await.unwrap();
                }
            }
            if let Some(keyed) = handshake.poll_keyed() {
                break keyed;
            }
            soon(drip.read_exact(&mut answer)).await.unwrap();
            handshake.handle_input(&answer).unwrap();
        };
        assert_eq!(keyed.peer, scene.node.id());
        scene.end().await;
    });
}

/// What a peer says in place of an honest hello.
async fn greeting_ends_the_connection(greeting: Vec<u8>) {
    let scene = scene().await;
    let mut attacker: Hostile = scene.attacker().await;
    attacker.send(&greeting).await.unwrap();
    // The node's own hello, and then the end.
    while !soon(attacker.frames()).await.is_empty() {}
    assert_counted(scene).await;
}

fn addrs(count: usize) -> Vec<Addr> {
    vec!["t://a".parse().unwrap(); count]
}

#[test]
fn hello_with_too_many_addresses_ends_the_connection() {
    for count in [17, 2_000] {
        let addrs = addrs(count);
        run(greeting_ends_the_connection(
            Hello {
                addrs,
                ..Hello::default()
            }
            .frame(),
        ));
    }
}

#[test]
fn hello_of_another_version_ends_the_connection() {
    for version in [0, 2, u16::MAX] {
        run(greeting_ends_the_connection(
            Hello {
                version,
                ..Hello::default()
            }
            .frame(),
        ));
    }
}

#[test]
fn hello_that_claims_more_than_it_has_ends_the_connection() {
    let frame = Hello {
        addrs: addrs(10_000),
        ..Hello::default()
    }
    .frame();
    // Without the length of the body, which would not fit the record.
    let body = frame[5..4_000].to_vec();
    run(greeting_ends_the_connection(Frame::Hello(body).bytes()));
}

#[test]
fn anything_else_in_place_of_a_hello_ends_the_connection() {
    for greeting in [
        message(b"hello"),
        Frame::Confirm.bytes(),
        Frame::Ping(1).bytes(),
        vec![0x99, 0],
        vec![0x3f],
        Frame::Hello(Vec::new()).bytes(),
    ] {
        run(greeting_ends_the_connection(greeting));
    }
}

#[test]
fn silence_in_place_of_a_hello_is_cut_at_the_time_out() {
    run(async {
        let scene = scene().await;
        let mut attacker = scene.attacker().await;
        while !soon(attacker.frames()).await.is_empty() {}
        assert_counted(scene).await;
    });
}

#[test]
fn broken_record_in_place_of_a_hello_ends_the_connection() {
    run(async {
        let scene = scene().await;
        let mut attacker = scene.attacker().await;
        attacker.send_raw(&[0x55; 500]).await.unwrap();
        while !soon(attacker.frames()).await.is_empty() {}
        assert_counted(scene).await;
    });
}

#[test]
fn connection_given_up_halfway_is_no_offence() {
    run(async {
        let mut scene = scene().await;
        let given_up: Connection = scene.dial().await;
        drop(given_up);
        eventually(|| scene.node.stats().handshakes_failed == 1).await;
        let mut attacker = scene.attacker_with_session().await;
        attacker.send(&message(b"hello")).await.unwrap();
        assert_eq!(scene.told().await, "message hello");
        scene.end().await;
    });
}

#[test]
fn replayed_first_message_gets_no_answer() {
    run(async {
        let scene = scene().await;
        let mut handshake = Handshake::dialer(&keys(&identity_above(&scene.node)), None);
        let first = handshake.poll_output().unwrap();
        let mut original = scene.dial().await;
        original.write_all(&first).await.unwrap();
        soon(original.read_exact(&mut [0; 1])).await.unwrap();
        let mut replay = scene.dial().await;
        replay.write_all(&first).await.unwrap();
        assert_ends_without_a_byte(&mut replay).await;
        assert_counted(scene).await;
    });
}

#[test]
fn handshakes_that_come_to_nothing_take_no_room_of_sessions() {
    run(async {
        let far = Net::Tcp.node().await;
        let finds = Finds::default();
        let node = start(Net::Tcp.builder().discovery(finds.clone()).keep(1..=2)).await;
        let mut silent = Vec::new();
        for _ in 0..4 {
            let connection = dial_from("127.0.0.1", &node.listening()[0]).await;
            let keys = keys(&identity_above(&node));
            let hostile = Hostile::new(connection, Role::Dialer, &keys).await;
            silent.push(hostile.unwrap());
        }
        let honest = Net::Tcp.node().await;
        soon(honest.connect(contact(&node))).await.unwrap();
        finds.set([find(&far)]);
        soon(node.bootstrap()).await.unwrap();
        drop(silent);
    });
}
