//! Bootstrap contacts that a node gives to whoever asks.

use std::fmt;

use crust_core::SignedRecord;

/// Where a node's bootstrap contacts come from: the cache of `crust-bootstrap`, or whatever knows good ones.
///
/// They never travel in a datagram. An answer on the LAN only says that there are some
/// ([`Neighbour::offers_contacts`](crate::Neighbour::offers_contacts)); who wants them asks over a session, and is
/// given what [`Beacon::contacts`](crate::Beacon::contacts) says.
pub trait ContactSource: fmt::Debug + Send + Sync {
    /// Signed records of good contacts, a random choice of the best; the first [`MAX_CONTACTS`] are used.
    fn contacts(&self) -> Vec<SignedRecord>;
}

/// Contacts that are given to one who asks: 35 KiB at most.
pub const MAX_CONTACTS: usize = 32;
