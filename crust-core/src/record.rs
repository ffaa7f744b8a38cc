//! Where a peer says it is, signed by it.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    Addr, PeerId,
    codec::{self, CodecError},
};

/// Where a peer says it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerRecord {
    /// Whose record it is.
    pub peer: PeerId,
    /// Where it can be dialed; [`PeerRecord::MAX_ADDRS`] at most.
    pub addrs: Vec<Addr>,
    /// Milliseconds since the Unix epoch when it was made; of two records of one peer the higher holds.
    pub seq: u64,
    /// Milliseconds since the Unix epoch from which it holds no longer.
    pub expires: u64,
}

impl PeerRecord {
    /// Addresses of the longest record: two protocols, two families, four interfaces.
    pub const MAX_ADDRS: usize = 16;

    /// Signs it.
    ///
    /// # Errors
    ///
    /// [`RecordError::TooManyAddrs`], or [`RecordError::Codec`] where it is longer than [`SignedRecord::MAX_LEN`].
    pub fn sign<S: Signer + ?Sized>(&self, signer: &S) -> Result<SignedRecord, RecordError> {
        self.check_len()?;
        let record = codec::encode::<_, { SignedRecord::MAX_LEN }>(self)?;
        let signature = signer.sign(&signed_bytes(&record)).to_vec();
        Ok(SignedRecord { record, signature })
    }

    fn check_len(&self) -> Result<(), RecordError> {
        if self.addrs.len() > Self::MAX_ADDRS {
            return Err(RecordError::TooManyAddrs(self.addrs.len()));
        }
        Ok(())
    }
}

/// A [`PeerRecord`] as it travels: its bytes and the peer's signature over them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedRecord {
    record: Vec<u8>,
    signature: Vec<u8>,
}

impl SignedRecord {
    /// Bytes of the longest record, signature not counted: sixteen addresses of some 60 bytes fit.
    pub const MAX_LEN: usize = 1_024;

    /// Checks signature, length and time, and gives the record.
    ///
    /// `now_ms` is in milliseconds since the Unix epoch.
    ///
    /// # Errors
    ///
    /// Each variant of [`RecordError`], as it says.
    pub fn verify<V: Verifier + ?Sized>(
        &self,
        verifier: &V,
        now_ms: u64,
    ) -> Result<PeerRecord, RecordError> {
        let record: PeerRecord = codec::decode::<_, { Self::MAX_LEN }>(&self.record)?;
        record.check_len()?;
        let signature = self
            .signature
            .as_slice()
            .try_into()
            .map_err(|_| RecordError::Signature)?;
        if !verifier.verify(&record.peer, &signed_bytes(&self.record), signature) {
            return Err(RecordError::Signature);
        }
        if record.expires <= now_ms {
            return Err(RecordError::Expired);
        }
        Ok(record)
    }
}

impl fmt::Debug for SignedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignedRecord({} bytes)", self.record.len())
    }
}

/// Signs with a peer's key; the identity of `crust-crypto` is one.
pub trait Signer: Send + Sync {
    /// Whose key it is.
    fn peer_id(&self) -> PeerId;

    /// Signs `message` (Ed25519, RFC 8032).
    fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_LEN];
}

impl<S: Signer + ?Sized> Signer for Arc<S> {
    fn peer_id(&self) -> PeerId {
        (**self).peer_id()
    }

    fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_LEN] {
        (**self).sign(message)
    }
}

/// Checks signatures of peers.
pub trait Verifier: Send + Sync {
    /// Whether `peer` signed `message`.
    fn verify(&self, peer: &PeerId, message: &[u8], signature: &[u8; SIGNATURE_LEN]) -> bool;
}

/// Bytes of an Ed25519 signature (RFC 8032 §5.1.6).
pub const SIGNATURE_LEN: usize = 64;

/// Why a record is not handed on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// It is longer than allowed, or no record at all.
    #[error("the record cannot be read or written")]
    Codec(#[from] CodecError),
    /// Its time is over.
    #[error("the record has expired")]
    Expired,
    /// The peer did not sign it.
    #[error("the record's signature is wrong")]
    Signature,
    /// It has more than [`PeerRecord::MAX_ADDRS`] addresses.
    #[error("a record has at most {} addresses, not {}", PeerRecord::MAX_ADDRS, .0)]
    TooManyAddrs(usize),
}

/// What is signed: a record's bytes can be mistaken for nothing else that a peer signs.
fn signed_bytes(record: &[u8]) -> Vec<u8> {
    [DOMAIN, record].concat()
}

const DOMAIN: &[u8] = b"crust peer record v1\0";

#[cfg(test)]
mod tests {
    use super::*;

    /// Signs with a sum; enough to see what is covered.
    struct Toy;

    impl Signer for Toy {
        fn peer_id(&self) -> PeerId {
            PeerId::from_bytes([1; 32])
        }

        fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_LEN] {
            [message
                .iter()
                .fold(0, |sum: u8, byte| sum.wrapping_mul(31).wrapping_add(*byte));
                SIGNATURE_LEN]
        }
    }

    impl Verifier for Toy {
        fn verify(&self, peer: &PeerId, message: &[u8], signature: &[u8; SIGNATURE_LEN]) -> bool {
            *peer == self.peer_id() && self.sign(message) == *signature
        }
    }

    fn record(addrs: usize) -> PeerRecord {
        let addrs = (0..addrs)
            .map(|i| format!("tcp://192.0.2.{i}:5483").parse().unwrap())
            .collect();
        PeerRecord {
            peer: Toy.peer_id(),
            addrs,
            seq: 5,
            expires: 10,
        }
    }

    #[test]
    fn signed_record_is_read_back() {
        let signed = record(16).sign(&Toy).unwrap();
        assert_eq!(signed.verify(&Toy, 9).unwrap(), record(16));
    }

    #[test]
    fn expired_record_is_refused() {
        let signed = record(1).sign(&Toy).unwrap();
        assert!(matches!(signed.verify(&Toy, 10), Err(RecordError::Expired)));
    }

    #[test]
    fn changed_record_is_refused() {
        let mut signed = record(1).sign(&Toy).unwrap();
        *signed.record.last_mut().unwrap() ^= 1;
        assert!(matches!(
            signed.verify(&Toy, 9),
            Err(RecordError::Signature)
        ));
    }

    #[test]
    fn overlong_record_is_refused() {
        assert!(matches!(
            record(17).sign(&Toy),
            Err(RecordError::TooManyAddrs(17))
        ));
        let record = codec::encode::<_, 4096>(&record(17)).unwrap();
        let signature = Toy.sign(&signed_bytes(&record)).to_vec();
        let signed = SignedRecord { record, signature };
        assert!(matches!(
            signed.verify(&Toy, 9),
            Err(RecordError::TooManyAddrs(17))
        ));
    }
}
