//! The bytes of an identity file: PKCS#8 version 2 with an Ed25519 key pair.

use zeroize::Zeroizing;

/// Encodes a key pair (RFC 5958 §2, RFC 8410 §7); the document is wiped when dropped.
pub(crate) fn encode(seed: &[u8; 32], public: &[u8; 32]) -> Zeroizing<Vec<u8>> {
    let mut document = Zeroizing::new(Vec::with_capacity(LEN));
    for part in [BEFORE_SEED, seed, BEFORE_PUBLIC, public] {
        document.extend_from_slice(part);
    }
    document
}

/// Bytes of a document.
pub(crate) const LEN: usize = BEFORE_SEED.len() + 32 + BEFORE_PUBLIC.len() + 32;

/// A sequence of version 1 (which is PKCS#8's second), the algorithm 1.3.101.112, and an octet string in another.
const BEFORE_SEED: &[u8] = &[
    0x30, 0x51, 0x02, 0x01, 0x01, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
/// A bit string with the tag `[1]` and no unused bits.
const BEFORE_PUBLIC: &[u8] = &[0x81, 0x21, 0x00];

#[cfg(test)]
mod tests {
    use ring::signature::{Ed25519KeyPair, KeyPair};

    use super::*;

    #[test]
    fn document_says_its_own_length() {
        let document = encode(&[1; 32], &[2; 32]);
        assert_eq!(document.len(), LEN);
        assert_eq!(usize::from(document[1]), LEN - 2);
    }

    #[test]
    fn ring_reads_the_document() {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let public = pair.public_key().as_ref().try_into().unwrap();
        let read = Ed25519KeyPair::from_pkcs8(&encode(&[7; 32], &public)).unwrap();
        assert_eq!(read.public_key().as_ref(), public);
    }
}
