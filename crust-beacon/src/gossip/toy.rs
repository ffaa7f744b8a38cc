//! Keys for tests: quick, and safe against nobody.

use crust_core::{PeerId, PeerRecord, SIGNATURE_LEN, SignedRecord, Signer, Verifier};

use super::hash;

/// Signs with a hash that anybody can compute.
pub(super) struct Toy(PeerId);

impl Toy {
    pub(super) fn new(number: u32) -> Self {
        Self(toy_peer(number))
    }
}

impl Signer for Toy {
    fn peer_id(&self) -> PeerId {
        self.0
    }

    fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_LEN] {
        let mut signature = [0; SIGNATURE_LEN];
        let hash = hash::head(&[self.0.as_bytes(), message]);
        signature[..8].copy_from_slice(&hash.to_be_bytes());
        signature
    }
}

/// Believes the signatures of each [`Toy`].
pub(super) struct ToyVerifier;

impl Verifier for ToyVerifier {
    fn verify(&self, peer: &PeerId, message: &[u8], signature: &[u8; SIGNATURE_LEN]) -> bool {
        Toy(*peer).sign(message) == *signature
    }
}

/// The peer with this number.
pub(super) fn toy_peer(number: u32) -> PeerId {
    let mut bytes = [0; PeerId::LEN];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    PeerId::from_bytes(bytes)
}

/// A record of that peer at `addr`, made at `seq` and good for ten minutes.
pub(super) fn toy_record(number: u32, addr: &str, seq: u64) -> SignedRecord {
    let record = PeerRecord {
        peer: toy_peer(number),
        addrs: vec![addr.parse().unwrap()],
        seq,
        expires: seq + 600_000,
    };
    record.sign(&Toy::new(number)).unwrap()
}
