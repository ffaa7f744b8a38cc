//! Numbers that nobody outside guesses, as far as that matters for the numbers of connections.

/// SplitMix64, seeded by the system.
#[derive(Debug, Clone)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) const fn next_u16(&mut self) -> u16 {
        let [first, second, ..] = self.next_u64().to_le_bytes();
        u16::from_le_bytes([first, second])
    }
}
