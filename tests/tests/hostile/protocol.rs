//! Peers that prove a key and then break the protocol.

use crust::{
    DisconnectReason, Event, Limits, Timeouts,
    core::{DialOpts, MemoryTransport, Role, Transport},
};
use crust_tests::{
    Frame, Hello, Hostile, Net, chunk, eventually, identity_above, message, run, soon, tell,
};

use crate::scene::{Scene, keys};

/// An attack by one record: the session ends with this detail, and everybody concerned hears of it.
fn record_ends_the_session(record: impl Into<Vec<u8>>, detail: &str) {
    let record = record.into();
    run(async {
        let mut scene = Scene::new().await;
        let mut attacker = scene.attacker_with_session().await;
        attacker.send(&record).await.unwrap();
        assert_ended(scene, attacker, detail).await;
    });
}

/// The attacker was told, the application was told twice, the counters moved, and nobody else noticed.
async fn assert_ended(mut scene: Scene, mut attacker: Hostile, detail: &str) {
    let Some(Frame::Close(code, text)) = soon(attacker.close_frame()).await else {
        panic!("no close frame");
    };
    assert_eq!(
        (code, String::from_utf8(text).unwrap().as_str()),
        (4, detail)
    );
    let mut told = Vec::new();
    for _ in 0..2 {
        let event = scene.event().await;
        if let Event::Disconnected { reason, .. } = &event {
            let detail = detail.into();
            assert_eq!(*reason, DisconnectReason::Protocol { detail });
        }
        told.push(tell(&event));
    }
    told.sort();
    assert_eq!(told, ["abuse protocol", "disconnected protocol"]);
    assert_eq!(scene.node.stats().protocol_errors, 1);
    assert_eq!(scene.node.sessions().len(), 1);
    scene.end().await;
}

#[test]
fn message_over_the_limit_ends_the_session() {
    let detail = "a message has at most 4194304 bytes, not 4194305";
    record_ends_the_session(chunk(Some((4 << 20) + 1), false, b"a"), detail);
}

#[test]
fn huge_claim_ends_the_session() {
    let detail = format!(
        "a message has at most 4194304 bytes, not {}",
        (1_u64 << 62) - 1
    );
    record_ends_the_session(chunk(Some((1 << 62) - 1), false, b"a"), &detail);
}

#[test]
fn piece_without_a_beginning_ends_the_session() {
    let detail = "a piece does not follow the one before it";
    record_ends_the_session(chunk(None, true, b"a"), detail);
}

#[test]
fn second_beginning_ends_the_session() {
    let detail = "a piece does not follow the one before it";
    let twice = [chunk(Some(9), false, b"a"), chunk(Some(9), false, b"a")].concat();
    record_ends_the_session(twice, detail);
}

#[test]
fn pieces_beyond_the_length_end_the_session() {
    let detail = "the pieces of a message do not make up its length";
    let long = [chunk(Some(2), false, b"a"), chunk(None, false, b"bc")].concat();
    record_ends_the_session(long, detail);
    let short = [chunk(Some(9), false, b"a"), chunk(None, true, b"b")].concat();
    record_ends_the_session(short, detail);
}

#[test]
fn acknowledgement_of_what_was_never_sent_ends_the_session() {
    let detail = "an acknowledgement is wrong";
    record_ends_the_session(Frame::Ack(1_000_000, 8 << 20).bytes(), detail);
}

#[test]
fn credit_that_goes_back_ends_the_session() {
    record_ends_the_session(Frame::Ack(0, 0).bytes(), "an acknowledgement is wrong");
}

#[test]
fn second_hello_or_confirmation_ends_the_session() {
    record_ends_the_session(Frame::Hello(Vec::new()).bytes(), "a second hello");
    record_ends_the_session(Frame::Confirm.bytes(), "a second hello");
}

#[test]
fn unknown_frame_that_may_not_be_ignored_ends_the_session() {
    record_ends_the_session([0x3f], "frame kind 0x3f is unknown");
    record_ends_the_session([0x00], "frame kind 0x00 is unknown");
    record_ends_the_session([0x20], "frame kind 0x20 is unknown");
}

#[test]
fn cut_off_frame_ends_the_session() {
    record_ends_the_session([0x04, 1, 2], "a frame is cut off");
    record_ends_the_session([0x5b, 0xff], "a frame is cut off");
    record_ends_the_session([0x80], "a frame is cut off");
    record_ends_the_session([0x7f], "a frame is cut off");
}

#[test]
fn broken_record_ends_the_session() {
    run(async {
        let mut scene = Scene::new().await;
        let mut attacker = scene.attacker_with_session().await;
        attacker.send_raw(&[0x55; 1_000]).await.unwrap();
        assert_ended(scene, attacker, "a record is broken").await;
    });
}

#[test]
fn more_than_the_window_ends_the_session() {
    run(async {
        let mut limits = Limits::default();
        limits.max_message = 1_000;
        limits.receive_window = 0;
        let mut scene = Scene::with(limits, Timeouts::default()).await;
        let mut attacker = scene.attacker_with_session().await;
        // The window is two of the longest messages; whoever begins three wants more.
        let begin = |priority| Frame::Message(priority, Some(1_000), false, vec![1]).bytes();
        attacker.send(&[begin(1), begin(2)].concat()).await.unwrap();
        attacker.send(&begin(3)).await.unwrap();
        assert_ended(scene, attacker, "more was sent than the window allows").await;
    });
}

#[test]
fn masses_of_empty_messages_beyond_the_window_end_the_session() {
    run(async {
        let memory = MemoryTransport::new();
        let node = Net::Memory(memory.clone()).node().await;
        let opts = DialOpts::default();
        let connection = memory.dial(&node.listening()[0], &opts).await.unwrap();
        let keys = keys(&identity_above(&node));
        let attacker = Hostile::new(connection, Role::Dialer, &keys).await;
        let mut attacker = attacker.unwrap();
        attacker.greet(&Hello::default()).await;
        eventually(|| node.stats().sessions == 1).await;
        let session = node.sessions().remove(0);
        // 17 of these are 136,000 messages; the window takes 131,074, and nobody reads any.
        let record = message(b"").repeat(8_000);
        for _ in 0..17 {
            let _ = attacker.send(&record).await;
        }
        let reason = soon(session.closed()).await;
        let detail = "more was sent than the window allows".into();
        assert_eq!(reason, DisconnectReason::Protocol { detail });
        assert_eq!(session.stats().messages_in, 131_074);
    });
}

#[test]
fn what_came_before_an_error_is_the_applications() {
    run(async {
        let mut scene = Scene::new().await;
        let mut attacker = scene.attacker_with_session().await;
        let record = [message(b"well made"), vec![0x3f], message(b"too late")].concat();
        attacker.send(&record).await.unwrap();
        soon(attacker.close_frame()).await.unwrap();
        // Abuse is told as soon as it is known, whatever else waits.
        let told = [scene.told().await, scene.told().await, scene.told().await];
        let told: Vec<_> = told
            .iter()
            .filter(|event| *event != "abuse protocol")
            .collect();
        assert_eq!(told, ["message well made", "disconnected protocol"]);
        scene.end().await;
    });
}

#[test]
fn unknown_frame_that_may_be_ignored_is() {
    run(async {
        let mut scene = Scene::new().await;
        let mut attacker = scene.attacker_with_session().await;
        let record = [vec![0x99, 2, 7, 7], message(b"hello")].concat();
        attacker.send(&record).await.unwrap();
        assert_eq!(scene.told().await, "message hello");
        assert_eq!(scene.node.sessions().len(), 2);
        scene.end().await;
    });
}

#[test]
fn control_message_of_a_channel_that_nobody_opened_is_ignored() {
    run(async {
        let mut scene = Scene::new().await;
        let mut attacker = scene.attacker_with_session().await;
        let record = [vec![0x7f, 2, 7, 7, 0x60, 1, 7], message(b"hello")].concat();
        attacker.send(&record).await.unwrap();
        assert_eq!(scene.told().await, "message hello");
        assert_eq!(scene.node.sessions().len(), 2);
        scene.end().await;
    });
}

#[test]
fn flood_of_pings_is_answered_once_a_read_at_most() {
    run(async {
        let mut scene = Scene::new().await;
        let mut attacker = scene.attacker_with_session().await;
        let pings = Frame::Ping(7).bytes().repeat(1_800);
        for _ in 0..100 {
            attacker.send(&pings).await.unwrap();
        }
        attacker.send(&Frame::Ping(8).bytes()).await.unwrap();
        let mut pongs = 0;
        loop {
            let frames = soon(attacker.frames()).await;
            pongs += frames.len();
            if frames.contains(&Frame::Pong(8)) {
                break;
            }
        }
        assert!(pongs <= 101, "{pongs} answers to 101 records");
        scene.end().await;
    });
}

#[test]
fn strange_pong_does_nothing() {
    run(async {
        let mut scene = Scene::new().await;
        let mut attacker = scene.attacker_with_session().await;
        let record = [Frame::Pong(99).bytes(), message(b"hello")].concat();
        attacker.send(&record).await.unwrap();
        assert_eq!(scene.told().await, "message hello");
        scene.end().await;
    });
}

#[test]
fn garbage_after_a_close_changes_nothing() {
    run(async {
        let mut scene = Scene::new().await;
        let mut attacker = scene.attacker_with_session().await;
        let mut record = Frame::Close(0, b"bye".to_vec()).bytes();
        record.extend([0x3f; 100]);
        attacker.send(&record).await.unwrap();
        let _ = attacker.send_raw(&[0x55; 1_000]).await;
        let reason = "bye".into();
        assert_eq!(
            scene.disconnected().await,
            DisconnectReason::ClosedByPeer { reason }
        );
        assert_eq!(scene.node.stats().protocol_errors, 0);
        scene.end().await;
    });
}

#[test]
fn close_with_a_code_and_a_text_of_any_kind_is_a_close() {
    run(async {
        let mut scene = Scene::new().await;
        for code in (0..=20).chain([255]) {
            let mut attacker = scene.attacker_with_session().await;
            let text = vec![0xff; 5_000];
            attacker
                .send(&Frame::Close(code, text).bytes())
                .await
                .unwrap();
            match scene.disconnected().await {
                DisconnectReason::ClosedByPeer { reason } => assert!(reason.len() <= 800),
                DisconnectReason::Shutdown
                | DisconnectReason::Replaced
                | DisconnectReason::Limit => {}
                other => panic!("{other:?} of code {code}"),
            }
        }
        assert_eq!(scene.node.stats().protocol_errors, 0);
        scene.end().await;
    });
}

#[test]
fn connection_cut_inside_a_record_is_lost() {
    run(async {
        let mut scene = Scene::new().await;
        let attacker = scene.attacker_with_session().await;
        drop(attacker);
        let reason = scene.disconnected().await;
        assert!(
            matches!(reason, DisconnectReason::Lost { .. }),
            "{reason:?}"
        );
        scene.end().await;
    });
}

#[test]
fn peer_that_says_we_broke_the_protocol_has_not_broken_it() {
    run(async {
        let mut scene = Scene::new().await;
        let mut attacker = scene.attacker_with_session().await;
        let close = Frame::Close(4, b"so there".to_vec()).bytes();
        attacker.send(&close).await.unwrap();
        assert_eq!(scene.told().await, "disconnected closed_by_peer");
        assert_eq!(soon(attacker.close_frame()).await, None);
        assert_eq!(scene.node.stats().protocol_errors, 0);
        scene.end().await;
    });
}
