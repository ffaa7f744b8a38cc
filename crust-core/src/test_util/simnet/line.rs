//! One direction between two nodes: its settings, its dice, its queue.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use super::{
    link::{Counters, Link, Loss},
    rng::Rng,
};

/// One direction between two nodes.
#[derive(Debug)]
pub(super) struct Line {
    link: Link,
    rng: Rng,
    queue: Queue,
    /// In the bad state of [`Loss::Bursts`].
    bad: bool,
    black_outs: Vec<Range<Instant>>,
    /// The latest arrival so far of those that were not held back.
    last_arrival: Option<Instant>,
    counters: Counters,
}

impl Line {
    pub(super) fn new(seed: u64, link: Link) -> Self {
        Self {
            link,
            rng: Rng::new(seed),
            queue: Queue::default(),
            bad: false,
            black_outs: Vec::new(),
            last_arrival: None,
            counters: Counters::default(),
        }
    }

    pub(super) fn set_link(&mut self, link: Link) {
        self.link = link;
    }

    pub(super) fn black_out(&mut self, when: Range<Instant>) {
        self.black_outs.push(when);
    }

    /// Decides what becomes of a datagram of `len` bytes that is sent at `now`; one that is too long arrives where it
    /// `may_fragment`.
    pub(super) fn carry(&mut self, now: Instant, len: usize, may_fragment: bool) -> Arrivals {
        self.counters.sent += 1;
        if len > self.link.mtu_bytes && !may_fragment {
            self.counters.too_long += 1;
            return [None, None];
        }
        let Some(sent_at) = self.queue.push(&self.link, now, len) else {
            self.counters.queue_full += 1;
            return [None, None];
        };
        if self.black_outs.iter().any(|when| when.contains(&sent_at)) {
            self.counters.blacked_out += 1;
            return [None, None];
        }
        if self.loses() {
            self.counters.lost += 1;
            return [None, None];
        }
        let first = self.arrive(sent_at, len);
        let twice = self.rng.chance(self.link.duplicate);
        self.counters.duplicated += u64::from(twice);
        let second = twice.then(|| self.arrive(sent_at, len));
        [Some(first), second]
    }

    pub(super) fn count_delivery(&mut self) {
        self.counters.delivered += 1;
    }

    pub(super) fn counters(&self) -> Counters {
        self.counters
    }

    fn loses(&mut self) -> bool {
        match self.link.loss {
            Loss::None => false,
            Loss::Random(share) => self.rng.chance(share),
            Loss::Bursts {
                enter,
                leave,
                good,
                bad,
            } => {
                let change = if self.bad { leave } else { enter };
                self.bad ^= self.rng.chance(change);
                self.rng.chance(if self.bad { bad } else { good })
            }
        }
    }

    fn arrive(&mut self, sent_at: Instant, len: usize) -> Arrival {
        let corrupted = len > 0 && self.rng.chance(self.link.corrupt);
        self.counters.corrupted += u64::from(corrupted);
        let flipped_bit = corrupted.then(|| self.rng.below(len * 8));
        let at = sent_at + self.link.delay + self.rng.up_to(self.link.jitter);
        let at = self.last_arrival.map_or(at, |last| last.max(at));
        if self.rng.chance(self.link.reorder) {
            self.counters.reordered += 1;
            let at = at + self.link.reorder_by;
            return Arrival { at, flipped_bit };
        }
        self.last_arrival = Some(at);
        Arrival { at, flipped_bit }
    }
}

/// What becomes of a datagram: lost, it does not arrive; doubled, it does twice.
pub(super) type Arrivals = [Option<Arrival>; 2];

/// One arrival of it.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) at: Instant,
    pub(super) flipped_bit: Option<usize>,
}

/// The line's sender, as the time at which it will be idle: its bytes are those it sends until then.
#[derive(Debug, Default)]
struct Queue {
    idle_at: Option<Instant>,
    /// Of a nanosecond, in units of one over the rate: so that rates are exact in the long run.
    remainder: u64,
}

impl Queue {
    /// When the datagram has been sent, or `None` where it does not fit.
    fn push(&mut self, link: &Link, now: Instant, len: usize) -> Option<Instant> {
        let Some(rate) = link.rate_bytes_per_s else {
            return Some(self.idle_at.map_or(now, |idle_at| idle_at.max(now)));
        };
        let backlog = self.idle_at.map_or(Duration::ZERO, |idle_at| {
            idle_at.saturating_duration_since(now)
        });
        if backlog.is_zero() {
            self.remainder = 0;
        }
        let waiting = (backlog.as_nanos() * u128::from(rate)).div_ceil(NANOS_PER_S);
        if waiting + len as u128 > link.queue_bytes as u128 {
            return None;
        }
        let exact = len as u128 * NANOS_PER_S + u128::from(self.remainder);
        let (nanos, remainder) = (exact / u128::from(rate), exact % u128::from(rate));
        self.remainder = remainder.try_into().expect("less than the rate");
        let nanos = nanos
            .try_into()
            .expect("a datagram is sent within 584 years");
        let sent_at = now + backlog + Duration::from_nanos(nanos);
        self.idle_at = Some(sent_at);
        Some(sent_at)
    }
}

const NANOS_PER_S: u128 = 1_000_000_000;
