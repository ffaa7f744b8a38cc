//! Contacts: signed records of peers, for whoever asks for them or finds no room here.

use bytes::{Buf, BufMut};
use crust_core::{
    CONTROL_MAX_LEN, SIGNATURE_LEN, SignedRecord,
    codec::{self, CodecError},
};
use thiserror::Error;

/// A message of the contacts channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ContactsMessage {
    /// Whom do you know?
    Request,
    /// These; nobody's signature is checked.
    Contacts(Vec<SignedRecord>),
    /// This is where I am; likewise.
    Own(SignedRecord),
}

impl ContactsMessage {
    /// Of contacts as many as a control message holds, [`MAX_CONTACTS`] at most.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let (kind, records) = match self {
            Self::Request => return vec![REQUEST],
            Self::Contacts(records) => (CONTACTS, &**records),
            Self::Own(record) => (OWN, std::slice::from_ref(record)),
        };
        bytes.put_u8(kind);
        for record in records.iter().take(MAX_CONTACTS) {
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

    /// Reads what [`ContactsMessage::encode`] wrote.
    pub(crate) fn decode(mut bytes: &[u8]) -> Result<Self, ContactsError> {
        match bytes.try_get_u8().map_err(|_| ContactsError::Truncated)? {
            REQUEST if bytes.is_empty() => Ok(Self::Request),
            REQUEST => Err(ContactsError::Trailing),
            CONTACTS => records(bytes).map(Self::Contacts),
            OWN => match <[_; 1]>::try_from(records(bytes)?) {
                Ok([record]) => Ok(Self::Own(record)),
                Err(_) => Err(ContactsError::NotOne),
            },
            kind => Err(ContactsError::Kind(kind)),
        }
    }
}

fn records(mut bytes: &[u8]) -> Result<Vec<SignedRecord>, ContactsError> {
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

/// Why bytes are no message of the contacts channel.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum ContactsError {
    #[error("a contact cannot be read")]
    Codec(#[from] CodecError),
    #[error("kind {0} is unknown")]
    Kind(u8),
    #[error("something follows a request")]
    Trailing,
    #[error("a peer has one record of its own")]
    NotOne,
    #[error("there are more than {MAX_CONTACTS} contacts")]
    TooMany,
    #[error("the contacts are cut off")]
    Truncated,
}

/// Records handed over at once: a random few of those known are enough to go on with.
pub(crate) const MAX_CONTACTS: usize = 32;
/// The longest record, its signature, and their lengths.
const MAX_RECORD_LEN: usize = SignedRecord::MAX_LEN + SIGNATURE_LEN + 4;
/// Kinds of messages.
const REQUEST: u8 = 0;
const CONTACTS: u8 = 1;
const OWN: u8 = 2;
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
    fn messages_come_back_and_no_more_contacts_than_fit() {
        let identity = Identity::generate();
        for (addrs, count, fit) in [(1, 0, 0), (1, 3, 3), (1, 50, MAX_CONTACTS), (16, 50, 32)] {
            let records = vec![record(&identity, addrs); count];
            let bytes = ContactsMessage::Contacts(records.clone()).encode();
            assert!(bytes.len() <= CONTROL_MAX_LEN);
            let came = ContactsMessage::Contacts(records[..fit].to_vec());
            assert_eq!(ContactsMessage::decode(&bytes).unwrap(), came);
        }
        let own = ContactsMessage::Own(record(&identity, 16));
        for message in [ContactsMessage::Request, own] {
            assert_eq!(ContactsMessage::decode(&message.encode()), Ok(message));
        }
    }

    #[test]
    fn messages_that_are_not_whole_or_too_long_are_refused() {
        let decode = ContactsMessage::decode;
        let one = ContactsMessage::Contacts(vec![record(&Identity::generate(), 1)]).encode();
        let many = [&one[..1], &one[1..].repeat(MAX_CONTACTS + 1)].concat();
        assert_eq!(decode(&many), Err(ContactsError::TooMany));
        assert_eq!(decode(&one[..one.len() - 1]), Err(ContactsError::Truncated));
        assert_eq!(decode(&[]), Err(ContactsError::Truncated));
        assert_eq!(decode(&[REQUEST, 0]), Err(ContactsError::Trailing));
        assert_eq!(decode(&[OWN]), Err(ContactsError::NotOne));
        assert_eq!(decode(&[7]), Err(ContactsError::Kind(7)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            let _ = ContactsMessage::decode(&bytes);
        }
    }
}
