//! LEDBAT's target for now: less where the queue cannot hold the one that was asked for.

use std::time::{Duration, Instant};

/// A remedy that LEDBAT++ does not have. A queue that overflows below the target would make LEDBAT a flow that yields to
/// losses only, as any other does.
///
/// Once a packet is lost behind the longest queue that was seen, the target is halved until two thirds of that queue
/// hold it. The longest queue is a property of the link, and halves are coarse, so that all flows there come to the
/// same: of two targets the larger takes the link. Queues are measured by round trips here, which one clock does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Aim {
    target: Duration,
    highest_us: u32,
    overflowed_at: Option<Instant>,
}

impl Aim {
    pub(crate) fn new(target: Duration) -> Self {
        Self {
            target: target.max(MIN_TARGET),
            highest_us: 0,
            overflowed_at: None,
        }
    }

    /// Round trips take `current_us`, noise filtered out.
    pub(crate) fn on_sample(&mut self, current_us: u32) {
        self.highest_us = self.highest_us.max(current_us);
    }

    /// A packet was lost while round trips took `current_us`.
    pub(crate) fn on_loss(&mut self, now: Instant, current_us: u32, base_us: u32) {
        let (queue, highest) = (since(base_us, current_us), since(base_us, self.highest_us));
        if queue >= MIN_TARGET && queue >= highest * 3 / 4 {
            self.overflowed_at = Some(now);
        }
    }

    /// A slowdown is over.
    pub(crate) fn on_slowdown(&mut self, now: Instant) {
        let is_old = |at| now.saturating_duration_since(at) >= MEMORY;
        if self.overflowed_at.is_some_and(is_old) {
            (self.overflowed_at, self.highest_us) = (None, 0);
        }
    }

    /// The target that was asked for.
    pub(crate) fn target(&self) -> Duration {
        self.target
    }

    /// The queue to let stand where the base round trip is `base_us`: it may be found out after the overflow was.
    pub(crate) fn current(&self, base_us: u32) -> Duration {
        let mut aim = self.target;
        if self.overflowed_at.is_some() {
            let room = since(base_us, self.highest_us) * 2 / 3;
            while aim > room && aim / 2 >= MIN_TARGET {
                aim /= 2;
            }
        }
        aim
    }
}

fn since(base_us: u32, us: u32) -> Duration {
    Duration::from_micros(u64::from(us.saturating_sub(base_us)))
}

/// The smallest target: shorter queues are the noise of timers, schedulers and radio links.
const MIN_TARGET: Duration = Duration::from_millis(5);

/// How long a short queue is remembered: as long as the base delay is (RFC 6817 §4.2).
const MEMORY: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::congestion::fixture::start;

    const BASE_US: u32 = 50_000;

    /// A packet was lost behind a queue of `queue_ms`.
    fn overflowed(queue_ms: u32) -> (Aim, Instant) {
        let (mut aim, now) = (Aim::new(Duration::from_millis(60)), start());
        aim.on_sample(BASE_US + queue_ms * 1_000);
        aim.on_loss(now, BASE_US + queue_ms * 1_000, BASE_US);
        (aim, now)
    }

    fn current_ms(aim: &Aim) -> u128 {
        aim.current(BASE_US).as_millis()
    }

    #[test]
    fn short_queue_halves_the_target_until_it_fits() {
        for (queue_ms, expected) in [(100, 60), (50, 30), (25, 15), (10, 7)] {
            assert_eq!(current_ms(&overflowed(queue_ms).0), expected);
        }
    }

    #[test]
    fn loss_without_a_queue_leaves_the_target() {
        assert_eq!(current_ms(&overflowed(2).0), 60);
    }

    #[test]
    fn loss_before_the_queue_is_full_leaves_the_target() {
        let (mut aim, now) = (Aim::new(Duration::from_millis(60)), start());
        aim.on_sample(BASE_US + 50_000);
        aim.on_loss(now, BASE_US + 30_000, BASE_US);
        assert_eq!(current_ms(&aim), 60);
    }

    #[test]
    fn base_that_is_found_out_later_raises_the_target() {
        let (aim, _) = overflowed(50);
        assert_eq!(aim.current(BASE_US / 5), Duration::from_millis(60));
    }

    #[test]
    fn short_queue_is_forgotten_after_ten_minutes() {
        let (mut aim, now) = overflowed(25);
        aim.on_slowdown(now + MEMORY / 2);
        assert_eq!(current_ms(&aim), 15);
        aim.on_slowdown(now + MEMORY);
        assert_eq!(current_ms(&aim), 60);
    }
}
