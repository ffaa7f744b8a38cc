//! What became of the datagrams.

/// What became of the datagrams of a beacon since it began, in datagrams.
///
/// Nothing is lost in silence: each datagram that was received is in `taken` or in one of the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Not sealed for this network, or of no length that a datagram has.
    pub junk: u64,
    /// A later version may have understood them, or nobody.
    pub malformed: u64,
    /// From an address that is not on the link.
    pub off_link: u64,
    /// Above what is taken in a second, or what waits for an answer.
    pub over_limit: u64,
    /// Said who or where in a way that cannot be believed: signature, expiry, addresses.
    pub refused: u64,
    /// Received before; our own are among them, where the system gives them back.
    pub repeated: u64,
    /// Sent.
    pub sent: u64,
    /// By a clock more than a minute from ours, and not in answer to anything; or with a record that is no newer than
    /// what is known.
    pub stale: u64,
    /// Believed.
    pub taken: u64,
    /// Not sent: above what is sent in a second, or the system said no.
    pub unsent: u64,
}
