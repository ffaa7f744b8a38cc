//! What became of what was imported.

use crust_core::{Addr, Contact, PeerId};
use thiserror::Error;

/// What became of a text that was imported.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imported {
    /// Addresses that were not known.
    pub new: usize,
    /// Addresses that were known already.
    pub known: usize,
    /// What is not in the cache now, and why.
    pub not_kept: Vec<(Contact, NotKept)>,
}

impl Imported {
    pub(crate) fn leave_out(&mut self, peer: PeerId, addr: Addr, why: NotKept) {
        let peer = Some(peer);
        self.not_kept.push((Contact { peer, addr }, why));
    }
}

/// Why an address is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Error)]
#[non_exhaustive]
pub enum NotKept {
    /// There are as many as are kept, or the peer signed that it is elsewhere.
    #[error("there is no room, or the peer's own record names others")]
    NoRoom,
    /// It means something else at each interface, or nothing: link-local, unspecified, multicast, port 0.
    #[error("it means nothing beyond one link")]
    Nowhere,
    /// It is of the node whose cache it is.
    #[error("it is this node's own")]
    Oneself,
    /// It is private, and in none of the prefixes of [`PeerCache::set_lans`](crate::PeerCache::set_lans).
    #[error("it is private, and in no network of this machine")]
    OtherLan,
}
