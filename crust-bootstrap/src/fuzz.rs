//! What the fuzz target calls: a decoder that is nobody else's business.

use crust_core::PeerId;

use crate::{
    table::{MAX_PEERS, Table},
    wire,
};

/// Reads `file` as a cache file, and merges what is in it.
///
/// # Panics
///
/// Where entries that were read are not written as they were, or a table of them is over its bounds.
pub fn cache_file(file: &[u8]) {
    let decoded = wire::decode(file);
    let written = wire::encode(&decoded.entries, decoded.cleared_ms);
    assert!(written.len() <= wire::MAX_FILE_LEN);
    let again = wire::decode(&written);
    assert_eq!((&again.entries, again.flaw), (&decoded.entries, None));
    if decoded.flaw.is_none() {
        assert_eq!(again, decoded);
    }
    let mut table = Table::new(PeerId::from_bytes([0; PeerId::LEN]));
    table.merge(decoded.entries, decoded.cleared_ms, NOW_MS);
    assert!(table.len() <= MAX_PEERS);
    let times = table.entries(NOW_MS).into_iter();
    assert!(
        times
            .flat_map(|entry| entry.times_ms())
            .all(|at_ms| at_ms <= NOW_MS)
    );
}

/// A file whose entries have right checksums and whatever `bodies` they are given.
pub fn framed(bodies: &[&[u8]]) -> Vec<u8> {
    wire::framed(bodies)
}

const NOW_MS: u64 = 1 << 40;
