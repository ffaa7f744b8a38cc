//! What the controllers make of a bottleneck, alone and beside each other.

use std::time::Duration;

use crate::congestion::{
    CongestionKind,
    controller::Congestion,
    cubic::Cubic,
    sim::{Link, Sim, jain},
};

const MSS: u64 = 1_400;
const START: Duration = Duration::ZERO;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// 50 ms of round trip and one bandwidth-delay product of queue.
fn link(megabits: u64) -> Link {
    Link {
        bits_per_second: megabits * 1_000_000,
        rtt: Duration::from_millis(50),
        queue: Duration::from_millis(50),
        loss: 0.0,
        seed: 1,
    }
}

fn cubic() -> Box<dyn Congestion> {
    CongestionKind::Cubic.new_controller(MSS)
}

fn standard() -> Box<dyn Congestion> {
    Box::new(Cubic::standard(MSS))
}

fn ledbat() -> Box<dyn Congestion> {
    let target = CongestionKind::LEDBAT_TARGET;
    CongestionKind::Ledbat { target }.new_controller(MSS)
}

/// The rates of two flows from `after` seconds on, for 30 seconds.
fn beside(
    link: Link,
    first: Box<dyn Congestion>,
    second: (u64, Box<dyn Congestion>),
    after: u64,
) -> [f64; 2] {
    let (late, second) = second;
    let mut sim = Sim::new(link);
    sim.flow(START, MSS, first);
    sim.flow(seconds(late), MSS, second);
    sim.run(seconds(after));
    let rates = sim.run(seconds(30));
    [rates[0], rates[1]]
}

fn queue(ms: u64, link: Link) -> Link {
    let queue = Duration::from_millis(ms);
    Link { queue, ..link }
}

#[test]
fn cubic_fills_a_link() {
    let mut sim = Sim::new(link(100));
    sim.flow(START, MSS, cubic());
    assert!(sim.run(seconds(10))[0] >= 95e6);
}

#[test]
fn cubic_fills_a_gigabit_at_100_ms_within_three_seconds() {
    let rtt = Duration::from_millis(100);
    let mut sim = Sim::new(queue(100, Link { rtt, ..link(1_000) }));
    sim.flow(START, 9_000, cubic());
    sim.run(seconds(2));
    assert!(sim.run(seconds(1))[0] >= 900e6);
}

#[test]
fn cubic_bears_one_percent_of_foreign_loss() {
    let mut sim = Sim::new(Link {
        loss: 0.01,
        ..link(100)
    });
    sim.flow(START, MSS, cubic());
    sim.run(seconds(10));
    assert!(sim.run(seconds(10))[0] >= 85e6);
}

#[test]
fn cubic_bears_five_percent_of_foreign_loss() {
    let mut sim = Sim::new(Link {
        loss: 0.05,
        ..link(100)
    });
    sim.flow(START, MSS, cubic());
    assert!(sim.run(seconds(10))[0] >= 50e6);
}

#[test]
fn standard_cubic_bears_none() {
    let mut sim = Sim::new(Link {
        loss: 0.01,
        ..link(100)
    });
    sim.flow(START, MSS, standard());
    assert!(sim.run(seconds(10))[0] <= 10e6);
}

#[test]
fn cubic_shares_with_the_standard_where_queues_overflow() {
    // From a tenth of the bandwidth-delay product to two.
    for queue_ms in [5, 25, 50, 100] {
        let rates = beside(queue(queue_ms, link(10)), cubic(), (0, standard()), 20);
        assert!(jain(&rates) >= 0.9, "{queue_ms} ms: {rates:?}");
        let rates = beside(queue(queue_ms, link(10)), standard(), (2, cubic()), 20);
        assert!(jain(&rates) >= 0.9, "{queue_ms} ms, late: {rates:?}");
    }
}

#[test]
fn cubic_takes_no_more_than_its_share_of_a_crowd() {
    let mut sim = Sim::new(queue(5, link(20)));
    sim.flow(START, MSS, cubic());
    for n in 1..8 {
        sim.flow(Duration::from_millis(n * 333), MSS, standard());
    }
    sim.run(seconds(10));
    let rates = sim.run(seconds(30));
    assert!(jain(&rates) >= 0.9, "{rates:?}");
}

#[test]
fn ledbat_takes_an_idle_link_and_keeps_its_queue_at_the_target() {
    let mut sim = Sim::new(queue(200, link(20)));
    sim.flow(START, MSS, ledbat());
    sim.run(seconds(10));
    assert!(sim.run(seconds(30))[0] >= 18e6);
    assert!(sim.queue().mean() <= CongestionKind::LEDBAT_TARGET);
    assert!(sim.queue().longest <= CongestionKind::LEDBAT_TARGET * 11 / 10);
}

#[test]
fn two_ledbat_flows_share() {
    for queue_ms in [25, 50, 200] {
        let rates = beside(queue(queue_ms, link(10)), ledbat(), (0, ledbat()), 20);
        assert!(jain(&rates) >= 0.9, "{queue_ms} ms: {rates:?}");
    }
}

#[test]
fn a_late_ledbat_flow_shares_in_the_end() {
    for queue_ms in [25, 50, 100, 200] {
        let rates = beside(queue(queue_ms, link(10)), ledbat(), (10, ledbat()), 40);
        assert!(jain(&rates) >= 0.9, "{queue_ms} ms: {rates:?}");
    }
}

#[test]
fn ledbat_leaves_the_link_to_cubic() {
    for queue_ms in [25, 50, 200] {
        let [_, rate] = beside(queue(queue_ms, link(10)), ledbat(), (10, cubic()), 20);
        assert!(rate >= 8.5e6, "{queue_ms} ms: {rate}");
        let [rate, _] = beside(queue(queue_ms, link(10)), cubic(), (10, ledbat()), 20);
        assert!(rate >= 8.5e6, "{queue_ms} ms, late: {rate}");
    }
}

#[test]
fn no_order_of_events_leads_below_two_segments() {
    for (seed, make) in [
        (1, cubic as fn() -> Box<dyn Congestion>),
        (2, standard),
        (3, ledbat),
    ] {
        // A path that is worse than any: a queue of two packets, a third of everything lost.
        let rtt = Duration::from_micros(200);
        let mut sim = Sim::new(Link {
            rtt,
            loss: 0.3,
            seed,
            ..queue(1, link(10))
        });
        let flow = sim.flow(START, MSS, make());
        for _ in 0..1_000 {
            sim.run(Duration::from_millis(20));
            assert!(sim.cwnd(flow) >= 2 * MSS);
        }
    }
}
