//! Bytes that both ends know, and how fast they went.

use std::{sync::Arc, time::Duration};

/// So many bytes without any order in them, the same for each `seed`.
pub(crate) fn content(seed: u64, len: usize) -> Arc<[u8]> {
    // Marsaglia's xorshift.
    let mut state = seed | 1 << 63;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    let mut bytes: Vec<u8> = words.take(len.div_ceil(8)).flatten().collect();
    bytes.truncate(len);
    bytes.into()
}

/// Prints how fast `len` bytes went.
pub(crate) fn tell(what: &str, lost_percent: u32, len: usize, took: Duration) {
    let mib = u32::try_from(len / MIB).unwrap();
    let mb = f64::from(mib) * 1.048_576;
    let rate = mb / took.as_secs_f64();
    println!("{what:<42} {mib:>4} MiB, {lost_percent} % lost: {rate:>6.1} MB/s");
}

pub(crate) const MIB: usize = 1024 * 1024;
