//! Numbers that look random: for jitter, turns and simulations.

/// SplitMix64 (Steele, Lea, Flood 2014): the same row of numbers for the same seed, on every machine.
///
/// Whoever sees a few of them can tell the rest: nothing secret may hang on it.
#[derive(Debug, Clone)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// The row that begins with `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(Self::GAMMA);
        Self::mix(self.0)
    }

    /// The next number, less than `bound`; 0 where that is 0. The bias is below `bound` in 2⁶⁴.
    pub fn below(&mut self, bound: u64) -> u64 {
        let product = u128::from(self.next_u64()) * u128::from(bound);
        u64::try_from(product >> 64).expect("less than the bound")
    }

    /// The finalizer: variant 13 of Stafford's mixers.
    #[must_use]
    pub const fn mix(state: u64) -> u64 {
        let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        state ^ (state >> 31)
    }

    /// 2⁶⁴ divided by the golden ratio, odd: from one state to the next.
    pub const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
}
