//! The order of events, and the reasons of ends.

use crust::{DisconnectReason, Node, rt};
use crust_tests::{
    Net, Pair, all_events, connected, contact, disconnected, events, message_text, run, soon,
};

#[test]
fn messages_sent_before_a_close_all_come_between_connected_and_disconnected() {
    for net in Net::each() {
        run(async {
            let (near, far) = (net.node().await, net.node().await);
            let session = near.connect(contact(&far)).await.unwrap();
            let mut expected = vec!["connected".to_owned()];
            for number in 0..5_000 {
                session.send(format!("{number}")).await.unwrap();
                expected.push(format!("message {number}"));
            }
            session.close("enough").await;
            expected.push("disconnected closed_by_peer".into());
            assert_eq!(events(&far, expected.len()).await, expected);
            far.shutdown().await;
            assert_eq!(all_events(&far).await, [""; 0]);
        });
    }
}

#[test]
fn close_reason_reaches_the_peer_and_its_own_side_knows_that_it_closed() {
    for net in Net::each() {
        run(async {
            let pair = net.pair().await;
            pair.to_near.close("supper is ready").await;
            let reason = "supper is ready".into();
            assert_eq!(
                disconnected(&pair.near).await,
                (pair.far.id(), DisconnectReason::ClosedByPeer { reason })
            );
            assert_eq!(
                disconnected(&pair.far).await,
                (pair.near.id(), DisconnectReason::Closed)
            );
            assert_silent(pair).await;
        });
    }
}

#[test]
fn close_reason_is_cut_at_its_limit_and_never_inside_a_letter() {
    run(async {
        let pair = Net::memory().pair().await;
        pair.to_far.close(&"ä".repeat(200)).await;
        let DisconnectReason::ClosedByPeer { reason } = disconnected(&pair.far).await.1 else {
            panic!("not closed by the peer");
        };
        assert_eq!(reason, "ä".repeat(128));
        pair.to_far.close("twice does nothing").await;
        let pair = Net::memory().pair().await;
        pair.to_far.close(&format!("x{}", "ä".repeat(200))).await;
        let DisconnectReason::ClosedByPeer { reason } = disconnected(&pair.far).await.1 else {
            panic!("not closed by the peer");
        };
        assert_eq!(reason, format!("x{}", "ä".repeat(127)));
    });
}

#[test]
fn disconnect_ends_the_session_and_says_whether_there_was_one() {
    run(async {
        let pair = Net::memory().pair().await;
        assert!(soon(pair.near.disconnect(&pair.far.id())).await);
        assert!(!soon(pair.near.disconnect(&pair.far.id())).await);
        assert_eq!(disconnected(&pair.near).await.1, DisconnectReason::Closed);
        assert_eq!(disconnected(&pair.far).await.0, pair.near.id());
        assert_eq!(pair.near.session(&pair.far.id()), None);
        assert_silent(pair).await;
    });
}

#[test]
fn blocked_peer_is_cut_and_learns_only_that_it_was_closed() {
    for net in Net::each() {
        run(async {
            let pair = net.pair().await;
            pair.near.block(pair.far.id());
            assert_eq!(disconnected(&pair.near).await.1, DisconnectReason::Blocked);
            let reason = String::new();
            assert_eq!(
                disconnected(&pair.far).await.1,
                DisconnectReason::ClosedByPeer { reason }
            );
            assert_silent(pair).await;
        });
    }
}

#[test]
fn shutdown_is_the_reason_on_both_sides() {
    for net in Net::each() {
        run(async {
            let pair = net.pair().await;
            pair.far.shutdown().await;
            assert_eq!(disconnected(&pair.near).await.1, DisconnectReason::Shutdown);
            assert_eq!(disconnected(&pair.far).await.1, DisconnectReason::Shutdown);
            assert_silent(pair).await;
        });
    }
}

/// Nothing more is told once both have been shut down.
async fn assert_silent(pair: Pair) {
    for node in [pair.near, pair.far] {
        node.shutdown().await;
        assert_eq!(all_events(&node).await, [""; 0]);
    }
}

#[test]
fn sends_after_the_end_fail_with_its_reason() {
    run(async {
        let pair = Net::memory().pair().await;
        pair.to_far.close("").await;
        let error = crust::SendError::Ended(DisconnectReason::Closed);
        assert_eq!(pair.to_far.send("late").await, Err(error.clone()));
        assert_eq!(pair.to_far.try_send("late"), Err(error));
    });
}

#[test]
fn dropping_every_handle_of_a_session_does_not_hang_up() {
    for net in Net::each() {
        run(async {
            let Pair {
                near,
                far,
                to_far,
                to_near,
            } = net.pair().await;
            drop(to_far.clone());
            drop((to_far, to_near));
            let again = near.session(&far.id()).unwrap();
            again.send("still there").await.unwrap();
            drop(again);
            assert_eq!(message_text(&far).await, "still there");
        });
    }
}

#[test]
fn recv_gives_what_came_and_then_nothing() {
    for net in Net::each() {
        run(async {
            let pair = net.pair().await;
            let reader = {
                let session = pair.to_near.clone();
                rt::spawn(async move {
                    let mut read = Vec::new();
                    while let Some(message) = session.recv().await {
                        read.push(message.data);
                    }
                    read
                })
            };
            let sent: Vec<_> = (0..1_000).map(|number| format!("{number}")).collect();
            for text in &sent {
                pair.to_far.send(text.clone()).await.unwrap();
            }
            pair.to_far.close("").await;
            assert_eq!(soon(reader).await.unwrap(), sent);
            // The end is told by the node's events too, for which `recv` took the messages only.
            assert_eq!(disconnected(&pair.far).await.0, pair.near.id());
        });
    }
}

#[test]
fn empty_and_longest_messages_arrive_and_a_longer_one_names_the_limit() {
    for net in Net::each() {
        run(async {
            let pair = net.pair().await;
            let limit = pair.to_far.max_message();
            assert_eq!(limit, 4 << 20);
            let longest: Vec<u8> = (0..limit).map(|i| i.to_be_bytes()[6]).collect();
            let error = pair.to_far.send(vec![0; limit + 1]).await;
            assert_eq!(
                error,
                Err(crust::SendError::TooLong {
                    len: limit + 1,
                    limit
                })
            );
            pair.to_far.send("").await.unwrap();
            pair.to_far.send(longest.clone()).await.unwrap();
            assert_eq!(soon(pair.to_near.recv()).await.unwrap().data, "");
            assert!(soon(pair.to_near.recv()).await.unwrap().data == longest);
        });
    }
}

#[test]
fn smaller_limit_of_either_side_holds_for_both() {
    run(async {
        let net = Net::memory();
        let mut limits = crust::Limits::default();
        limits.max_message = 1_000;
        let small: Node = crust_tests::start(net.builder().limits(limits)).await;
        let pair = Pair::new(net.node().await, small).await;
        assert_eq!(pair.to_far.max_message(), 1_000);
        assert_eq!(pair.to_near.max_message(), 1_000);
    });
}

#[test]
fn event_stream_takes_sessions_in_turns() {
    run(async {
        let net = Net::memory();
        let hub = net.node().await;
        let mut sessions = Vec::new();
        for _ in 0..3 {
            let node = net.node().await;
            let session = node.connect(contact(&hub)).await.unwrap();
            connected(&hub).await;
            sessions.push((node, session));
        }
        for (_, session) in &sessions {
            for _ in 0..1_000 {
                session.send("x").await.unwrap();
            }
        }
        let all_came = |session: &crust::Session| session.stats().messages_in == 1_000;
        crust_tests::eventually(|| hub.sessions().iter().all(all_came)).await;
        for (_, session) in &sessions {
            // Counted is not handed on; whoever answers a ping has done that too.
            soon(session.ping()).await.unwrap();
        }
        let mut last = std::collections::HashMap::new();
        let mut left = [1_000; 3];
        for at in 0..3_000_usize {
            let (session, _) = crust_tests::next_message(&hub).await;
            let who = sessions
                .iter()
                .position(|(node, _)| node.id() == session.peer())
                .unwrap();
            left[who] -= 1;
            last.insert(who, at);
            if left.iter().all(|left| *left > 0) && at > 3 * 64 {
                let is_near = |who| last.get(&who).is_some_and(|last| at - last <= 2 * 64);
                assert!((0..3).all(is_near), "after {at} events: {last:?}");
            }
        }
        assert_eq!(left, [0; 3]);
    });
}
