//! How much of a link a stream uses.

use std::time::Duration;

use crust_core::simnet::{Link, Loss};

use super::Pair;
use crate::config::Config;

const MS: Duration = Duration::from_millis(1);

/// A link of so many megabits a second and such a round trip, with a queue of one product of the two, and Ethernet's MTU.
fn link(mbit: u64, rtt: Duration, loss: f64) -> Link {
    let bytes_per_s = mbit * 125_000;
    let product = bytes_per_s * u64::try_from(rtt.as_millis()).unwrap() / 1_000;
    Link::default()
        .with_delay(rtt / 2)
        .with_rate(bytes_per_s, usize::try_from(product).unwrap())
        .with_mtu(1_472)
        .with_loss(Loss::Random(loss))
}

/// Megabits a second that were read from `from` to `to` after the start.
fn mbit(pair: &mut Pair, from: Duration, to: Duration) -> f64 {
    pair.ends[0].to_write = u64::MAX / 2;
    let start = pair.now;
    pair.run_until(from, |_| false);
    let before = pair.ends[1].read;
    pair.run_until(to - (pair.now - start), |_| false);
    (pair.ends[1].read - before) as f64 * 8.0 / 1e6 / (to - from).as_secs_f64()
}

#[test]
fn lossy_link_of_a_hundred_megabits_is_not_left_empty() {
    for (loss, least) in [(0.0, 95.0), (0.01, 85.0), (0.05, 50.0)] {
        let mut rates = [0, 1, 2].map(|seed| {
            let mut pair = Pair::dialed(seed, link(100, 50 * MS, loss), Config::default());
            mbit(&mut pair, Duration::ZERO, 10_000 * MS)
        });
        rates.sort_by(f64::total_cmp);
        println!("{rates:.1?} Mbit/s at a loss of {loss}");
        assert!(rates[1] >= least, "{rates:?} Mbit/s at a loss of {loss}");
    }
}

#[test]
fn gigabit_over_a_tenth_of_a_second_is_used_after_three() {
    let mut pair = Pair::dialed(1, link(1_000, 100 * MS, 0.0), Config::default());
    let rate = mbit(&mut pair, 3_000 * MS, 5_000 * MS);
    println!("{rate:.0}");
    assert!(rate >= 900.0, "{rate} Mbit/s");
}
