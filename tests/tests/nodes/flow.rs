//! Flow control: who does not read slows down whoever sends to it, and nobody else.

use crust::{DisconnectReason, Event, Limits, SendError, Timeouts, rt};
use crust_tests::{
    Net, connected, contact, eventually, message_text, next_message, run, soon, start,
};

#[test]
fn sender_stops_at_the_window_and_goes_on_when_it_is_read() {
    for net in Net::each() {
        run(async {
            let pair = net.pair().await;
            let sender = {
                let session = pair.to_far.clone();
                rt::spawn(async move {
                    for number in 0..COUNT {
                        session.send(body(number)).await.unwrap();
                    }
                })
            };
            let fit = (WINDOW / (LEN + OVERHEAD)) as u64;
            eventually(|| pair.to_near.stats().messages_in == fit).await;
            // The queue on the near side fills up behind it.
            let full = || pair.to_far.try_send(vec![0; LEN]) == Err(SendError::Full);
            eventually(full).await;
            assert_eq!(pair.to_near.stats().messages_in, fit);
            assert_eq!(pair.to_far.stats().messages_out, fit);
            let mut sent = 0;
            while sent < COUNT {
                let (_, message) = next_message(&pair.far).await;
                // `full` may have put some in between.
                if message.data.iter().any(|byte| *byte != 0) {
                    assert!(message.data == body(sent), "message {sent}");
                    sent += 1;
                }
                let waiting = pair.to_near.stats().bytes_in;
                assert!(waiting <= 70 * WINDOW as u64);
            }
            soon(sender).await.unwrap();
        });
    }
}

const COUNT: usize = 400;
const LEN: usize = 64 * 1024;
/// Two of the longest messages, which is a little more than 8 MiB.
const WINDOW: usize = 2 * ((4 << 20) + OVERHEAD);
const OVERHEAD: usize = 64;

fn body(number: usize) -> Vec<u8> {
    vec![u8::try_from(number % 255).unwrap() + 1; LEN]
}

#[test]
fn masses_of_empty_messages_are_bounded_too() {
    run(async {
        let pair = Net::memory().pair().await;
        let fit = (WINDOW / OVERHEAD) as u64;
        let sender = {
            let session = pair.to_far.clone();
            rt::spawn(async move {
                for _ in 0..2 * fit {
                    session.send("").await.unwrap();
                }
                session.close("").await;
            })
        };
        eventually(|| pair.to_near.stats().messages_in == fit).await;
        // A sender that waits is let go on when half of the queue is free, so this may fill the rest.
        while pair.to_far.try_send("") != Err(SendError::Full) {}
        assert_eq!(pair.to_near.stats().messages_in, fit);
        let mut read = 0;
        while soon(pair.to_near.recv()).await.is_some() {
            read += 1;
        }
        assert!(read >= 2 * fit, "{read}");
        soon(sender).await.unwrap();
    });
}

#[test]
fn peer_that_does_not_read_slows_no_other() {
    for net in Net::each() {
        run(async {
            let (node, lazy, eager) = (net.node().await, net.node().await, net.node().await);
            let to_lazy = node.connect(contact(&lazy)).await.unwrap();
            let to_eager = node.connect(contact(&eager)).await.unwrap();
            eventually(|| to_lazy.try_send(vec![0; LEN]) == Err(SendError::Full)).await;
            connected(&eager).await;
            for number in 0..2_000 {
                to_eager.send(format!("{number}")).await.unwrap();
                if number % 100 == 99 {
                    for earlier in number - 99..=number {
                        assert_eq!(message_text(&eager).await, format!("{earlier}"));
                    }
                }
            }
            eventually(|| to_lazy.try_send(vec![0; LEN]) == Err(SendError::Full)).await;
        });
    }
}

#[test]
fn flood_from_one_peer_holds_up_no_other() {
    for net in Net::each() {
        run(async {
            let (node, flooding, calm) = (net.node().await, net.node().await, net.node().await);
            let flood = flooding.connect(contact(&node)).await.unwrap();
            let session = calm.connect(contact(&node)).await.unwrap();
            let flood = rt::spawn(async move {
                loop {
                    flood.send(vec![0; LEN]).await.unwrap();
                }
            });
            let from_calm = node.session(&calm.id());
            let from_calm = match from_calm {
                Some(session) => session,
                None => {
                    eventually(|| node.session(&calm.id()).is_some()).await;
                    node.session(&calm.id()).unwrap()
                }
            };
            for number in 0..500 {
                session.send(format!("{number}")).await.unwrap();
                let message = soon(from_calm.recv()).await.unwrap();
                assert_eq!(message.data, format!("{number}"));
            }
            drop(flood);
        });
    }
}

#[test]
fn window_of_the_limits_holds() {
    run(async {
        let mut limits = Limits::default();
        limits.max_message = 1_000;
        limits.receive_window = 100 * (100 + OVERHEAD);
        limits.send_queue = 10 * (100 + OVERHEAD);
        let pair = Net::memory().pair_with(limits, Timeouts::default()).await;
        // 100 in the window, 10 in the queue.
        let mut sent = 0;
        eventually(|| {
            pair.to_far.try_send(vec![0; 100]).is_err() && pair.to_near.stats().messages_in == 100
        })
        .await;
        while pair.to_far.try_send(vec![0; 100]).is_ok() {
            sent += 1;
        }
        assert!(sent <= 10, "{sent}");
        assert_eq!(pair.to_near.stats().messages_in, 100);
        assert_eq!(pair.to_near.stats().bytes_in, 10_000);
    });
}

#[test]
fn unread_messages_of_all_peers_are_bounded_together() {
    for net in Net::each() {
        run(async {
            let mut limits = Limits::default();
            limits.max_message = 10_000;
            limits.receive_window = 400_000;
            limits.receive_total = 1_000_000;
            let node = start(net.builder().limits(limits)).await;
            let mut peers = Vec::new();
            // The last one sends the most, and makes it too much.
            for messages in [20_u64, 25, 25, 35] {
                let peer = net.node().await;
                let session = peer.connect(contact(&node)).await.unwrap();
                for _ in 0..messages {
                    match session.send(vec![1; 10_000]).await {
                        Ok(()) => {}
                        // The node can end the greedy session before its last message is queued.
                        Err(SendError::Ended(DisconnectReason::Limit)) if messages == 35 => break,
                        Err(error) => panic!("{error}"),
                    }
                }
                let arrived = || node.session(&peer.id()).map(|s| s.stats().messages_in);
                eventually(|| arrived().is_none_or(|arrived| arrived == messages)).await;
                peers.push((peer, session, messages));
            }
            let (greedy, session, _) = peers.pop().unwrap();
            assert_eq!(soon(session.closed()).await, DisconnectReason::Limit);
            let mut left = peers.iter().map(|(_, _, messages)| messages).sum::<u64>();
            let mut ended = None;
            while left > 0 || ended.is_none() {
                match soon(node.next_event()).await.unwrap() {
                    Event::Message { session, .. } => {
                        assert_ne!(session.peer(), greedy.id());
                        left -= 1;
                    }
                    Event::Disconnected { peer, reason } => ended = Some((peer, reason)),
                    _ => {}
                }
            }
            assert_eq!(ended, Some((greedy.id(), DisconnectReason::Limit)));
            assert_eq!(node.sessions().len(), 3);
        });
    }
}
