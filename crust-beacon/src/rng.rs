//! Dice for delays, jitter and tokens.

use std::time::Duration;

use crust_core::SplitMix64;

/// Nothing secret hangs on it: what it gives travels sealed.
#[derive(Debug)]
pub(crate) struct Rng(SplitMix64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(SplitMix64::new(seed))
    }

    /// From zero to `max`, to the nanosecond.
    pub(crate) fn up_to(&mut self, max: Duration) -> Duration {
        let max = u64::try_from(max.as_nanos()).unwrap_or(u64::MAX - 1);
        Duration::from_nanos(self.0.below(max + 1))
    }

    /// True `wanted` times of `of`.
    pub(crate) fn chance(&mut self, wanted: usize, of: usize) -> bool {
        wanted >= of || self.0.below(of as u64) < wanted as u64
    }

    /// What a message is known by; never zero, which stands for none.
    pub(crate) fn token(&mut self) -> u64 {
        self.0.next_u64().max(1)
    }
}
