//! A bound on a rate: so much at once, and so much per second.

use std::time::{Duration, Instant};

/// A bucket of tokens that starts full, as the generic cell rate algorithm of ITU-T I.371 keeps one: a single instant.
///
/// Invariant: in any time `t`, `burst + rate * t` tokens are taken at most.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    rate: u32,
    burst: u32,
    /// When it will be full again.
    full_at: Instant,
}

impl Bucket {
    /// `rate` tokens come each second; `burst` fit in.
    pub(super) const fn new(rate: u32, burst: u32, now: Instant) -> Self {
        Self {
            rate,
            burst,
            full_at: now,
        }
    }

    /// Takes `tokens` if that many are there.
    pub(super) fn take(&mut self, tokens: usize, now: Instant) -> bool {
        if self.available(now) < tokens {
            return false;
        }
        self.full_at = self.full_at.max(now) + self.time_for(tokens);
        true
    }

    /// How many are there.
    pub(super) fn available(&self, now: Instant) -> usize {
        let missing = self.full_at.saturating_duration_since(now);
        let missing = missing.as_nanos() * u128::from(self.rate);
        let missing = usize::try_from(missing.div_ceil(NANOS)).unwrap_or(usize::MAX);
        (self.burst as usize).saturating_sub(missing)
    }

    /// When `tokens` will be there, if none are taken; the burst at most.
    pub(super) fn when(&self, tokens: usize) -> Instant {
        let missing = (self.burst as usize).saturating_sub(tokens);
        self.full_at
            .checked_sub(self.time_for(missing))
            .unwrap_or(self.full_at)
            + ROUNDING
    }

    fn time_for(&self, tokens: usize) -> Duration {
        let nanos = (tokens as u128 * NANOS).div_ceil(u128::from(self.rate));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

const NANOS: u128 = 1_000_000_000;

/// More than all roundings together.
const ROUNDING: Duration = Duration::from_micros(1);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_more_is_taken_than_burst_and_rate(steps in prop::collection::vec((0_u64..3_000, 0_usize..5_000), 1..60)) {
            let start = crust_core::rt::now();
            let mut bucket = Bucket::new(2_048, 8_192, start);
            let (mut now, mut taken) = (start, 0);
            for (wait, tokens) in steps {
                now += Duration::from_millis(wait);
                if bucket.take(tokens, now) {
                    taken += tokens;
                }
                let elapsed = now.duration_since(start).as_secs_f64();
                prop_assert!(taken as f64 <= 8_192.0 + 2_048.0 * elapsed);
            }
        }

        #[test]
        fn tokens_are_there_when_it_says(first in 0_usize..8_192, tokens in 0_usize..8_192) {
            let start = crust_core::rt::now();
            let mut bucket = Bucket::new(2_048, 8_192, start);
            prop_assert!(bucket.take(first, start));
            let when = bucket.when(tokens).max(start);
            prop_assert!(bucket.available(when) >= tokens);
            prop_assert!(bucket.take(tokens, when));
        }
    }
}
