//! Sequence numbers, which count packets and wrap around.

use std::fmt;

/// The number of a packet that takes part in the order (BEP 29): data, SYN and FIN.
///
/// Numbers wrap around; one is *before* another when it is less than half the circle behind it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SeqNr(pub(crate) u16);

impl SeqNr {
    pub(crate) const fn next(self) -> Self {
        self.add(1)
    }

    pub(crate) const fn prev(self) -> Self {
        Self(self.0.wrapping_sub(1))
    }

    pub(crate) const fn add(self, count: u16) -> Self {
        Self(self.0.wrapping_add(count))
    }

    /// How many numbers it is ahead of `base`; where it is before it, more than half the circle.
    pub(crate) const fn ahead_of(self, base: Self) -> u16 {
        self.0.wrapping_sub(base.0)
    }

    /// Whether it comes before `other`.
    pub(crate) const fn is_before(self, other: Self) -> bool {
        self.ahead_of(other) > HALF
    }
}

impl fmt::Debug for SeqNr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// Half the circle.
const HALF: u16 = u16::MAX / 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_goes_on_over_the_wrap() {
        let (last, first) = (SeqNr(u16::MAX), SeqNr(0));
        assert_eq!(last.next(), first);
        assert_eq!(first.prev(), last);
        assert!(last.is_before(first) && !first.is_before(last));
        assert!(!first.is_before(first));
        assert_eq!(SeqNr(3).ahead_of(SeqNr(u16::MAX - 1)), 5);
    }
}
