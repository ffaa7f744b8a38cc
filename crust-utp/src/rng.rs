//! Numbers that nobody outside guesses, as far as that matters for the numbers of connections.

use crust_core::SplitMix64;

/// Seeded by the system.
#[derive(Debug, Clone)]
pub(crate) struct Rng(SplitMix64);

impl Rng {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(SplitMix64::new(seed))
    }

    pub(crate) const fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    pub(crate) const fn next_u16(&mut self) -> u16 {
        let [first, second, ..] = self.next_u64().to_le_bytes();
        u16::from_le_bytes([first, second])
    }
}
