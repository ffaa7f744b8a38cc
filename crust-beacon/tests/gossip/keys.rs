//! Keys for tests: quick, and safe against nobody.

use crust_core::{PeerId, PeerRecord, SIGNATURE_LEN, SignedRecord, Signer, Verifier};
use ring::digest::{SHA256, digest};

/// Signs with a hash that anybody can compute.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key(pub(crate) PeerId);

impl Key {
    pub(crate) fn of(number: u32) -> Self {
        Self(peer(number))
    }

    pub(crate) fn record(self, addr: &str, seq: u64, lifetime_ms: u64) -> SignedRecord {
        let record = PeerRecord {
            peer: self.0,
            addrs: vec![addr.parse().unwrap()],
            seq,
            expires: seq + lifetime_ms,
        };
        record.sign(&self).unwrap()
    }
}

impl Signer for Key {
    fn peer_id(&self) -> PeerId {
        self.0
    }

    fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_LEN] {
        let hash = digest(&SHA256, &[self.0.as_bytes(), message].concat());
        let mut signature = [0; SIGNATURE_LEN];
        signature[..32].copy_from_slice(hash.as_ref());
        signature
    }
}

/// Believes the signatures of each [`Key`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyVerifier;

impl Verifier for KeyVerifier {
    fn verify(&self, peer: &PeerId, message: &[u8], signature: &[u8; SIGNATURE_LEN]) -> bool {
        Key(*peer).sign(message) == *signature
    }
}

/// The peer with this number. Its bytes are as random as a key's.
pub(crate) fn peer(number: u32) -> PeerId {
    let hash = digest(&SHA256, &number.to_be_bytes());
    PeerId::from_bytes(hash.as_ref().try_into().unwrap())
}
