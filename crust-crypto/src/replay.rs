//! Remembers the first messages that were let in, so that a recorded one is not let in again.

use std::{
    collections::{HashSet, hash_map::RandomState},
    hash::BuildHasher,
    mem,
};

/// The salts seen lately, in bounded memory.
///
/// It keeps between one and two times [`GENERATION`] of them. What is older, and what was seen before a restart, is
/// forgotten: who replays that learns that a listener with this network key is there, and nothing else.
#[derive(Debug, Default)]
pub(crate) struct ReplayFilter {
    hasher: RandomState,
    recent: HashSet<u64>,
    older: HashSet<u64>,
}

impl ReplayFilter {
    /// Remembers `salt`; `false` where it was known.
    pub(crate) fn admit(&mut self, salt: &[u8]) -> bool {
        // 64 keyed bits: a fresh salt is mistaken for a known one once in 2^48.
        let hash = self.hasher.hash_one(salt);
        if self.older.contains(&hash) || !self.recent.insert(hash) {
            return false;
        }
        if self.recent.len() == GENERATION {
            self.older = mem::take(&mut self.recent);
        }
        true
    }
}

/// Salts of a generation: the load at which a table of 32,768 places (288 KiB) would grow.
const GENERATION: usize = 28_672;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn salt_is_admitted_once() {
        let mut filter = ReplayFilter::default();
        assert!(filter.admit(b"a"));
        assert!(filter.admit(b"b"));
        assert!(!filter.admit(b"a"));
    }

    #[test]
    fn a_whole_generation_is_remembered_and_never_more_than_two() {
        let mut filter = ReplayFilter::default();
        for salt in 0..5 * GENERATION {
            assert!(filter.admit(&salt.to_be_bytes()));
            assert!(filter.recent.len() + filter.older.len() < 2 * GENERATION);
        }
        for salt in 4 * GENERATION..5 * GENERATION {
            assert!(!filter.admit(&salt.to_be_bytes()));
        }
    }

    #[test]
    fn a_generation_fits_its_table() {
        let mut filter = ReplayFilter::default();
        for salt in 0..GENERATION - 1 {
            filter.admit(&salt.to_be_bytes());
        }
        assert_eq!(filter.recent.capacity(), GENERATION);
    }
}
