//! Dice for jitter and for external ports to try.

use std::{num::NonZeroU16, time::Duration};

use crust_core::SplitMix64;

/// Nothing secret hangs on it.
#[derive(Debug)]
pub(crate) struct Rng(SplitMix64);

impl Rng {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(SplitMix64::new(seed))
    }

    /// From zero to `max`.
    pub(crate) fn up_to(&mut self, max: Duration) -> Duration {
        let max = u64::try_from(max.as_nanos()).unwrap_or(u64::MAX - 1);
        Duration::from_nanos(self.0.below(max + 1))
    }

    /// `wait`, a tenth more or less.
    pub(crate) fn around(&mut self, wait: Duration) -> Duration {
        wait * 9 / 10 + self.up_to(wait / 5)
    }

    /// One of the dynamic ports (RFC 6335 §6).
    pub(crate) fn dynamic_port(&mut self) -> NonZeroU16 {
        let port = u16::try_from(49_152 + self.0.below(16_384)).unwrap_or(u16::MAX);
        NonZeroU16::new(port).unwrap_or(NonZeroU16::MAX)
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
