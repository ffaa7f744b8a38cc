//! Messages of gossip, to bytes and back.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use crust_core::{
    CONTROL_MAX_LEN, SIGNATURE_LEN, SignedRecord,
    codec::{self, CodecError},
};
use thiserror::Error;

use super::digest::Digest;

/// What one node tells another.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// What the sender knows; who gets it answers with what the sender lacks.
    Digest(Digest),
    /// Records that the sender takes to be news.
    Records(Vec<Told>),
}

/// A record, and how long ago it was made as far as the one who tells it knows.
///
/// Whoever hands it on adds the time that it was kept. So nodes whose clocks differ agree on how old a record is, and one
/// that is no longer renewed is dropped long before it expires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The record.
    pub record: SignedRecord,
    /// Milliseconds since it was made, rounded up, so that it grows no younger on its way.
    pub age_ms: u32,
}

impl Message {
    /// Records that were made just now.
    pub fn records(records: impl IntoIterator<Item = SignedRecord>) -> Self {
        let told = |record| Told { record, age_ms: 0 };
        Self::Records(records.into_iter().map(told).collect())
    }

    /// Writes it.
    ///
    /// # Panics
    ///
    /// Where the records need more than [`CONTROL_MAX_LEN`] bytes.
    pub fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::new();
        bytes.put_u8(VERSION);
        match self {
            Self::Digest(digest) => {
                bytes.put_u8(DIGEST);
                bytes.put_u64(digest.salt());
                bytes.put_slice(digest.filter());
            }
            Self::Records(records) => {
                bytes.put_u8(RECORDS);
                records.iter().for_each(|told| put(told, &mut bytes));
            }
        }
        assert!(
            bytes.len() <= CONTROL_MAX_LEN,
            "a message fits into a record"
        );
        bytes.freeze()
    }

    /// Reads it; `None` for what only later versions know, which is to be ignored.
    ///
    /// # Errors
    ///
    /// [`WireError`] for what no version sends.
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>, WireError> {
        if bytes.len() > CONTROL_MAX_LEN {
            return Err(WireError::TooLong(bytes.len()));
        }
        let [version, kind, body @ ..] = bytes else {
            return Err(WireError::CutOff);
        };
        match (*version, *kind) {
            (VERSION, DIGEST) => digest(body).map(Some),
            (VERSION, RECORDS) => records(body).map(Some),
            _ => Ok(None),
        }
    }
}

/// Bytes that `record` takes in a message.
pub(super) fn record_len(record: &SignedRecord) -> usize {
    RECORD_HEADER_LEN + encoded(record).len()
}

/// Bytes before each record: its length and age.
const RECORD_HEADER_LEN: usize = 6;

/// Bytes of a message before its records.
pub(super) const HEADER_LEN: usize = 2;

/// Why bytes are no message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WireError {
    /// Bytes are missing at its end.
    #[error("the message is cut off")]
    CutOff,
    /// The filter of a digest is too short or too long.
    #[error("a filter has {} to {} bytes, not {}", Digest::MIN_FILTER_LEN, Digest::MAX_FILTER_LEN, .0)]
    FilterLen(usize),
    /// Something is in the place of a record that is none.
    #[error("a record in the message cannot be read")]
    Record(#[from] CodecError),
    /// A record is shorter or longer than one can be.
    #[error("a record has {MIN_RECORD_LEN} to {MAX_RECORD_LEN} bytes, not {0}")]
    RecordLen(usize),
    /// The message is longer than a control message can be.
    #[error("a message has at most {CONTROL_MAX_LEN} bytes, not {0}")]
    TooLong(usize),
}

fn digest(mut body: &[u8]) -> Result<Message, WireError> {
    let salt = body.try_get_u64().map_err(|_| WireError::CutOff)?;
    let digest = Digest::from_parts(salt, body).ok_or(WireError::FilterLen(body.len()))?;
    Ok(Message::Digest(digest))
}

/// As many as there are bytes for: the shortest one bounds them at 144.
fn records(mut body: &[u8]) -> Result<Message, WireError> {
    let mut records = Vec::new();
    while !body.is_empty() {
        records.push(take(&mut body)?);
    }
    Ok(Message::Records(records))
}

fn take(body: &mut &[u8]) -> Result<Told, WireError> {
    let len = body.try_get_u16().map_err(|_| WireError::CutOff)?.into();
    let age_ms = body.try_get_u32().map_err(|_| WireError::CutOff)?;
    if !(MIN_RECORD_LEN..=MAX_RECORD_LEN).contains(&len) {
        return Err(WireError::RecordLen(len));
    }
    let (record, rest) = body.split_at_checked(len).ok_or(WireError::CutOff)?;
    *body = rest;
    let record = codec::decode::<_, MAX_RECORD_LEN>(record)?;
    Ok(Told { record, age_ms })
}

fn put(told: &Told, bytes: &mut BytesMut) {
    let encoded = encoded(&told.record);
    let len = u16::try_from(encoded.len()).expect("the longest record has 1,092 bytes");
    bytes.put_u16(len);
    bytes.put_u32(told.age_ms);
    bytes.put_slice(&encoded);
}

fn encoded(record: &SignedRecord) -> Vec<u8> {
    codec::encode::<_, MAX_RECORD_LEN>(record).expect("a record that was signed or read is short")
}

/// Of this layout. A message of another version is ignored.
const VERSION: u8 = 1;

const DIGEST: u8 = 1;
const RECORDS: u8 = 2;

/// Peer, no address, both times in one byte each, and the signature, with their lengths.
const MIN_RECORD_LEN: usize = 32 + 1 + 2 + SIGNATURE_LEN + 2;

/// The longest record, its signature, and their lengths.
const MAX_RECORD_LEN: usize = SignedRecord::MAX_LEN + SIGNATURE_LEN + 4;

#[cfg(test)]
mod tests {
    use crust_core::PeerRecord;
    use proptest::prelude::*;

    use super::*;
    use crate::gossip::toy::{Toy, toy_peer};

    prop_compose! {
        fn any_record()(
            number: u32,
            addrs in prop::collection::vec("[a-z]{3}://[!-~]{1,40}", 0..=PeerRecord::MAX_ADDRS),
            seq: u64,
            expires: u64,
        ) -> SignedRecord {
            let addrs = addrs.iter().map(|addr| addr.parse().unwrap()).collect();
            let record = PeerRecord { peer: toy_peer(number), addrs, seq, expires };
            record.sign(&Toy::new(number)).unwrap()
        }
    }

    prop_compose! {
        fn any_told()(record in any_record(), age_ms: u32) -> Told {
            Told { record, age_ms }
        }
    }

    fn any_message() -> impl Strategy<Value = Message> {
        let filter = prop::collection::vec(any::<u8>(), Digest::MIN_FILTER_LEN..200);
        let digest = (any::<u64>(), filter)
            .prop_map(|(salt, filter)| Digest::from_parts(salt, &filter).unwrap());
        prop_oneof![
            digest.prop_map(Message::Digest),
            prop::collection::vec(any_told(), 0..13).prop_map(Message::Records),
        ]
    }

    proptest! {
        #[test]
        fn decode_undoes_encode(message in any_message()) {
            prop_assert_eq!(Message::decode(&message.encode()), Ok(Some(message)));
        }

        #[test]
        fn any_bytes_decode_without_panic(bytes: Vec<u8>, kind in 1_u8..=3) {
            let _ = Message::decode(&bytes);
            let _ = Message::decode(&[&[VERSION, kind], &bytes[..]].concat());
        }

        #[test]
        fn message_that_is_cut_is_no_other_message(message in any_message(), at: prop::sample::Index) {
            let bytes = message.encode();
            let cut = Message::decode(&bytes[..at.index(bytes.len())]);
            prop_assert_ne!(cut, Ok(Some(message)));
        }

        #[test]
        fn records_take_what_record_len_says(record in any_record()) {
            let len = record_len(&record);
            prop_assert_eq!(Message::records([record]).encode().len(), HEADER_LEN + len);
        }
    }

    #[test]
    fn later_versions_and_kinds_are_ignored() {
        assert_eq!(Message::decode(&[2, DIGEST]), Ok(None));
        assert_eq!(Message::decode(&[VERSION, 200, 1, 2, 3]), Ok(None));
    }

    #[test]
    fn lengths_out_of_bounds_are_refused() {
        let decode = |bytes: &[u8]| Message::decode(bytes);
        assert_eq!(decode(&[VERSION]), Err(WireError::CutOff));
        assert_eq!(decode(&[0; 16_001]), Err(WireError::TooLong(16_001)));
        let short = [&[VERSION, DIGEST][..], &[0; 8 + 7]].concat();
        assert_eq!(decode(&short), Err(WireError::FilterLen(7)));
        let long = [&[VERSION, DIGEST][..], &[0; 8 + 15_001]].concat();
        assert_eq!(decode(&long), Err(WireError::FilterLen(15_001)));
        let short = [VERSION, RECORDS, 0, 100, 0, 0, 0, 0];
        assert_eq!(decode(&short), Err(WireError::RecordLen(100)));
        let long = [VERSION, RECORDS, 4, 69, 0, 0, 0, 0];
        assert_eq!(decode(&long), Err(WireError::RecordLen(1_093)));
        let cut = [VERSION, RECORDS, 0, 101, 0, 0, 0, 0, 1];
        assert_eq!(decode(&cut), Err(WireError::CutOff));
    }

    #[test]
    fn shortest_and_longest_record_are_within_their_bounds() {
        let record = |addrs: Vec<String>, seq| PeerRecord {
            peer: toy_peer(1),
            addrs: addrs.iter().map(|addr| addr.parse().unwrap()).collect(),
            seq,
            expires: seq,
        };
        let short = record(Vec::new(), 0).sign(&Toy::new(1)).unwrap();
        assert_eq!(record_len(&short), RECORD_HEADER_LEN + MIN_RECORD_LEN);
        let addr = |len: usize| format!("a://{}", "a".repeat(len - 4));
        let addrs = vec![addr(240), addr(240), addr(240), addr(249)];
        let long = record(addrs, u64::MAX).sign(&Toy::new(1)).unwrap();
        assert_eq!(record_len(&long), RECORD_HEADER_LEN + MAX_RECORD_LEN);
    }
}
