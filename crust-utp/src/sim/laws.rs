//! What holds whatever the network does.

use std::time::Duration;

use crust_core::simnet::{Link, Loss};

use super::Pair;
use crate::{CongestionKind, config::Config, connection::EndReason};

const MS: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_secs(60);

/// Both ends wrote, read everything, and ended; and nothing is left.
fn transfer(pair: &mut Pair, bytes: [u64; 2], limit: Duration) -> Duration {
    let had: Vec<u64> = pair.ends.iter().map(|end| end.written).collect();
    for (end, bytes) in pair.ends.iter_mut().zip(bytes) {
        end.to_write = bytes;
    }
    let bytes = [had[0] + bytes[0], had[1] + bytes[1]];
    let took = pair.run_until(limit, |pair| {
        let done = |end: &super::End| end.finished && end.ended.is_some();
        pair.ends.iter().all(done)
    });
    let seed = pair.seed;
    let seen: Vec<_> = pair.ends.iter().map(super::End::seen).collect();
    for (index, end) in pair.ends.iter().enumerate() {
        assert_eq!(
            end.read,
            bytes[1 - index],
            "seed {seed}, end {index}: {seen:#?}"
        );
        assert_eq!(end.connected, 1, "seed {seed}, end {index}");
        assert!(
            end.finished,
            "seed {seed}, end {index}: {:?}",
            end.connection
        );
        assert_eq!(
            end.ended,
            Some(EndReason::Closed),
            "seed {seed}, end {index}: {seen:#?}"
        );
    }
    took.unwrap()
}

#[test]
fn bytes_arrive_both_ways_and_both_ends_close() {
    let link = Link::default().with_delay(20 * MS);
    let mut pair = Pair::dialed(1, link, Config::default());
    transfer(&mut pair, [300_000, 200_000], MINUTE);
}

#[test]
fn bytes_arrive_though_packets_are_lost() {
    for (seed, share) in (0..300).zip([0.0, 0.01, 0.05, 0.1, 0.2, 0.3].into_iter().cycle()) {
        let link = Link::default()
            .with_delay(10 * MS)
            .with_loss(Loss::Random(share));
        let mut pair = Pair::dialed(seed, link, patient());
        transfer(&mut pair, [100_000, 30_000], 10 * MINUTE);
    }
}

/// Dials for long: it is not the dial that is looked at.
fn patient() -> Config {
    Config {
        syn_tries: 40,
        ..Config::default()
    }
}

#[test]
fn one_that_was_dialed_may_speak_first_whatever_is_lost() {
    for seed in 0..200 {
        let link = Link::default()
            .with_delay(10 * MS)
            .with_loss(Loss::Random(0.3));
        let mut pair = Pair::dialed(seed, link, patient());
        transfer(&mut pair, [0, 1_000], 10 * MINUTE);
    }
}

#[test]
fn bytes_arrive_whatever_the_network_does() {
    for seed in 0..1_000_u64 {
        let pick = |count: u64, shift: u32| usize::try_from((seed >> shift) % count).unwrap();
        let delay = MS.mul_f64([0.05, 1.0, 20.0, 250.0, 500.0][pick(5, 0)]);
        let link = Link::default()
            .with_delay(delay)
            .with_jitter(delay / 4)
            .with_loss(Loss::Random([0.0, 0.02, 0.1, 0.2][pick(4, 1)]))
            .with_duplicate([0.0, 0.1][pick(2, 3)])
            .with_reorder([0.0, 0.05, 0.3][pick(3, 2)], delay)
            .with_rate([100_000, 1_000_000, 100_000_000][pick(3, 4)], 64 * 1024)
            .with_mtu([1_200, 1_472, 9_000][pick(3, 5)]);
        let mut pair = Pair::dialed(seed, link, patient());
        let bytes = [(seed * 997) % 200_000, (seed * 499) % 100_000];
        transfer(&mut pair, bytes, 20 * MINUTE);
    }
}

#[test]
fn bytes_arrive_over_paths_that_differ_lose_in_bursts_and_corrupt() {
    for seed in 0..300_u64 {
        let pick = |count: u64, shift: u32| usize::try_from((seed >> shift) % count).unwrap();
        let link = |delay: Duration, rate: u64| {
            Link::default()
                .with_delay(delay)
                .with_loss(Loss::bursts([0.0, 0.02, 0.1][pick(3, 0)], 3.0))
                .with_corrupt([0.0, 0.01, 0.1][pick(3, 1)])
                // Some 64 packets are sent in that time.
                .with_reorder([0.0, 0.1][pick(2, 2)], delay + MS)
                .with_rate(rate, 64 * 1024)
        };
        let mut pair = Pair::new(seed, Link::default(), [patient(); 2]);
        let (first, second) = (pair.addr(0), pair.addr(1));
        pair.net.set_link(first, second, link(5 * MS, 80_000_000));
        let back = link(
            MS * [1, 40, 300][pick(3, 3)],
            [20_000, 1_000_000][pick(2, 4)],
        );
        pair.net.set_link(second, first, back);
        pair.dial(0, seed, false);
        transfer(&mut pair, [200_000, 20_000], 20 * MINUTE);
    }
}

#[test]
fn ends_with_any_settings_understand_each_other() {
    let ledbat = CongestionKind::Ledbat {
        target: CongestionKind::LEDBAT_TARGET,
    };
    let mut all = Vec::new();
    for congestion in [CongestionKind::Cubic, ledbat] {
        for receive_window in [3_000, 60_000, 4_000_000] {
            for (datagram_len, longest_datagram) in [(548, 548), (1_200, 8_972), (8_972, 65_507)] {
                all.push(Config {
                    congestion,
                    receive_window,
                    datagram_len,
                    longest_datagram,
                    syn_tries: 40,
                });
            }
        }
    }
    let mut seed = 0;
    for here in &all {
        for there in &all {
            seed += 1;
            let link = Link::default()
                .with_delay(8 * MS)
                .with_loss(Loss::Random(0.02))
                .with_mtu(9_000);
            let mut pair = Pair::new(seed, link, [*here, *there]);
            let is_rendezvous = seed % 2 == 0;
            pair.dial(0, seed, is_rendezvous);
            if is_rendezvous {
                pair.dial(1, !seed, true);
            }
            transfer(&mut pair, [90_000, 40_000], 20 * MINUTE);
        }
    }
}

#[test]
fn two_that_dial_each_other_get_one_connection_though_syns_are_lost() {
    for seed in 0..400_u64 {
        let loss = [0.0, 0.1, 0.3][usize::try_from(seed % 3).unwrap()];
        let link = Link::default()
            .with_delay(10 * MS)
            .with_loss(Loss::Random(loss));
        let mut pair = Pair::new(seed, link, [patient(); 2]);
        pair.dial(0, seed, true);
        pair.dial(1, !seed, true);
        transfer(&mut pair, [2_000, 3_000], 30 * MINUTE);
    }
}

#[test]
fn two_that_dial_each_other_and_of_whom_one_is_heard_alone_give_up() {
    for seed in 0..20_u64 {
        let mut pair = Pair::new(seed, Link::default().with_delay(10 * MS), [patient(); 2]);
        let [here, there] = [seed % 2, 1 - seed % 2].map(|end| usize::try_from(end).unwrap());
        let (from, to) = (pair.addr(here), pair.addr(there));
        pair.net
            .black_out(from, to, pair.now..pair.now + 60 * MINUTE);
        pair.dial(0, seed, true);
        pair.dial(1, !seed, true);
        let ended = pair.run_until(5 * MINUTE, |pair| {
            pair.ends.iter().all(|end| end.ended.is_some())
        });
        assert!(ended.is_some(), "{seed}");
        for end in &pair.ends {
            assert_eq!(
                (end.connected, end.ended),
                (0, Some(EndReason::TimedOut)),
                "{seed}"
            );
        }
    }
}

#[test]
fn bytes_arrive_though_one_direction_is_black_for_ten_seconds() {
    for seed in 0..40_u64 {
        let link = Link::default()
            .with_delay(30 * MS)
            .with_rate(200_000, 32_768);
        let mut pair = Pair::dialed(seed, link, patient());
        let [first, second] = [pair.addr(0), pair.addr(1)];
        let (from, to) = if seed % 2 == 0 {
            (first, second)
        } else {
            (second, first)
        };
        let start = pair.now + MS * 100 * u32::try_from(seed).unwrap();
        pair.net.black_out(from, to, start..start + 10_000 * MS);
        transfer(&mut pair, [600_000, 600_000], 10 * MINUTE);
    }
}

#[test]
fn reader_that_does_not_read_holds_its_window_at_most_and_nothing_is_lost() {
    let config = Config {
        receive_window: 50_000,
        ..patient()
    };
    let mut pair = Pair::dialed(3, Link::default().with_delay(5 * MS), config);
    pair.ends[1].is_slow = true;
    pair.ends[0].to_write = 2_000_000;
    pair.run_until(2 * MINUTE, |_| false);
    let taken = pair.ends[0].written;
    assert!(
        taken < 50_000 + 64 * 1024 + 300_000,
        "{taken} bytes were taken"
    );
    pair.ends[1].is_slow = false;
    transfer(&mut pair, [2_000_000 - taken, 0], 10 * MINUTE);
}

#[test]
fn path_that_takes_longer_packets_is_found_to() {
    for (mtu, least) in [(1_472, 1_452), (8_972, 8_900)] {
        let link = Link::default().with_delay(5 * MS).with_mtu(mtu);
        let mut pair = Pair::dialed(5, link, Config::default());
        pair.ends[0].to_write = 3_000_000;
        pair.run_until(MINUTE, |pair| pair.ends[1].read >= 2_000_000)
            .unwrap();
        let payload = pair.ends[0].connection.as_ref().unwrap().sender().mss();
        assert!(payload >= least, "{payload} of {mtu}");
    }
}

#[test]
fn path_that_becomes_narrower_without_a_word_stalls_for_a_second_at_most() {
    for seed in 0..50_u64 {
        let link = |mtu| {
            Link::default()
                .with_delay(20 * MS)
                .with_rate(2_000_000, 100_000)
                .with_mtu(mtu)
        };
        let mut pair = Pair::dialed(seed, link(1_472), Config::default());
        pair.ends[0].to_write = u64::MAX / 2;
        pair.run_until(MS * (3_000 + 7 * u32::try_from(seed).unwrap()), |_| false);
        let payload = |pair: &Pair| pair.ends[0].connection.as_ref().unwrap().sender().mss();
        assert!(payload(&pair) >= 1_452);
        pair.net.set_default_link(link(1_280));
        let (first, second) = (pair.addr(0), pair.addr(1));
        pair.net.set_links(first, second, link(1_280));
        // What was on its way still arrives.
        pair.run_until(30 * MS, |_| false);
        let before = pair.ends[1].read;
        let stalled = pair.run_until(MINUTE, |pair| pair.ends[1].read > before + 100_000);
        assert!(stalled.unwrap() < 1_000 * MS, "{stalled:?} with {seed}");
        assert!(payload(&pair) <= 1_260);
    }
}
