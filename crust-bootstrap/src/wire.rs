//! The cache file: bytes to entries and back, as `docs/cache-file.md` says.
//!
//! ```text
//! file    = header entry*                                      at most 524,288 bytes
//! header  = "crust peers\0" version:u16 count:u16 cleared:u64 sum       32 bytes
//! entry   = c5 70 65 31 len:u16 sum body                       14 bytes and the body's `len`
//! sum     = the first 8 bytes of SHA-256 over what is before it (in an entry: over `len`) and over the body
//! ```
//!
//! Integers are big endian; a body is a [`stored`] entry as `crust_core::codec` writes it. Each entry can be told from damage
//! by itself: whatever happens to the rest, it is found by its marker and proven by its sum.

use ring::digest::{Context, SHA256};

use crate::{
    entry::Entry,
    stored::{self, MAX_BODY_LEN},
    table::MAX_PEERS,
};

/// What was read of a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Decoded {
    pub(crate) entries: Vec<Entry>,
    /// Milliseconds since the Unix epoch when the cache was last cleared; zero where it never was.
    pub(crate) cleared_ms: u64,
    /// What is wrong with the file.
    pub(crate) flaw: Option<Flaw>,
}

/// What is wrong with a file; whatever could be read of it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// It is not as it was written.
    Damaged,
    /// A later version of the program wrote it.
    Newer { version: u16 },
}

/// Writes as many of `entries`, in their order, as the bounds allow.
pub(crate) fn encode<'a>(entries: impl IntoIterator<Item = &'a Entry>, cleared_ms: u64) -> Vec<u8> {
    let mut file = vec![0; HEADER_LEN];
    let mut count: u16 = 0;
    for entry in entries.into_iter().take(MAX_PEERS) {
        let Ok(body) = stored::encode(entry) else {
            debug_assert!(
                false,
                "an entry within its bounds has no more than {MAX_BODY_LEN} bytes"
            );
            continue;
        };
        if file.len() + FRAME_LEN + body.len() > MAX_FILE_LEN {
            break;
        }
        put_frame(&body, &mut file);
        count += 1;
    }
    let header = header(VERSION, count, cleared_ms);
    file[..HEADER_LEN].copy_from_slice(&header);
    file
}

/// Reads every entry of `file` that is whole, whatever the rest is.
///
/// Takes time in proportion to the file's length, damaged or not: what is hashed in vain is bounded.
pub(crate) fn decode(file: &[u8]) -> Decoded {
    let Some(header) = Header::read(file) else {
        let (entries, _) = salvage(file);
        return Decoded {
            entries,
            cleared_ms: 0,
            flaw: Some(Flaw::Damaged),
        };
    };
    let (entries, mut whole) = salvage(&file[HEADER_LEN..]);
    whole &= entries.len() == usize::from(header.count) && file.len() <= MAX_FILE_LEN;
    let flaw = match header.version {
        VERSION if whole => None,
        version if version > VERSION => Some(Flaw::Newer { version }),
        _ => Some(Flaw::Damaged),
    };
    Decoded {
        entries,
        cleared_ms: header.cleared_ms,
        flaw,
    }
}

/// A file of `bodies` that may be no entries.
#[cfg(fuzzing)]
pub(crate) fn framed(bodies: &[&[u8]]) -> Vec<u8> {
    let count = u16::try_from(bodies.len()).unwrap_or(u16::MAX);
    let mut file = header(VERSION, count, 0).to_vec();
    for body in bodies.iter().filter(|body| body.len() <= MAX_BODY_LEN) {
        put_frame(body, &mut file);
    }
    file
}

struct Header {
    version: u16,
    count: u16,
    cleared_ms: u64,
}

impl Header {
    fn read(file: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEADER_LEN] = file.first_chunk()?;
        let version = u16::from_be_bytes(*bytes[MAGIC.len()..].first_chunk()?);
        let count = u16::from_be_bytes(*bytes[MAGIC.len() + 2..].first_chunk()?);
        let cleared_ms = u64::from_be_bytes(*bytes[MAGIC.len() + 4..].first_chunk()?);
        let is_whole = *bytes == header(version, count, cleared_ms);
        is_whole.then_some(Self {
            version,
            count,
            cleared_ms,
        })
    }
}

fn header(version: u16, count: u16, cleared_ms: u64) -> [u8; HEADER_LEN] {
    let mut bytes = [0; HEADER_LEN];
    let (before, own_sum) = bytes.split_at_mut(HEADER_LEN - SUM_LEN);
    before[..MAGIC.len()].copy_from_slice(MAGIC);
    before[MAGIC.len()..][..2].copy_from_slice(&version.to_be_bytes());
    before[MAGIC.len() + 2..][..2].copy_from_slice(&count.to_be_bytes());
    before[MAGIC.len() + 4..].copy_from_slice(&cleared_ms.to_be_bytes());
    own_sum.copy_from_slice(&sum(&[before]));
    bytes
}

fn put_frame(body: &[u8], file: &mut Vec<u8>) {
    let len = u16::try_from(body.len()).unwrap_or_else(|_| unreachable!("MAX_BODY_LEN fits"));
    let len = len.to_be_bytes();
    file.extend_from_slice(MARKER);
    file.extend_from_slice(&len);
    file.extend_from_slice(&sum(&[&len, body]));
    file.extend_from_slice(body);
}

/// Every whole entry in `bytes`, and whether there is nothing else.
fn salvage(bytes: &[u8]) -> (Vec<Entry>, bool) {
    let mut entries = Vec::new();
    let mut whole = true;
    let mut rest = bytes;
    let mut in_vain = MAX_HASHED_IN_VAIN;
    while !rest.is_empty() {
        if let Some((entry, len)) = first_entry(rest, &mut in_vain) {
            if entries.len() == MAX_PEERS {
                return (entries, false);
            }
            entries.push(entry);
            rest = &rest[len..];
            continue;
        }
        whole = false;
        let next = rest[1..]
            .windows(MARKER.len())
            .position(|four| four == MARKER);
        rest = next.map_or(&[], |next| &rest[1 + next..]);
    }
    (entries, whole)
}

/// The entry that `bytes` begin with, and its length there.
fn first_entry(bytes: &[u8], in_vain: &mut usize) -> Option<(Entry, usize)> {
    let rest = bytes.strip_prefix(MARKER)?;
    let (len, rest) = rest.split_first_chunk::<2>()?;
    let (claimed, rest) = rest.split_first_chunk::<SUM_LEN>()?;
    let body_len = usize::from(u16::from_be_bytes(*len));
    let body = rest.get(..body_len)?;
    if body_len > MAX_BODY_LEN || body_len > *in_vain {
        return None;
    }
    let entry = (sum(&[len, body]) == *claimed).then(|| stored::decode(body).ok());
    let Some(entry) = entry.flatten() else {
        *in_vain -= body_len;
        return None;
    };
    Some((entry, FRAME_LEN + body_len))
}

/// A hash that is there already rather than a CRC: 64 bits of it leave no doubt about an entry found amid damage.
fn sum(parts: &[&[u8]]) -> [u8; SUM_LEN] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let digest = context.finish();
    let mut sum = [0; SUM_LEN];
    sum.copy_from_slice(&digest.as_ref()[..SUM_LEN]);
    sum
}

/// Bytes of the longest file.
pub(crate) const MAX_FILE_LEN: usize = 512 * 1024;

const MAGIC: &[u8; 12] = b"crust peers\0";
const VERSION: u16 = 1;
const SUM_LEN: usize = 8;
const HEADER_LEN: usize = MAGIC.len() + 2 + 2 + 8 + SUM_LEN;

/// Stands before each entry of this version; its last character is the version's.
const MARKER: &[u8; 4] = b"\xc5pe1";
const FRAME_LEN: usize = MARKER.len() + 2 + SUM_LEN;

/// Enough for each of 1,500 entries to be damaged; a file made to be hashed for long is given up after it.
const MAX_HASHED_IN_VAIN: usize = 32 * MAX_FILE_LEN;

#[cfg(test)]
mod tests;
