//! Dice for jitter and for external ports to try.

use std::{num::NonZeroU16, time::Duration};

/// SplitMix64 (Steele, Lea, Flood 2014). Nothing secret hangs on it.
#[derive(Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// From zero to `max`.
    pub(crate) fn up_to(&mut self, max: Duration) -> Duration {
        let max = u64::try_from(max.as_nanos()).unwrap_or(u64::MAX - 1);
        Duration::from_nanos(self.below(max + 1))
    }

    /// `wait`, a tenth more or less.
    pub(crate) fn around(&mut self, wait: Duration) -> Duration {
        wait * 9 / 10 + self.up_to(wait / 5)
    }

    /// One of the dynamic ports (RFC 6335 §6).
    pub(crate) fn dynamic_port(&mut self) -> NonZeroU16 {
        let port = u16::try_from(49_152 + self.below(16_384)).unwrap_or(u16::MAX);
        NonZeroU16::new(port).unwrap_or(NonZeroU16::MAX)
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
        u64::try_from(product >> 64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dynamic_ports_are_of_their_range() {
        let mut rng = Rng::new(7);
        let ports: Vec<u16> = (0..10_000).map(|_| rng.dynamic_port().get()).collect();
        assert!(ports.iter().all(|port| *port >= 49_152));
        assert!(ports.iter().any(|port| *port > 65_000));
    }

    #[test]
    fn wait_is_within_a_tenth() {
        let mut rng = Rng::new(7);
        let second = Duration::from_secs(1);
        for _ in 0..1_000 {
            assert!(rng.around(second).abs_diff(second) <= second / 10);
        }
    }
}
