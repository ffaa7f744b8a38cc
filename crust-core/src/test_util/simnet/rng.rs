//! Dice that fall the same way for the same seed, on every machine.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use crate::SplitMix64;

/// What a link throws.
#[derive(Debug)]
pub(super) struct Rng(SplitMix64);

impl Rng {
    pub(super) fn new(seed: u64) -> Self {
        Self(SplitMix64::new(seed))
    }

    /// True with `probability`. Throws no die for what is certain.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        if probability <= 0.0 {
            return false;
        }
        probability >= 1.0 || self.unit() < probability
    }

    /// Less than `bound`, which is not zero. The bias is below 2⁻⁴⁰ for any bound here.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let product = u128::from(self.next()) * bound as u128;
        usize::try_from(product >> 64).expect("less than the bound")
    }

    /// From zero to `max`, to the nanosecond.
    pub(super) fn up_to(&mut self, max: Duration) -> Duration {
        if max.is_zero() {
            return max;
        }
        let product = u128::from(self.next()) * (max.as_nanos().min(u128::from(u64::MAX)) + 1);
        let nanos = u64::try_from(product >> 64).expect("at most the maximum");
        Duration::from_nanos(nanos)
    }

    fn next(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// From 0 to below 1, in steps of 2⁻⁵³: each is exact.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// The seed of one direction: other directions and other networks have others.
pub(super) fn seed_of(seed: u64, from: SocketAddr, to: SocketAddr) -> u64 {
    let words = [from, to].into_iter().flat_map(words);
    words.fold(SplitMix64::mix(seed), |state, word| {
        SplitMix64::mix(state.wrapping_add(SplitMix64::GAMMA) ^ SplitMix64::mix(word))
    })
}

fn words(addr: SocketAddr) -> [u64; 3] {
    let (family, ip) = match addr.ip() {
        IpAddr::V4(ip) => (4, u128::from(ip.to_bits())),
        IpAddr::V6(ip) => (6, ip.to_bits()),
    };
    let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).expect("64 bits");
    let port = u64::from(addr.port());
    [half(ip), half(ip >> 64), family << 16 | port]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first numbers for seed 1234567, as the algorithm's reference prints them.
    #[test]
    fn numbers_are_those_of_splitmix64() {
        let mut rng = Rng::new(1_234_567);
        let numbers = [rng.next(), rng.next(), rng.next()];
        assert_eq!(
            numbers,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn chances_are_as_asked() {
        let mut rng = Rng::new(1);
        let hits = (0..100_000).filter(|_| rng.chance(0.3)).count();
        assert!((29_400..30_600).contains(&hits), "{hits}");
        assert!(!rng.chance(0.0) && rng.chance(1.0));
    }

    #[test]
    fn numbers_below_a_bound_reach_all_of_it() {
        let mut rng = Rng::new(2);
        let mut seen = [0; 7];
        for _ in 0..7000 {
            seen[rng.below(7)] += 1;
        }
        assert!(seen.iter().all(|n| (850..1150).contains(n)), "{seen:?}");
    }

    #[test]
    fn directions_and_seeds_have_dice_of_their_own() {
        let a = "192.0.2.1:1".parse().unwrap();
        let b = "192.0.2.2:1".parse().unwrap();
        let seeds = [seed_of(1, a, b), seed_of(1, b, a), seed_of(2, a, b)];
        assert_ne!(seeds[0], seeds[1]);
        assert_ne!(seeds[0], seeds[2]);
        assert_ne!(seeds[1], seeds[2]);
    }
}
