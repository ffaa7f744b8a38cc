//! Peers that take and answer at a pace of their own.

use std::time::Duration;

use crust::{Node, Priority, SendError, Session, rt};
use crust_tests::{Frame, Hello, Hostile, Net, connected, identity_above, run, soon};
use futures::{
    StreamExt,
    future::{Either, select},
    poll,
    stream::FuturesUnordered,
};

use crate::scene::shake_hands;

/// A node, and a peer with a session that takes messages of this cost.
async fn scene(window: u64) -> (Node, Hostile, Session) {
    let node = Net::Tcp.node().await;
    let mut peer = shake_hands(&node, &identity_above(&node)).await;
    let hello = Hello {
        window,
        ..Hello::default()
    };
    soon(peer.greet(&hello)).await;
    let session = connected(&node).await;
    (node, peer, session)
}

#[test]
fn urgent_sender_wakes_when_its_level_is_empty_though_a_lower_one_is_full() {
    run(async {
        let (_node, mut peer, session) = scene(0).await;
        let low = || session.try_send_with(vec![0; 60_000], Priority::LOWEST);
        while low().is_ok() {}
        session
            .send_with(vec![1; LONG], Priority::HIGHEST)
            .await
            .unwrap();
        // Polls again only what was woken.
        let mut urgent: FuturesUnordered<_> = [session.send_with("urgent", Priority::HIGHEST)]
            .into_iter()
            .collect();
        assert!(poll!(urgent.next()).is_pending());
        // Room for the long one and for nothing else.
        let credit = Frame::Ack(0, LONG as u64 + 64);
        peer.send(&credit.bytes()).await.unwrap();
        let mut taken = 0;
        while taken < LONG {
            for frame in soon(peer.frames()).await {
                if let Frame::Message(7, _, _, data) = frame {
                    taken += data.len();
                }
            }
        }
        soon(urgent.next()).await.unwrap().unwrap();
        assert_eq!(low(), Err(SendError::Full));
    });
}

const LONG: usize = 4 << 20;

#[test]
fn pings_asked_for_faster_than_they_return_all_return() {
    run(async {
        let (_node, mut peer, session) = scene(8 << 20).await;
        let answer = async {
            loop {
                for frame in peer.frames().await {
                    if let Frame::Ping(token) = frame {
                        rt::sleep(DELAY).await;
                        peer.send(&Frame::Pong(token).bytes()).await.unwrap();
                    }
                }
            }
        };
        let ask = async {
            let mut pings = FuturesUnordered::new();
            let mut asked = 0;
            // Goes on until one has returned: they must not have to wait for the last.
            while asked < 100 || pings.len() == asked {
                asked += 1;
                pings.push(session.ping());
                let pace = Box::pin(rt::sleep(Duration::from_millis(5)));
                if let Either::Left((Some(ping), pace)) = select(pings.next(), pace).await {
                    ping.unwrap();
                    pace.await;
                }
            }
            while let Some(ping) = pings.next().await {
                ping.unwrap();
            }
        };
        let answered = soon(select(Box::pin(ask), Box::pin(answer))).await;
        assert!(matches!(answered, Either::Left(_)));
    });
}

const DELAY: Duration = Duration::from_millis(50);
