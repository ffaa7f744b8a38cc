//! Datagrams that only the members of a network can read, or tell from random bytes.

use std::fmt;

/// Seals datagrams for the members of one network.
///
/// To whoever is no member, a sealed datagram is random bytes from the first to the last, and two datagrams with the
/// same plaintext have nothing in common. `crust-crypto` makes one from a network key.
///
/// Opening is in two steps, so that junk is refused by the cheap one: [`stamp`](Self::stamp) first, then
/// [`open`](Self::open).
pub trait DatagramSealer: fmt::Debug + Send + Sync {
    /// Bytes by which a sealed datagram is longer than its plaintext; the same for each.
    fn overhead(&self) -> usize;

    /// Seals `plaintext`, and puts the datagram at the end of `out`.
    fn seal(&self, plaintext: &[u8], out: &mut Vec<u8>);

    /// A number that a datagram sealed for this network has, and as good as no other; `None` for junk.
    ///
    /// It costs little and allocates nothing. A datagram that has a stamp need not be whole; one that was sent again
    /// has the stamp it had before.
    fn stamp(&self, datagram: &[u8]) -> Option<u64>;

    /// Opens `datagram` in place and gives its plaintext; `None` where it was not sealed for this network, or changed.
    fn open<'d>(&self, datagram: &'d mut [u8]) -> Option<&'d [u8]>;
}
