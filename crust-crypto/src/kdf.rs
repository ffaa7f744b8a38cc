//! Secrets and what is derived from them: HKDF with SHA-256 (RFC 5869).

use std::fmt;

use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use zeroize::Zeroizing;

/// Thirty-two bytes nobody else may see. Wiped when dropped, and printed by nothing.
#[derive(Clone)]
pub(crate) struct Secret(Zeroizing<[u8; SECRET_LEN]>);

impl Secret {
    pub(crate) fn new(bytes: [u8; SECRET_LEN]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Extracts from `key` with `salt`, and expands with `label`.
    pub(crate) fn extract(salt: &[u8], key: &[u8], label: &[u8]) -> Self {
        Self::expand(&Salt::new(HKDF_SHA256, salt).extract(key), label)
    }

    /// Derives the secret that `label` names; knowing it tells nothing of this one.
    pub(crate) fn derive(&self, label: &[u8]) -> Self {
        Self::expand(&Prk::new_less_safe(HKDF_SHA256, &*self.0), label)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; SECRET_LEN] {
        &self.0
    }

    fn expand(prk: &Prk, label: &[u8]) -> Self {
        let mut bytes = Zeroizing::new([0; SECRET_LEN]);
        prk.expand(&[label], SecretLen)
            .and_then(|okm| okm.fill(&mut *bytes))
            .expect("HKDF-SHA256 gives up to 8,160 bytes (RFC 5869 §2.3)");
        Self(bytes)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The keys of SHA-256, ChaCha20-Poly1305, AES-256 and X25519 are all this long.
pub(crate) const SECRET_LEN: usize = 32;

struct SecretLen;

impl KeyType for SecretLen {
    fn len(&self) -> usize {
        SECRET_LEN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_byte_of_a_secret() {
        assert_eq!(format!("{:?}", Secret::new([0xab; 32])), "Secret(..)");
    }

    #[test]
    fn labels_and_salts_give_unlike_secrets() {
        let secrets = [
            Secret::extract(b"salt", &[1; 32], b"a"),
            Secret::extract(b"salt", &[1; 32], b"b"),
            Secret::extract(b"tlas", &[1; 32], b"a"),
            Secret::new([1; 32]).derive(b"a"),
            Secret::new([1; 32]).derive(b"b"),
        ];
        let unlike: std::collections::HashSet<_> = secrets.iter().map(Secret::as_bytes).collect();
        assert_eq!(unlike.len(), secrets.len());
    }
}
