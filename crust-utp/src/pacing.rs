//! Spreads packets over the round trip, so that a window is not sent at once and does not overflow a queue.

use std::time::{Duration, Instant};

/// A token bucket that fills at the pacing rate.
///
/// It is full at first and after a pause, and then lets through a burst that a GSO batch fits in. Without a rate, and
/// where the round trip is shorter than [`MIN_RTT`], everything may go out at once.
#[derive(Debug)]
pub(crate) struct Pacer {
    /// Bytes a second; `None` is no pacing.
    rate: Option<u64>,
    capacity: u64,
    tokens: u64,
    filled_at: Instant,
}

impl Pacer {
    /// Makes a pacer that holds nothing back until it has a rate.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            rate: None,
            capacity: u64::MAX,
            tokens: u64::MAX,
            filled_at: now,
        }
    }

    /// Sets the rate in bytes a second, as the congestion controller gives it for this round-trip time.
    pub(crate) fn set_rate(&mut self, now: Instant, rate: Option<u64>, srtt: Duration, mss: u64) {
        self.refill(now);
        self.rate = rate.filter(|_| srtt >= MIN_RTT).map(|rate| rate.max(1));
        self.capacity = self.rate.map_or(u64::MAX, |rate| {
            (BURST_PACKETS * mss).max(bytes_in(rate, BURST))
        });
        self.tokens = self.tokens.min(self.capacity);
    }

    /// Counts `bytes` that go out.
    pub(crate) fn take(&mut self, now: Instant, bytes: u64) {
        self.refill(now);
        self.tokens = self.tokens.saturating_sub(bytes);
    }

    /// Bytes that may go out at `now`.
    #[cfg(test)]
    pub(crate) fn budget(&mut self, now: Instant) -> u64 {
        self.refill(now);
        self.tokens
    }

    /// When `bytes` may go out, `None` if they may now. A wait is [`MIN_WAIT`] at least: timers are no finer.
    pub(crate) fn next_send_at(&mut self, now: Instant, bytes: u64) -> Option<Instant> {
        self.refill(now);
        let missing = bytes.min(self.capacity).saturating_sub(self.tokens);
        let rate = self.rate.filter(|_| missing > 0)?;
        Some(now + time_for(rate, missing).max(MIN_WAIT))
    }

    fn refill(&mut self, now: Instant) {
        let Some(rate) = self.rate else {
            self.tokens = self.capacity;
            self.filled_at = now;
            return;
        };
        let added = bytes_in(rate, now.saturating_duration_since(self.filled_at));
        if added == 0 {
            // Less than a byte: what has passed is kept for the next time.
            return;
        }
        self.tokens = self.tokens.saturating_add(added);
        if self.tokens >= self.capacity {
            self.tokens = self.capacity;
            self.filled_at = now;
        } else {
            self.filled_at = (self.filled_at + time_for(rate, added)).min(now);
        }
    }
}

fn bytes_in(rate: u64, time: Duration) -> u64 {
    u64::try_from(u128::from(rate) * time.as_nanos() / 1_000_000_000).unwrap_or(u64::MAX)
}

fn time_for(rate: u64, bytes: u64) -> Duration {
    let ns = (u128::from(bytes) * 1_000_000_000).div_ceil(u128::from(rate));
    Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX))
}

/// Packets of the largest burst: the initial window, which goes out at once anyway (RFC 9002 §7.7).
const BURST_PACKETS: u64 = 10;

/// The largest burst where that is more: twice what falls due between two timers. From 32 MB/s on it holds a full GSO
/// batch of 64 KiB.
const BURST: Duration = Duration::from_millis(2);

/// The shortest wait worth a timer.
const MIN_WAIT: Duration = Duration::from_millis(1);

/// Below this round-trip time pacing is off: a window is out sooner than a timer fires.
const MIN_RTT: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::congestion::fixture::start;

    const RTT: Duration = Duration::from_millis(50);
    const MSS: u64 = 1_000;

    fn pacer(now: Instant, rate: u64) -> Pacer {
        let mut pacer = Pacer::new(now);
        pacer.set_rate(now, Some(rate), RTT, MSS);
        pacer
    }

    /// Bytes that go out within `time` when each wait is kept and each timer fires `late`.
    fn sent_in(pacer: &mut Pacer, start: Instant, time: Duration, late: Duration) -> u64 {
        let (mut now, mut sent) = (start, 0);
        while now < start + time {
            match pacer.next_send_at(now, MSS) {
                Some(at) => now = at + late,
                None => {
                    pacer.take(now, MSS);
                    sent += MSS;
                }
            }
        }
        sent
    }

    #[test]
    fn nothing_is_held_back_without_a_rate() {
        let now = start();
        let mut pacer = Pacer::new(now);
        pacer.take(now, u64::MAX);
        assert_eq!(pacer.next_send_at(now, 1 << 40), None);
    }

    #[test]
    fn nothing_is_held_back_on_loopback() {
        let now = start();
        let mut pacer = pacer(now, 1_000_000);
        pacer.set_rate(now, Some(1_000_000_000), Duration::from_micros(80), 60_000);
        pacer.take(now, 1 << 30);
        assert_eq!(pacer.next_send_at(now, 1 << 20), None);
    }

    #[test]
    fn a_burst_is_ten_packets_and_then_it_waits() {
        let now = start();
        let mut pacer = pacer(now, 100_000);
        assert_eq!(pacer.budget(now), 10 * MSS);
        for _ in 0..10 {
            assert_eq!(pacer.next_send_at(now, MSS), None);
            pacer.take(now, MSS);
        }
        assert_eq!(
            pacer.next_send_at(now, MSS),
            Some(now + Duration::from_millis(10))
        );
    }

    #[test]
    fn a_gso_batch_fits_a_fast_burst() {
        let now = start();
        assert!(pacer(now, 40_000_000).budget(now) >= 65_536);
    }

    #[test]
    fn the_rate_is_kept_though_timers_are_late() {
        for rate in [20_000, 1_000_000, 100_000_000] {
            let (start, second) = (start(), Duration::from_secs(1));
            let sent = sent_in(
                &mut pacer(start, rate),
                start,
                second,
                Duration::from_micros(900),
            );
            let most = rate + 10 * MSS + bytes_in(rate, BURST);
            assert!(sent >= rate * 97 / 100 && sent <= most, "{sent} of {rate}");
        }
    }

    #[test]
    fn a_packet_larger_than_the_bucket_goes_out_when_it_is_full() {
        let now = start();
        let mut pacer = pacer(now, 10_000);
        assert_eq!(pacer.next_send_at(now, 1 << 20), None);
        pacer.take(now, 1 << 20);
        assert_eq!(
            pacer.next_send_at(now, 1 << 20),
            Some(now + Duration::from_secs(1))
        );
    }

    #[test]
    fn looking_often_loses_no_tokens() {
        let start = start();
        let mut pacer = pacer(start, 1_000);
        pacer.take(start, 10 * MSS);
        for us in 0..1_000_000 {
            pacer.budget(start + Duration::from_micros(us));
        }
        assert!(pacer.budget(start + Duration::from_secs(1)) >= 999);
    }
}
