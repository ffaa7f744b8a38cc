//! Peers that vanish, and peers that have nothing to say.

use std::{io, time::Duration};

use crust::{DisconnectReason, Node, Timeouts, core::MemoryTransport, rt};
use crust_tests::{Link, LinkTransport, Net, Pair, run, soon, start};
use futures::future::join_all;

const LOST: Duration = Duration::from_secs(1);

fn timeouts() -> Timeouts {
    let mut timeouts = Timeouts::default();
    timeouts.lost = LOST;
    timeouts
}

async fn pair(link: &Link) -> Pair {
    let memory = MemoryTransport::new();
    let far = Net::Memory(memory.clone()).builder().timeouts(timeouts());
    let near = Node::builder()
        .without_built_in_transports()
        .transport(LinkTransport::new(memory, link.clone()))
        .timeouts(timeouts())
        .dial_only();
    Pair::new(start(near).await, start(far).await).await
}

#[test]
fn peer_that_vanished_is_lost_in_time_on_both_sides() {
    run(async {
        let link = Link::default();
        // Several: a machine that is busy elsewhere makes any of them late, and hardly all.
        let pairs = join_all((0..4).map(|_| pair(&link))).await;
        link.cut();
        let started_at = rt::now();
        let ends = pairs.iter().flat_map(|pair| [&pair.to_far, &pair.to_near]);
        let ends = ends.map(|session| async {
            let kind = io::ErrorKind::TimedOut;
            assert_eq!(
                soon(session.closed()).await,
                DisconnectReason::Lost { kind }
            );
            rt::now() - started_at
        });
        let times = join_all(ends).await;
        // What was heard last was heard before the cut.
        assert!(
            times.iter().min().unwrap() > &Duration::from_millis(500),
            "{times:?}"
        );
        assert!(
            times.iter().min().unwrap() <= &Duration::from_millis(1_300),
            "{times:?}"
        );
    });
}

#[test]
fn idle_session_over_a_working_link_stays() {
    run(async {
        let link = Link::default();
        let pair = pair(&link).await;
        let lost = futures::future::select(
            Box::pin(pair.to_far.closed()),
            Box::pin(pair.to_near.closed()),
        );
        let lost = rt::timeout(5 * LOST, lost).await;
        assert!(
            lost.is_err(),
            "an end within five times the time to lose a peer"
        );
        pair.to_far.send("still there").await.unwrap();
        assert_eq!(soon(pair.to_near.recv()).await.unwrap().data, "still there");
        assert!(pair.to_far.rtt() < Duration::from_millis(500));
    });
}

#[test]
fn peer_that_sends_and_does_not_read_is_not_lost() {
    run(async {
        let net = Net::memory();
        let limits = crust::Limits::default();
        let pair = net.pair_with(limits, timeouts()).await;
        let session = pair.to_far.clone();
        let sender = rt::spawn(async move {
            loop {
                session.send(vec![0; 64 << 10]).await.unwrap();
            }
        });
        let lost = rt::timeout(3 * LOST, pair.to_near.closed()).await;
        assert!(lost.is_err(), "{lost:?}");
        drop(sender);
    });
}

#[test]
fn peer_that_vanishes_under_load_is_lost_in_time() {
    run(async {
        let link = Link::default();
        let pair = pair(&link).await;
        let sender = {
            let session = pair.to_near.clone();
            rt::spawn(async move { while session.send(vec![0; 64 << 10]).await.is_ok() {} })
        };
        soon(pair.to_far.recv()).await.unwrap();
        link.cut();
        let started_at = rt::now();
        // The near end can write no more: what the transport takes is full.
        let kind = io::ErrorKind::TimedOut;
        assert_eq!(
            soon(pair.to_near.closed()).await,
            DisconnectReason::Lost { kind }
        );
        let elapsed = rt::now() - started_at;
        assert!(elapsed < 2 * LOST, "{elapsed:?}");
        soon(sender).await.unwrap();
    });
}
