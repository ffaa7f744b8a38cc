//! The two ciphers of records, and which of them this machine is good at.

use std::fmt;

use ring::aead::{self, quic};

/// What seals the records of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cipher {
    /// AES-256-GCM: where both ends have hardware for AES.
    Aes256Gcm,
    /// ChaCha20-Poly1305 (RFC 8439): everywhere else.
    ChaCha20Poly1305,
}

impl Cipher {
    /// The fastest cipher that neither end is slow at.
    pub(crate) fn choose(local_aes: bool, remote_aes: bool) -> Self {
        if local_aes && remote_aes {
            Self::Aes256Gcm
        } else {
            Self::ChaCha20Poly1305
        }
    }

    pub(crate) fn aead(self) -> &'static aead::Algorithm {
        match self {
            Self::Aes256Gcm => &aead::AES_256_GCM,
            Self::ChaCha20Poly1305 => &aead::CHACHA20_POLY1305,
        }
    }

    /// The block cipher or stream cipher inside, used as a pseudo-random function for headers.
    pub(crate) fn prf(self) -> &'static quic::Algorithm {
        match self {
            Self::Aes256Gcm => &quic::AES_256,
            Self::ChaCha20Poly1305 => &quic::CHACHA20,
        }
    }
}

impl fmt::Display for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Aes256Gcm => "AES-256-GCM",
            Self::ChaCha20Poly1305 => "ChaCha20-Poly1305",
        })
    }
}

/// Whether this machine has instructions for AES and for GCM's hash.
pub(crate) fn has_aes_hardware() -> bool {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    return std::is_x86_feature_detected!("aes") && std::is_x86_feature_detected!("pclmulqdq");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes")
        && std::arch::is_aarch64_feature_detected!("pmull");
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aes_is_chosen_only_where_both_ends_are_fast_at_it() {
        let pairs = [(false, false), (false, true), (true, false), (true, true)];
        let chosen = pairs.map(|(local, remote)| Cipher::choose(local, remote));
        let chacha = Cipher::ChaCha20Poly1305;
        assert_eq!(chosen, [chacha, chacha, chacha, Cipher::Aes256Gcm]);
    }
}
