//! Numbers that differ from one run of a node to the next.

use std::hash::{BuildHasher, RandomState};

use crust_crypto::Identity;

/// Two numbers: which run of the node this is, and where its connection tokens begin.
///
/// They need not be secret, only different each time: a restarted peer is known by that.
pub(crate) fn seed(identity: &Identity) -> [u64; 2] {
    let now = crust_core::rt::unix_time();
    [
        RandomState::new().hash_one((identity.peer_id(), now)),
        RandomState::new().hash_one(now),
    ]
}
