//! Selective acknowledgement: which packets came beyond the first that is missing.

/// A row of bits: the lowest of the first byte stands for the packet after the next (`ack_nr + 2`), and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sack<'a>(&'a [u8]);

impl<'a> Sack<'a> {
    /// Takes any bytes, one at least. BEP 29 has whole words of four bytes, and libtorrent sends what it needs.
    pub(crate) const fn new(mask: &'a [u8]) -> Option<Self> {
        if mask.is_empty() {
            return None;
        }
        Some(Self(mask))
    }

    pub(crate) const fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// The numbers of the bits that are set, each counted from the packet after the next.
    pub(crate) fn set_bits(self) -> impl Iterator<Item = u16> + use<'a> {
        let words = self.0.chunks(WORD_LEN).enumerate();
        words.flat_map(|(index, bytes)| {
            let mut word = [0; WORD_LEN];
            word[..bytes.len()].copy_from_slice(bytes);
            let first = u16::try_from(index)
                .unwrap_or(u16::MAX)
                .saturating_mul(WORD_BITS);
            Bits(u32::from_le_bytes(word)).map(move |bit| first + bit)
        })
    }
}

/// The numbers of the bits set in a word, upwards.
struct Bits(u32);

impl Iterator for Bits {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        if self.0 == 0 {
            return None;
        }
        let bit = self.0.trailing_zeros();
        self.0 &= self.0 - 1;
        u16::try_from(bit).ok()
    }
}

/// Bytes of a word.
pub(crate) const WORD_LEN: usize = 4;
/// The longest mask: an extension's length has one byte.
pub(crate) const MAX_MASK_LEN: usize = 252;
const WORD_BITS: u16 = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_counted_from_the_lowest_of_each_byte() {
        let sack = Sack::new(&[0b1, 0, 0, 0x80, 0, 0b10, 0, 0]).unwrap();
        assert_eq!(sack.set_bits().collect::<Vec<_>>(), [0, 31, 41]);
    }

    #[test]
    fn masks_of_any_length_are_read() {
        for len in 1..=255_u8 {
            let mask = vec![0x80; len.into()];
            let bits = Sack::new(&mask).unwrap().set_bits();
            let expected = (1..=u16::from(len)).map(|bytes| bytes * 8 - 1);
            assert!(bits.eq(expected), "{len}");
        }
        assert_eq!(Sack::new(&[]), None);
    }
}
