//! One entry of the cache file: its body, as `crust_core::codec` writes it.

use crust_core::{
    Addr, PeerId, SIGNATURE_LEN, SignedRecord,
    codec::{self, CodecError},
};
use serde::{Deserialize, Serialize};

use crate::{
    entry::{Entry, MAX_ADDRS, Record},
    known::{Failed, Known, Reached},
    lans::Place,
};

/// Writes `entry`.
pub(crate) fn encode(entry: &Entry) -> Result<Vec<u8>, CodecError> {
    codec::encode::<_, MAX_BODY_LEN>(&Stored::from(entry))
}

/// Reads an entry that could have been written. Who signed its record is left open.
pub(crate) fn decode(body: &[u8]) -> Result<Entry, CodecError> {
    codec::decode::<Stored, MAX_BODY_LEN>(body)?.into_entry()
}

/// An entry as it is stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    peer: PeerId,
    heard_ms: u64,
    record: Newest,
    known: Vec<StoredKnown>,
}

/// The newest record, or when it was made where it is not kept.
#[derive(Serialize, Deserialize)]
enum Newest {
    NotKept { seq: u64 },
    Kept(SignedRecord),
}

#[derive(Serialize, Deserialize)]
struct StoredKnown {
    addr: StoredAddr,
    place: Place,
    reached: Option<Reached>,
    failed: Option<Failed>,
}

/// Most addresses are in the record, and need not be written twice.
#[derive(Serialize, Deserialize)]
enum StoredAddr {
    Text(Addr),
    OfRecord(u8),
}

impl From<&Entry> for Stored {
    fn from(entry: &Entry) -> Self {
        let said: &[Addr] = match &entry.record {
            Some(record) => &record.said.addrs,
            None => &[],
        };
        Self {
            peer: entry.peer,
            heard_ms: entry.heard_ms,
            record: match &entry.record {
                Some(record) => Newest::Kept(record.signed.clone()),
                None => Newest::NotKept { seq: entry.seq },
            },
            known: entry
                .known
                .iter()
                .map(|known| StoredKnown::new(known, said))
                .collect(),
        }
    }
}

impl StoredKnown {
    fn new(known: &Known, said: &[Addr]) -> Self {
        let at = said.iter().position(|addr| *addr == known.addr);
        let addr = match at.and_then(|at| u8::try_from(at).ok()) {
            Some(at) => StoredAddr::OfRecord(at),
            None => StoredAddr::Text(known.addr.clone()),
        };
        Self {
            addr,
            place: known.place,
            reached: known.reached,
            failed: (known.failed != Failed::default()).then_some(known.failed),
        }
    }

    fn into_known(self, said: &[Addr]) -> Result<Known, CodecError> {
        let addr = match self.addr {
            StoredAddr::Text(addr) => addr,
            StoredAddr::OfRecord(at) => said
                .get(usize::from(at))
                .ok_or(CodecError::Malformed)?
                .clone(),
        };
        if !self.place.is_valid() {
            return Err(CodecError::Malformed);
        }
        Ok(Known {
            addr,
            place: self.place,
            reached: self.reached,
            failed: self.failed.unwrap_or_default(),
        })
    }
}

impl Stored {
    /// The entry, where it is one that could have been written.
    fn into_entry(self) -> Result<Entry, CodecError> {
        let (seq, record) = match self.record {
            Newest::NotKept { seq } => (seq, None),
            Newest::Kept(signed) => {
                let record = Record::read(signed).ok_or(CodecError::Malformed)?;
                (record.said.seq, Some(record))
            }
        };
        let said: &[Addr] = match &record {
            Some(record) if record.said.peer != self.peer => return Err(CodecError::Malformed),
            Some(record) => &record.said.addrs,
            None => &[],
        };
        if self.known.is_empty() || self.known.len() > MAX_ADDRS {
            return Err(CodecError::Malformed);
        }
        let known = self.known.into_iter().map(|known| known.into_known(said));
        let known = known.collect::<Result<Vec<_>, _>>()?;
        if !known.is_sorted_by(|a, b| a.addr < b.addr) {
            return Err(CodecError::Malformed);
        }
        Ok(Entry {
            peer: self.peer,
            heard_ms: self.heard_ms,
            seq,
            record,
            known,
        })
    }
}

/// The longest record and sixteen of the longest addresses that are not in it need some 6,000.
pub(crate) const MAX_BODY_LEN: usize = 6_144;

const _: () = assert!(
    SignedRecord::MAX_LEN + SIGNATURE_LEN + MAX_ADDRS * (Addr::MAX_LEN + 48) < MAX_BODY_LEN
);
