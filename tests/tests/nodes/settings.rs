//! Settings at the ends of their types.

use std::time::Duration;

use crust::{Limits, Timeouts};
use crust_tests::{Net, Pair, run, soon};

fn all_limits(most: usize) -> Limits {
    let mut limits = Limits::default();
    limits.max_message = most;
    limits.receive_window = most;
    limits.send_queue = most;
    limits.sessions = most;
    limits.sessions_per_address = most;
    limits.sessions_per_prefix = most;
    limits.handshakes = most;
    limits.handshakes_per_address = most;
    limits.handshakes_per_prefix = most;
    limits
}

fn all_timeouts(time: Duration) -> Timeouts {
    let mut timeouts = Timeouts::default();
    timeouts.dial = time;
    timeouts.handshake = time;
    timeouts.lost = time;
    timeouts.stagger = time;
    timeouts
}

/// Both ways, back and forth, a ping, and an end.
async fn assert_talk(pair: Pair) {
    for number in 0..100 {
        let len = 100.min(pair.to_far.max_message());
        pair.to_far.send(vec![number; len]).await.unwrap();
        let message = soon(pair.to_near.recv()).await.unwrap();
        assert_eq!(message.data, vec![number; len]);
        pair.to_near.send(message.data).await.unwrap();
        let message = soon(pair.to_far.recv()).await.unwrap();
        assert_eq!(message.data, vec![number; len]);
    }
    soon(pair.to_far.ping()).await.unwrap();
    soon(pair.to_near.ping()).await.unwrap();
    soon(pair.to_far.close("")).await;
    soon(pair.to_near.closed()).await;
    pair.near.shutdown().await;
    pair.far.shutdown().await;
}

#[test]
fn nodes_with_the_largest_limits_and_times_talk() {
    for net in Net::each() {
        run(async {
            let timeouts = all_timeouts(Duration::MAX);
            assert_talk(net.pair_with(all_limits(usize::MAX), timeouts).await).await;
        });
    }
}

#[test]
fn nodes_without_window_and_queue_talk() {
    for net in Net::each() {
        run(async {
            let mut limits = Limits::default();
            limits.receive_window = 0;
            limits.send_queue = 0;
            assert_talk(net.pair_with(limits.clone(), Timeouts::default()).await).await;
            limits.max_message = 0;
            assert_talk(net.pair_with(limits, Timeouts::default()).await).await;
        });
    }
}

#[test]
fn node_with_the_largest_settings_and_one_with_the_defaults_talk() {
    for net in Net::each() {
        run(async {
            let most = net
                .builder()
                .limits(all_limits(usize::MAX))
                .timeouts(all_timeouts(Duration::MAX));
            let most = crust_tests::start(most).await;
            assert_talk(Pair::new(net.node().await, most).await).await;
        });
    }
}
