//! Numbers that nobody can foresee who lacks the seed, and that are the same for the same seed.

use std::time::Duration;

use crust_core::PeerId;

use super::hash;

/// SHA-256 of the seed and a counter: what peers see of it, the salts, tells nothing of what comes next.
pub(super) struct Dice {
    seed: [u8; 32],
    drawn: u64,
}

impl Dice {
    pub(super) const fn new(seed: [u8; 32]) -> Self {
        Self { seed, drawn: 0 }
    }

    pub(super) fn draw(&mut self) -> u64 {
        self.drawn += 1;
        hash::head(&[&self.seed, &self.drawn.to_be_bytes()])
    }

    /// Less than `bound`, which is not zero. The bias is below 2⁻⁴⁰ for any bound here.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let product = u128::from(self.draw()) * bound as u128;
        usize::try_from(product >> 64).expect("less than the bound")
    }

    /// A place among all peers.
    pub(super) fn peer(&mut self) -> PeerId {
        let mut bytes = [0; PeerId::LEN];
        bytes[..8].copy_from_slice(&self.draw().to_be_bytes());
        PeerId::from_bytes(bytes)
    }

    /// A quarter less than `mean` to a quarter more, so that nodes started together do not stay in step.
    pub(super) fn about(&mut self, mean: Duration) -> Duration {
        let quarter = mean / 4;
        let part = u32::try_from(self.below(1 << 16)).expect("16 bits");
        mean - quarter + (quarter * 2).mul_f64(f64::from(part) / f64::from(1 << 16))
    }
}

impl std::fmt::Debug for Dice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Dice({} drawn)", self.drawn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_below_a_bound_reach_all_of_it() {
        let mut dice = Dice::new([1; 32]);
        let mut seen = [0; 7];
        for _ in 0..7000 {
            seen[dice.below(7)] += 1;
        }
        assert!(seen.iter().all(|n| (850..1150).contains(n)), "{seen:?}");
    }

    #[test]
    fn jitter_stays_within_a_quarter() {
        let mut dice = Dice::new([2; 32]);
        let mean = Duration::from_secs(8);
        for _ in 0..1000 {
            let drawn = dice.about(mean);
            assert!((mean * 3 / 4..=mean * 5 / 4).contains(&drawn), "{drawn:?}");
        }
    }

    #[test]
    fn seeds_have_numbers_of_their_own() {
        let draw = |seed| Dice::new([seed; 32]).draw();
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
