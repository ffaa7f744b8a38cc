//! What a node says it knows, in few bytes: a Bloom filter with a salt of its own.

use crust_core::PeerId;

use super::hash;

/// What a node knows, in few bytes: a Bloom filter (Bloom 1970) over its records' peers and sequence numbers.
///
/// It never lacks what the node knows, and seems to hold one in 300 of the records that the node does not know. Those
/// would wait for a later digest, which has another salt: so no record waits for ever, and nobody can make one that
/// does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    salt: u64,
    filter: Vec<u8>,
}

impl Digest {
    /// Bytes of the longest filter: 12 bits for each of 10,000 records.
    pub const MAX_FILTER_LEN: usize = 15_000;
    /// Bytes of the shortest filter, which is that of a few records or none.
    pub const MIN_FILTER_LEN: usize = 8;

    /// An empty digest with room for `records`.
    pub fn with_room(records: usize, salt: u64) -> Self {
        let len = records.saturating_mul(BITS_PER_RECORD).div_ceil(8);
        let len = len.clamp(Self::MIN_FILTER_LEN, Self::MAX_FILTER_LEN);
        let filter = vec![0; len];
        Self { salt, filter }
    }

    /// Takes a filter as it came; `None` where its length is out of bounds.
    pub fn from_parts(salt: u64, filter: &[u8]) -> Option<Self> {
        let bounds = Self::MIN_FILTER_LEN..=Self::MAX_FILTER_LEN;
        let filter = bounds.contains(&filter.len()).then(|| filter.to_vec())?;
        Some(Self { salt, filter })
    }

    /// Adds the record `seq` of `peer`.
    pub fn insert(&mut self, peer: &PeerId, seq: u64) {
        for (byte, bit) in self.probes(peer, seq) {
            self.filter[byte] |= bit;
        }
    }

    /// Whether the record `seq` of `peer` was added; in one case of 300, true where it was not.
    pub fn contains(&self, peer: &PeerId, seq: u64) -> bool {
        self.probes(peer, seq)
            .all(|(byte, bit)| self.filter[byte] & bit != 0)
    }

    /// The salt, drawn anew for each digest.
    pub const fn salt(&self) -> u64 {
        self.salt
    }

    /// The filter's bytes.
    pub fn filter(&self) -> &[u8] {
        &self.filter
    }

    /// Where the bits of a record are: byte and mask. Two halves of one hash make all (Kirsch, Mitzenmacher 2006).
    fn probes(&self, peer: &PeerId, seq: u64) -> impl Iterator<Item = (usize, u8)> + use<> {
        let (salt, seq) = (self.salt.to_be_bytes(), seq.to_be_bytes());
        let hash = hash::head(&[&salt, peer.as_bytes(), &seq]);
        let (start, step) = (hash >> 32, hash & 0xffff_ffff | 1);
        let bits = self.filter.len() as u64 * 8;
        (0..PROBES).map(move |i| {
            let bit = (start + i * step) % bits;
            let byte = usize::try_from(bit / 8).expect("within the filter");
            (byte, 1 << (bit % 8))
        })
    }
}

/// With eight probes, one in 300 is taken for known that is not.
const BITS_PER_RECORD: usize = 12;

/// The best number for 12 bits is 12 · ln 2, just over eight.
const PROBES: u64 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u32) -> PeerId {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        PeerId::from_bytes(bytes)
    }

    #[test]
    fn digest_of_a_full_table_is_right_about_what_it_holds_and_seldom_wrong_about_the_rest() {
        let mut digest = Digest::with_room(10_000, 7);
        assert_eq!(digest.filter().len(), Digest::MAX_FILTER_LEN);
        (0..10_000).for_each(|i| digest.insert(&peer(i), 5));
        assert!((0..10_000).all(|i| digest.contains(&peer(i), 5)));
        let wrong = (0..10_000).filter(|i| digest.contains(&peer(*i), 6));
        assert!(wrong.count() < 60);
    }

    #[test]
    fn another_salt_is_wrong_about_others() {
        let wrong = |salt| {
            let mut digest = Digest::with_room(1_000, salt);
            (0..1_000).for_each(|i| digest.insert(&peer(i), 5));
            let wrong = (1_000..15_000).filter(|i| digest.contains(&peer(*i), 5));
            wrong.collect::<std::collections::BTreeSet<_>>()
        };
        let both = wrong(1).intersection(&wrong(2)).count();
        assert!(both < 5, "{both}");
    }

    /// The hash by another implementation of SHA-256: see `docs/gossip.md`.
    #[test]
    fn bits_are_where_the_document_says() {
        let mut digest = Digest::with_room(1, 1);
        digest.insert(&PeerId::from_bytes([2; 32]), 3);
        assert_eq!(digest.filter(), VECTOR);
    }

    const VECTOR: [u8; 8] = [0x82, 0x20, 0x00, 0x41, 0x10, 0x04, 0x00, 0x08];
}
