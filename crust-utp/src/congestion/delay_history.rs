//! The smallest delay of the last minutes, which is the path without its queues.

use std::time::{Duration, Instant};

/// Delay samples in microseconds modulo 2^32, and by how much the latest are above the base (RFC 6817 §3.4.1, §4.2).
///
/// Samples may come from two clocks: only differences are used, and they are compared as they wrap. Clocks that run at
/// different speeds move the base. Downwards it follows at once; upwards an old minimum would count as a queue until
/// the minute that holds it is forgotten, up to 6 ms a minute at 100 ppm. libutp shifts its base by what the other
/// direction's base did; here the user bounds the result by the growth of the round-trip time, which one clock
/// measures and no queue exceeds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DelayHistory {
    minutes: [u32; BASE_HISTORY],
    minute_started_at: Option<Instant>,
    recent: [u32; CURRENT_FILTER],
    next_recent: usize,
}

impl DelayHistory {
    pub(crate) const fn new() -> Self {
        Self {
            minutes: [0; BASE_HISTORY],
            minute_started_at: None,
            recent: [0; CURRENT_FILTER],
            next_recent: 0,
        }
    }

    /// Takes a sample.
    pub(crate) fn add(&mut self, now: Instant, sample_us: u32) {
        let Some(started_at) = self.minute_started_at else {
            self.minutes = [sample_us; BASE_HISTORY];
            self.recent = [sample_us; CURRENT_FILTER];
            self.minute_started_at = Some(now);
            return;
        };
        if now.saturating_duration_since(started_at) >= MINUTE {
            self.minutes.rotate_right(1);
            self.minutes[0] = sample_us;
            self.minute_started_at = Some(now);
        }
        self.minutes[0] = lesser(self.minutes[0], sample_us);
        self.recent[self.next_recent] = sample_us;
        self.next_recent = (self.next_recent + 1) % CURRENT_FILTER;
    }

    /// The base, `None` before the first sample.
    pub(crate) fn base_us(&self) -> Option<u32> {
        self.minute_started_at?;
        self.minutes.into_iter().reduce(lesser)
    }

    /// The smallest of the latest samples, 0 before the first.
    pub(crate) fn current_us(&self) -> u32 {
        self.recent.into_iter().reduce(lesser).unwrap_or_default()
    }

    /// How far the smallest of the latest samples is above the base: the queue that every one of them met.
    pub(crate) fn lowest_queuing(&self) -> Option<Duration> {
        let above = self
            .current_us()
            .wrapping_sub(self.base_us()?)
            .cast_signed()
            .max(0);
        Some(Duration::from_micros(u64::from(above.cast_unsigned())))
    }
}

/// The lesser of two that are less than 2^31 apart.
fn lesser(a: u32, b: u32) -> u32 {
    if a.wrapping_sub(b).cast_signed() < 0 {
        a
    } else {
        b
    }
}

/// Minutes that the base is remembered (RFC 6817 §4.2).
const BASE_HISTORY: usize = 10;

/// Samples among which a delayed acknowledgement or a burst is smoothed out (RFC 6817 §4.2: 4 at least).
const CURRENT_FILTER: usize = 4;

/// One entry of the base's history (RFC 6817 §3.4.1).
const MINUTE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::congestion::fixture::start;

    fn queuing_ms(history: &DelayHistory) -> Option<u128> {
        history.lowest_queuing().map(|delay| delay.as_millis())
    }

    fn fill(history: &mut DelayHistory, now: Instant, sample_us: u32) {
        for _ in 0..CURRENT_FILTER {
            history.add(now, sample_us);
        }
    }

    #[test]
    fn nothing_is_known_before_the_first_sample() {
        assert_eq!(DelayHistory::new().base_us(), None);
        assert_eq!(DelayHistory::new().lowest_queuing(), None);
    }

    #[test]
    fn offset_of_the_clocks_does_not_count() {
        for offset in [0, 1_000_000, u32::MAX - 5_000, 1 << 31] {
            let (mut history, now) = (DelayHistory::new(), start());
            fill(&mut history, now, offset);
            fill(&mut history, now, offset.wrapping_add(30_000));
            assert_eq!(queuing_ms(&history), Some(30));
        }
    }

    #[test]
    fn one_late_sample_is_no_queue() {
        let (mut history, now) = (DelayHistory::new(), start());
        fill(&mut history, now, 1_000);
        history.add(now, 91_000);
        assert_eq!(queuing_ms(&history), Some(0));
    }

    #[test]
    fn base_follows_a_shorter_path_at_once_and_a_longer_one_in_ten_minutes() {
        let (mut history, start) = (DelayHistory::new(), start());
        fill(&mut history, start, 50_000);
        fill(&mut history, start, 20_000);
        assert_eq!(history.base_us(), Some(20_000));
        for minute in 1..10 {
            fill(&mut history, start + MINUTE * minute, 50_000);
        }
        assert_eq!(queuing_ms(&history), Some(30));
        fill(&mut history, start + MINUTE * 10, 50_000);
        assert_eq!(queuing_ms(&history), Some(0));
    }
}
