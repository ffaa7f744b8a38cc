//! Each setting of a simulated link has the effect it says, measured.
#![cfg(feature = "test-util")]

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use crust_core::{
    rt,
    simnet::{Counters, Delivery, Link, Loss, SimNet},
};

#[test]
fn plain_link_delivers_at_once_and_in_order() {
    let mut run = Run::new(Link::default());
    run.send_each(Duration::ZERO, 1000, 10);
    assert!(
        run.deliveries
            .iter()
            .all(|delivery| delivery.at == run.start)
    );
    assert_eq!(run.numbers(), (0..1000).collect::<Vec<_>>());
    assert_eq!(run.counters().delivered, 1000);
    assert_eq!(run.net.poll_timeout(), None);
}

#[test]
fn nothing_comes_out_before_its_time() {
    let start = rt::now();
    let mut net = SimNet::new(1, start);
    net.set_default_link(Link::default().with_delay(Duration::from_millis(10)));
    net.send(start, a(), b(), &b"x"[..]);
    net.handle_timeout(start + Duration::from_nanos(9_999_999));
    assert_eq!(net.poll_output(), None);
    net.handle_timeout(start + Duration::from_millis(10));
    let delivery = net.poll_output().unwrap();
    assert_eq!((delivery.from, delivery.to), (a(), b()));
    assert_eq!(net.poll_output(), None);
}

#[test]
fn time_does_not_go_back() {
    let start = rt::now();
    let mut net = SimNet::new(1, start);
    let later = start + Duration::from_secs(1);
    net.handle_timeout(later);
    net.send(start, a(), b(), &b"x"[..]);
    assert_eq!(net.poll_timeout(), Some(later));
    assert_eq!(net.now(), later);
}

#[test]
fn delay_is_exact() {
    let delay = Duration::from_nanos(12_345_678);
    let mut run = Run::new(Link::default().with_delay(delay));
    run.send_each(Duration::from_millis(1), 100, 10);
    for (delivery, number) in run.deliveries.iter().zip(0..) {
        let sent = run.start + Duration::from_millis(1) * number;
        assert_eq!(delivery.at - sent, delay);
    }
}

#[test]
fn jitter_spreads_over_its_range_and_does_not_reorder() {
    let (delay, jitter) = (Duration::from_millis(50), Duration::from_millis(20));
    let link = Link::default().with_delay(delay).with_jitter(jitter);
    let mut run = Run::new(link);
    let gap = Duration::from_millis(30);
    run.send_each(gap, 10_000, 10);
    let late =
        |(delivery, number): (&Delivery, u32)| delivery.at - (run.start + gap * number) - delay;
    let late: Vec<Duration> = run.deliveries.iter().zip(0..).map(late).collect();
    let mean = late.iter().sum::<Duration>() / 10_000;
    assert!(late.iter().all(|late| *late <= jitter));
    assert!(late.iter().any(|late| *late < jitter / 100));
    assert!(late.iter().any(|late| *late > jitter * 99 / 100));
    assert!(mean.abs_diff(jitter / 2) < jitter / 50, "{mean:?}");

    let mut crowded = Run::new(Link::default().with_jitter(jitter));
    crowded.send_each(Duration::from_millis(1), 1000, 10);
    assert_eq!(crowded.numbers(), (0..1000).collect::<Vec<_>>());
}

#[test]
fn random_loss_loses_its_share_and_one_here_and_there() {
    let mut run = Run::new(Link::default().with_loss(Loss::Random(0.1)));
    run.send_each(Duration::ZERO, 10_000, 10);
    let counters = run.counters();
    assert!((900..1100).contains(&counters.lost), "{counters:?}");
    assert_eq!(counters.delivered + counters.lost, 10_000);
    let mean = mean_burst(&run.numbers());
    assert!((1.0..1.25).contains(&mean), "{mean}");
}

#[test]
fn burst_loss_loses_its_share_and_many_in_a_row() {
    let mut run = Run::new(Link::default().with_loss(Loss::bursts(0.1, 8.0)));
    run.send_each(Duration::ZERO, 100_000, 10);
    let counters = run.counters();
    assert!((8_500..11_500).contains(&counters.lost), "{counters:?}");
    let mean = mean_burst(&run.numbers());
    assert!((7.0..9.0).contains(&mean), "{mean}");
}

#[test]
fn gilbert_elliott_loses_by_state() {
    let loss = Loss::Bursts {
        enter: 0.01,
        leave: 0.03,
        good: 0.02,
        bad: 0.5,
    };
    let mut run = Run::new(Link::default().with_loss(loss));
    run.send_each(Duration::ZERO, 100_000, 10);
    // A quarter of the time is bad: 0.75 * 0.02 + 0.25 * 0.5.
    let lost = run.counters().lost;
    assert!((12_500..15_500).contains(&lost), "{lost}");
}

#[test]
fn duplicates_arrive_twice() {
    let mut run = Run::new(Link::default().with_duplicate(0.2));
    run.send_each(Duration::ZERO, 10_000, 10);
    let counters = run.counters();
    assert!((1900..2100).contains(&counters.duplicated), "{counters:?}");
    assert_eq!(counters.delivered, 10_000 + counters.duplicated);
    let twice = run
        .numbers()
        .windows(2)
        .filter(|pair| pair[0] == pair[1])
        .count();
    assert_eq!(u64::try_from(twice).unwrap(), counters.duplicated);
}

#[test]
fn held_back_datagrams_are_overtaken() {
    let link = Link::default().with_reorder(0.1, Duration::from_micros(3500));
    let mut run = Run::new(link);
    run.send_each(Duration::from_millis(1), 10_000, 10);
    let counters = run.counters();
    assert!((900..1100).contains(&counters.reordered), "{counters:?}");
    let late = |delivery: &&Delivery| {
        let sent = run.start + Duration::from_millis(1) * number(delivery);
        delivery.at - sent == Duration::from_micros(3500)
    };
    let late = run.deliveries.iter().filter(late).count();
    assert_eq!(u64::try_from(late).unwrap(), counters.reordered);
    assert!(!run.numbers().is_sorted());
}

#[test]
fn corruption_flips_one_bit() {
    let mut run = Run::new(Link::default().with_corrupt(0.1));
    run.send_each(Duration::ZERO, 10_000, 100);
    let counters = run.counters();
    assert!((900..1100).contains(&counters.corrupted), "{counters:?}");
    let flipped = |(delivery, number): (&Delivery, u32)| -> u32 {
        let sent = payload(number, 100);
        let pairs = delivery.payload.iter().zip(&sent);
        pairs.map(|(a, b)| (a ^ b).count_ones()).sum()
    };
    let flipped: Vec<u32> = run.deliveries.iter().zip(0..).map(flipped).collect();
    let touched = flipped.iter().filter(|bits| **bits == 1).count();
    assert_eq!(u64::try_from(touched).unwrap(), counters.corrupted);
    assert!(flipped.iter().all(|bits| *bits <= 1));
}

#[test]
fn empty_datagram_arrives_whole() {
    let start = rt::now();
    let mut net = SimNet::new(1, start);
    net.set_link(a(), b(), Link::default().with_corrupt(1.0).with_rate(1, 0));
    net.send(start, a(), b(), Vec::new());
    assert!(net.poll_output().unwrap().payload.is_empty());
}

#[test]
fn rate_is_exact() {
    for rate in [9_600, 1_000_000, 3_333_333, 10_000_000_000] {
        let mut run = Run::new(Link::default().with_rate(rate, usize::MAX));
        run.send_each(Duration::ZERO, 10_000, 100);
        let took = run.deliveries.last().unwrap().at - run.start;
        let exact = 1_000_000.0 / rate as f64;
        let off = (took.as_secs_f64() - exact).abs() / exact;
        assert!(off < 1e-5, "{rate} bytes/s: {took:?} for {exact} s");
    }
}

#[test]
fn full_queue_drops_what_comes_last() {
    let link = Link::default().with_rate(1_000_000, 10_000);
    let mut run = Run::new(link);
    run.send_each(Duration::ZERO, 25, 1000);
    assert_eq!(run.numbers(), (0..10).collect::<Vec<_>>());
    assert_eq!(run.counters().queue_full, 15);
    // One leaves each millisecond, and makes room for one.
    let later = run.start + Duration::from_millis(12);
    for number in 100..120 {
        run.net.send(later, a(), b(), payload(number, 1000));
    }
    run.drain();
    assert_eq!(run.deliveries.len(), 20);
    assert_eq!(run.numbers()[10..], (100..110).collect::<Vec<_>>());
}

#[test]
fn overload_gets_the_rate_and_waits_for_the_queue() {
    let link = Link::default().with_rate(1_000_000, 50_000);
    let mut run = Run::new(link);
    run.send_each(Duration::from_micros(500), 10_000, 1000);
    let last = run.deliveries.last().unwrap();
    let waited = last.at - (run.start + Duration::from_micros(500) * number(last));
    assert!(waited <= Duration::from_millis(50), "{waited:?}");
    assert!(waited > Duration::from_millis(48), "{waited:?}");
    let (bytes, took) = (run.deliveries.len() * 1000, last.at - run.start);
    let rate = bytes as f64 / took.as_secs_f64();
    assert!((rate - 1e6).abs() < 1e4, "{rate}");
}

#[test]
fn datagrams_over_the_mtu_are_dropped() {
    let mut run = Run::new(Link::default().with_mtu(1200));
    run.net.send(run.start, a(), b(), payload(0, 1200));
    run.net.send(run.start, a(), b(), payload(1, 1201));
    run.drain();
    assert_eq!(run.numbers(), [0]);
    assert_eq!(run.counters().too_long, 1);
}

#[test]
fn black_out_takes_one_direction_for_its_time() {
    let mut run = Run::new(Link::default().with_delay(Duration::from_millis(5)));
    let start = run.start;
    let at = |ms| start + Duration::from_millis(ms);
    run.net.black_out(a(), b(), at(100)..at(200));
    run.net.black_out(a(), b(), at(300)..at(301));
    for ms in 0..400 {
        run.net
            .send(at(ms), a(), b(), payload(u32::try_from(ms).unwrap(), 10));
        run.net.send(at(ms), b(), a(), payload(0, 10));
    }
    run.drain();
    assert_eq!(run.counters().blacked_out, 101);
    assert_eq!(run.net.link_counters(b(), a()).delivered, 400);
    let expected = (0..100).chain(200..300).chain(301..400);
    assert_eq!(run.numbers_from(a()), expected.collect::<Vec<_>>());
}

#[test]
fn directions_differ() {
    let start = rt::now();
    let mut net = SimNet::new(1, start);
    net.set_link(
        a(),
        b(),
        Link::default().with_delay(Duration::from_millis(10)),
    );
    net.set_link(
        b(),
        a(),
        Link::default().with_delay(Duration::from_millis(70)),
    );
    net.send(start, a(), b(), &b"there"[..]);
    net.send(start, b(), a(), &b"back"[..]);
    let arrivals: Vec<_> = drain(&mut net)
        .iter()
        .map(|d| (d.to, d.at - start))
        .collect();
    let ms = Duration::from_millis;
    assert_eq!(arrivals, [(b(), ms(10)), (a(), ms(70))]);
}

#[test]
fn same_seed_and_calls_give_the_same_outcome() {
    let start = rt::now();
    let (first, again) = (storm(7, start, false), storm(7, start, false));
    assert_eq!(first, again);
    assert_ne!(first.0, storm(8, start, false).0);
}

#[test]
fn traffic_on_one_link_does_not_change_another() {
    let start = rt::now();
    let (mut quiet, _) = storm(7, start, false);
    let (mut busy, _) = storm(7, start, true);
    quiet.retain(|delivery| delivery.from == a());
    busy.retain(|delivery| delivery.from == a());
    assert_eq!(quiet, busy);
}

/// Everything at once on one link, and some on another if asked for.
fn storm(seed: u64, start: Instant, busy: bool) -> (Vec<Delivery>, Counters) {
    let link = Link::default()
        .with_delay(Duration::from_millis(20))
        .with_jitter(Duration::from_millis(10))
        .with_loss(Loss::bursts(0.05, 3.0))
        .with_duplicate(0.05)
        .with_reorder(0.05, Duration::from_millis(5))
        .with_corrupt(0.05)
        .with_rate(1_000_000, 20_000)
        .with_mtu(1400);
    let mut net = SimNet::new(seed, start);
    net.set_links(a(), b(), link);
    for number in 0..5000 {
        let now = start + Duration::from_micros(700) * number;
        net.send(
            now,
            a(),
            b(),
            payload(number, 500 + (number as usize * 7) % 1000),
        );
        if busy {
            net.send(now, b(), a(), payload(number, 300));
        }
    }
    let deliveries = drain(&mut net);
    let counters = net.link_counters(a(), b());
    assert!(counters.queue_full > 0 && counters.too_long > 0);
    let arrived = counters.sent + counters.duplicated
        - counters.lost
        - counters.queue_full
        - counters.too_long;
    assert_eq!(counters.delivered, arrived);
    assert!(deliveries.is_sorted_by_key(|delivery| delivery.at));
    (deliveries, counters)
}

/// A network of one link, and what came out of it.
struct Run {
    start: Instant,
    net: SimNet,
    deliveries: Vec<Delivery>,
}

impl Run {
    fn new(link: Link) -> Self {
        let start = rt::now();
        let mut net = SimNet::new(0xC0FFEE, start);
        net.set_link(a(), b(), link);
        Self {
            start,
            net,
            deliveries: Vec::new(),
        }
    }

    fn send_each(&mut self, gap: Duration, count: u32, len: usize) {
        for number in 0..count {
            let now = self.start + gap * number;
            self.net.send(now, a(), b(), payload(number, len));
        }
        self.drain();
    }

    fn drain(&mut self) {
        self.deliveries.extend(drain(&mut self.net));
    }

    fn counters(&self) -> Counters {
        self.net.link_counters(a(), b())
    }

    fn numbers(&self) -> Vec<u32> {
        self.deliveries.iter().map(number).collect()
    }

    fn numbers_from(&self, from: SocketAddr) -> Vec<u32> {
        let from = self
            .deliveries
            .iter()
            .filter(|delivery| delivery.from == from);
        from.map(number).collect()
    }
}

fn drain(net: &mut SimNet) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    loop {
        deliveries.extend(std::iter::from_fn(|| net.poll_output()));
        match net.poll_timeout() {
            Some(at) => net.handle_timeout(at),
            None => return deliveries,
        }
    }
}

fn payload(number: u32, len: usize) -> Vec<u8> {
    let mut bytes = vec![0x5a; len];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    bytes
}

fn number(delivery: &Delivery) -> u32 {
    u32::from_be_bytes(
        delivery.payload[..4]
            .try_into()
            .expect("payloads have a number"),
    )
}

/// How many of 0, 1, 2 … are missing in a row, on average.
fn mean_burst(numbers: &[u32]) -> f64 {
    let gaps = numbers.windows(2).map(|pair| pair[1] - pair[0] - 1);
    let gaps: Vec<u32> = gaps.filter(|gap| *gap > 0).collect();
    f64::from(gaps.iter().sum::<u32>()) / gaps.len() as f64
}

fn a() -> SocketAddr {
    ([192, 0, 2, 1], 1).into()
}

fn b() -> SocketAddr {
    ([192, 0, 2, 2], 2).into()
}
