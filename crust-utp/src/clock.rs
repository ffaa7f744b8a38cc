//! Timestamps of packets: microseconds of a clock that nobody else has.

use std::time::Instant;

/// The clock of one connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    zero: Instant,
    /// How long the last packet took to us, on clocks that differ: what the other side is told.
    difference_us: u32,
}

impl Clock {
    pub(crate) const fn new(zero: Instant) -> Self {
        Self {
            zero,
            difference_us: 0,
        }
    }

    /// A packet came that was sent at `timestamp_us` of the other side's clock.
    pub(crate) fn on_received(&mut self, now: Instant, timestamp_us: u32) {
        self.difference_us = self.timestamp_us(now).wrapping_sub(timestamp_us);
    }

    /// Wraps around each 71 minutes, as BEP 29 has it.
    pub(crate) fn timestamp_us(&self, now: Instant) -> u32 {
        let passed = now.saturating_duration_since(self.zero);
        let seconds = passed.as_secs() & u64::from(u32::MAX);
        let seconds = u32::try_from(seconds).unwrap_or_default();
        seconds
            .wrapping_mul(1_000_000)
            .wrapping_add(passed.subsec_micros())
    }

    pub(crate) const fn difference_us(&self) -> u32 {
        self.difference_us
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn difference_goes_on_over_the_wrap_of_either_clock() {
        let zero = crust_core::rt::now();
        let mut clock = Clock::new(zero);
        for (passed_us, timestamp_us) in [
            (1_000, 400_u32),
            (u64::from(u32::MAX) + 1_001, 400),
            (500, u32::MAX - 99),
        ] {
            clock.on_received(zero + Duration::from_micros(passed_us), timestamp_us);
            assert_eq!(clock.difference_us(), 600, "{passed_us}");
        }
    }
}
