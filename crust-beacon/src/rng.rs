//! Dice for delays, jitter and tokens.

use std::time::Duration;

/// SplitMix64 (Steele, Lea, Flood 2014). Nothing secret hangs on it: what it gives travels sealed.
#[derive(Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// From zero to `max`, to the nanosecond.
    pub(crate) fn up_to(&mut self, max: Duration) -> Duration {
        let max = u64::try_from(max.as_nanos()).unwrap_or(u64::MAX - 1);
        Duration::from_nanos(self.below(max + 1))
    }

    /// True `wanted` times of `of`.
    pub(crate) fn chance(&mut self, wanted: usize, of: usize) -> bool {
        wanted >= of || self.below(of as u64) < wanted as u64
    }

    /// What a message is known by; never zero, which stands for none.
    pub(crate) fn token(&mut self) -> u64 {
        self.next().max(1)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, bound: u64) -> u64 {
        let product = u128::from(self.next()) * u128::from(bound);
        u64::try_from(product >> 64).expect("less than the bound")
    }
}
