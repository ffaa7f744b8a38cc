//! Who a node is: an Ed25519 key pair, and the file that keeps it.

use std::{fmt, sync::Arc};

use crust_core::{PeerId, SIGNATURE_LEN, Signer, Verifier};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use zeroize::Zeroizing;

use crate::{pkcs8, random::Random};

/// Who a node is: an Ed25519 key pair. Clones share it.
#[derive(Clone)]
pub struct Identity {
    pair: Arc<Ed25519KeyPair>,
}

impl Identity {
    /// Makes a new one, kept nowhere.
    pub fn generate() -> Self {
        Self::from_seed(&generate_seed())
    }

    pub(crate) fn from_seed(seed: &[u8; 32]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed);
        let pair = Arc::new(pair.expect("any 32 bytes are a seed (RFC 8032 §5.1.5)"));
        Self { pair }
    }

    /// Reads PKCS#8 version 2 (RFC 8410); `None` where it is none, or its two keys do not belong together.
    pub(crate) fn from_pkcs8(document: &[u8]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_pkcs8(document).ok()?;
        let pair = Arc::new(pair);
        Some(Self { pair })
    }

    /// Makes a new one, and the document that keeps it.
    pub(crate) fn generate_pkcs8() -> (Self, Zeroizing<Vec<u8>>) {
        let seed = generate_seed();
        let identity = Self::from_seed(&seed);
        let document = pkcs8::encode(&seed, identity.peer_id().as_bytes());
        (identity, document)
    }

    /// The public key: the node's name.
    pub fn peer_id(&self) -> PeerId {
        let key = self.pair.public_key().as_ref();
        PeerId::from_bytes(key.try_into().expect("an Ed25519 key has 32 bytes"))
    }

    /// Signs `message` (RFC 8032).
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_LEN] {
        let signature = self.pair.sign(message);
        let signature = signature.as_ref().try_into();
        signature.expect("an Ed25519 signature has 64 bytes")
    }
}

impl Signer for Identity {
    fn peer_id(&self) -> PeerId {
        self.peer_id()
    }

    fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_LEN] {
        self.sign(message)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({:#})", self.peer_id())
    }
}

/// Checks what identities signed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ed25519Verifier;

impl Verifier for Ed25519Verifier {
    fn verify(&self, peer: &PeerId, message: &[u8], signature: &[u8; SIGNATURE_LEN]) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, peer.as_bytes());
        key.verify(message, signature).is_ok()
    }
}

fn generate_seed() -> Zeroizing<[u8; 32]> {
    let mut seed = Zeroizing::new([0; 32]);
    Random::System.fill(&mut *seed);
    seed
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::*;

    /// RFC 8032 §7.1, test 2.
    #[test]
    fn signature_agrees_with_rfc_8032() {
        let hex = |text: &str| HEXLOWER.decode(text.as_bytes()).unwrap();
        let seed = hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
        let identity = Identity::from_seed(&seed.try_into().unwrap());
        let peer = hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        assert_eq!(identity.peer_id().as_bytes(), peer.as_slice());
        let signature = hex(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        );
        assert_eq!(identity.sign(&[0x72]).as_slice(), signature);
    }

    #[test]
    fn verifier_takes_the_signers_signature_alone() {
        let identity = Identity::generate();
        let mut signature = identity.sign(b"message");
        let peer = identity.peer_id();
        assert!(Ed25519Verifier.verify(&peer, b"message", &signature));
        assert!(!Ed25519Verifier.verify(&peer, b"massage", &signature));
        let other = Identity::generate().peer_id();
        assert!(!Ed25519Verifier.verify(&other, b"message", &signature));
        signature[0] ^= 1;
        assert!(!Ed25519Verifier.verify(&peer, b"message", &signature));
    }

    #[test]
    fn debug_shows_the_public_key_alone() {
        let identity = Identity::generate();
        let expected = format!("Identity({:#})", identity.peer_id());
        assert_eq!(format!("{identity:?}"), expected);
    }
}
