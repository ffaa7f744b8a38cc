//! What each side proves in its handshake payload.

use crust_core::{PeerId, SIGNATURE_LEN, Signer, Verifier};
use thiserror::Error;

use crate::identity::Ed25519Verifier;

/// Version, abilities, key, and that key's signature over the sender's Noise static key.
#[derive(Clone)]
pub(crate) struct Payload {
    pub(crate) peer: PeerId,
    pub(crate) has_aes: bool,
    signature: [u8; SIGNATURE_LEN],
}

impl Payload {
    pub(crate) fn sign(signer: &dyn Signer, static_key: &[u8; 32], has_aes: bool) -> Self {
        Self {
            peer: signer.peer_id(),
            has_aes,
            signature: signer.sign(&signed_bytes(static_key)),
        }
    }

    /// Reads what the owner of `static_key` sent, and checks its signature.
    pub(crate) fn decode(bytes: &[u8], static_key: &[u8]) -> Result<Self, PayloadError> {
        let (&version, rest) = bytes.split_first().ok_or(PayloadError::Malformed)?;
        if version != VERSION {
            return Err(PayloadError::Version(version));
        }
        let (&flags, rest) = rest.split_first().ok_or(PayloadError::Malformed)?;
        let (peer, signature) = rest
            .split_first_chunk::<{ PeerId::LEN }>()
            .ok_or(PayloadError::Malformed)?;
        let payload = Self {
            peer: PeerId::from_bytes(*peer),
            has_aes: flags & AES != 0,
            signature: signature.try_into().map_err(|_| PayloadError::Malformed)?,
        };
        let signed = signed_bytes(static_key);
        if !Ed25519Verifier.verify(&payload.peer, &signed, &payload.signature) {
            return Err(PayloadError::Signature);
        }
        Ok(payload)
    }

    pub(crate) fn encode(&self) -> [u8; PAYLOAD_LEN] {
        let mut bytes = [0; PAYLOAD_LEN];
        bytes[0] = VERSION;
        bytes[1] = if self.has_aes { AES } else { 0 };
        bytes[2..2 + PeerId::LEN].copy_from_slice(self.peer.as_bytes());
        bytes[2 + PeerId::LEN..].copy_from_slice(&self.signature);
        bytes
    }
}

#[derive(Debug, Error)]
pub(crate) enum PayloadError {
    #[error("the payload has another length")]
    Malformed,
    #[error("the signature over the static key is wrong")]
    Signature,
    #[error("the far end speaks version {0}")]
    Version(u8),
}

/// The version spoken here.
pub(crate) const VERSION: u8 = 1;
/// Bytes of a payload of this version.
pub(crate) const PAYLOAD_LEN: usize = 2 + PeerId::LEN + SIGNATURE_LEN;
/// The flag of ends that have hardware for AES. Unknown flags are ignored.
const AES: u8 = 1;

/// What is signed: it can be mistaken for nothing else that a peer signs.
fn signed_bytes(static_key: &[u8]) -> Vec<u8> {
    [b"crust v1 noise static key\0".as_slice(), static_key].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Identity;

    proptest! {
        #[test]
        fn any_payload_is_read_without_panic(bytes: Vec<u8>, static_key: [u8; 32]) {
            prop_assert!(Payload::decode(&bytes, &static_key).is_err());
        }
    }

    #[test]
    fn signed_payload_is_read_back() {
        let identity = Identity::generate();
        for has_aes in [false, true] {
            let bytes = Payload::sign(&identity, &[7; 32], has_aes).encode();
            let payload = Payload::decode(&bytes, &[7; 32]).unwrap();
            assert_eq!(payload.peer, identity.peer_id());
            assert_eq!(payload.has_aes, has_aes);
        }
    }

    #[test]
    fn signature_over_another_static_key_is_refused() {
        let bytes = Payload::sign(&Identity::generate(), &[7; 32], true).encode();
        let result = Payload::decode(&bytes, &[8; 32]);
        assert!(matches!(result, Err(PayloadError::Signature)));
    }

    #[test]
    fn other_version_is_named_whatever_follows() {
        let result = Payload::decode(&[2, 0, 0], &[7; 32]);
        assert!(matches!(result, Err(PayloadError::Version(2))));
    }
}
