//! Contacts: signed records of peers, handed to whoever finds no room here.

use bytes::{Buf, BufMut};
use crust_core::{
    CONTROL_MAX_LEN, SIGNATURE_LEN, SignedRecord,
    codec::{self, CodecError},
};
use thiserror::Error;

/// As many of `records` as a control message holds, [`MAX_CONTACTS`] at most.
pub(crate) fn encode<'a>(records: impl IntoIterator<Item = &'a SignedRecord>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for record in records.into_iter().take(MAX_CONTACTS) {
        let Ok(record) = codec::encode::<_, MAX_RECORD_LEN>(record) else {
            continue;
        };
        if bytes.len() + LENGTH_LEN + record.len() > CONTROL_MAX_LEN {
            break;
        }
        bytes.put_u16(u16::try_from(record.len()).unwrap_or(u16::MAX));
        bytes.extend(record);
    }
    bytes
}

/// Reads what [`encode`] wrote. Nobody's signature is checked.
pub(crate) fn decode(mut bytes: &[u8]) -> Result<Vec<SignedRecord>, ContactsError> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        if records.len() == MAX_CONTACTS {
            return Err(ContactsError::TooMany);
        }
        let len = bytes.try_get_u16().map_err(|_| ContactsError::Truncated)?;
        let (record, rest) = bytes
            .split_at_checked(len.into())
            .ok_or(ContactsError::Truncated)?;
        records.push(codec::decode::<_, MAX_RECORD_LEN>(record)?);
        bytes = rest;
    }
    Ok(records)
}

/// Why bytes are no contacts.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum ContactsError {
    #[error("a contact cannot be read")]
    Codec(#[from] CodecError),
    #[error("there are more than {MAX_CONTACTS} contacts")]
    TooMany,
    #[error("the contacts are cut off")]
    Truncated,
}

/// Records handed over at once: a random few of those known are enough to go on with.
pub(crate) const MAX_CONTACTS: usize = 32;
/// The longest record, its signature, and their lengths.
const MAX_RECORD_LEN: usize = SignedRecord::MAX_LEN + SIGNATURE_LEN + 4;
/// Bytes of a length.
const LENGTH_LEN: usize = 2;

#[cfg(test)]
mod tests {
    use crust_core::{PeerRecord, Signer};
    use crust_crypto::Identity;
    use proptest::prelude::*;

    use super::*;

    fn record(identity: &Identity, addrs: usize) -> SignedRecord {
        let addr = |number| format!("tcp://192.0.2.{number}:1").parse().unwrap();
        let record = PeerRecord {
            peer: Signer::peer_id(identity),
            addrs: (0..addrs).map(addr).collect(),
            seq: 1,
            expires: 2,
        };
        record.sign(identity).unwrap()
    }

    #[test]
    fn contacts_come_back_and_no_more_than_fit() {
        let identity = Identity::generate();
        for (addrs, count, fit) in [(1, 3, 3), (1, 50, MAX_CONTACTS), (16, 50, 32)] {
            let records = vec![record(&identity, addrs); count];
            let bytes = encode(&records);
            assert!(bytes.len() <= CONTROL_MAX_LEN);
            assert_eq!(decode(&bytes).unwrap(), records[..fit]);
        }
    }

    #[test]
    fn too_many_and_cut_off_contacts_are_refused() {
        let identity = Identity::generate();
        let one = encode(&[record(&identity, 1)]);
        assert_eq!(
            decode(&one.repeat(MAX_CONTACTS + 1)),
            Err(ContactsError::TooMany)
        );
        assert_eq!(decode(&one[..one.len() - 1]), Err(ContactsError::Truncated));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            let _ = decode(&bytes);
        }
    }
}
