//! The name of a peer: its public key.

use std::{fmt, str::FromStr};

use data_encoding::{Encoding, Specification};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// The name of a peer: its 32-byte Ed25519 public key (RFC 8032 §5.1.5).
///
/// The text form is 52 characters of lower-case base32 (the alphabet of RFC 4648 §6, no padding); upper case is read
/// too. `{}` prints all of it, `{:#}` the first ten characters for people. Holding one proves nothing: only a
/// handshake shows that the other end owns the key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId([u8; Self::LEN]);

impl PeerId {
    /// Bytes of a peer's key.
    pub const LEN: usize = 32;
    /// Characters of its text form.
    pub const TEXT_LEN: usize = 52;

    /// Takes the key's bytes as they are.
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// Shows the key's bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = base32().encode(&self.0);
        f.pad(if f.alternate() {
            &text[..SHORT_LEN]
        } else {
            &text
        })
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId({self:#})")
    }
}

impl FromStr for PeerId {
    type Err = PeerIdError;

    fn from_str(text: &str) -> Result<Self, PeerIdError> {
        if text.len() != Self::TEXT_LEN {
            return Err(PeerIdError::Length(text.len()));
        }
        let bytes = base32()
            .decode(text.to_ascii_lowercase().as_bytes())
            .map_err(|error| PeerIdError::Character(error.position))?;
        let bytes = bytes
            .try_into()
            .map_err(|_| PeerIdError::Length(text.len()))?;
        Ok(Self(bytes))
    }
}

impl Serialize for PeerId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for PeerId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            text.parse().map_err(serde::de::Error::custom)
        } else {
            Deserialize::deserialize(deserializer).map(Self)
        }
    }
}

/// Why a text is no [`PeerId`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PeerIdError {
    /// The character at this place belongs to no key.
    #[error("character {} does not belong in a peer id", .0 + 1)]
    Character(usize),
    /// The text has another length than a peer id's.
    #[error("a peer id has {} characters, not {}", PeerId::TEXT_LEN, .0)]
    Length(usize),
}

/// Characters of the short form: 50 bits, enough to tell apart what one person sees.
const SHORT_LEN: usize = 10;

fn base32() -> &'static Encoding {
    static BASE32: std::sync::OnceLock<Encoding> = std::sync::OnceLock::new();
    BASE32.get_or_init(|| {
        let mut spec = Specification::new();
        spec.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
        spec.encoding()
            .expect("the alphabet of RFC 4648 §6 is a valid one")
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_form_round_trips(bytes: [u8; 32]) {
            let peer = PeerId::from_bytes(bytes);
            prop_assert_eq!(peer.to_string().parse(), Ok(peer));
            prop_assert_eq!(peer.to_string().to_uppercase().parse(), Ok(peer));
        }

        #[test]
        fn any_text_is_read_without_panic(text: String) {
            let _ = text.parse::<PeerId>();
        }
    }

    #[test]
    fn each_peer_has_one_text_only() {
        let text = PeerId::from_bytes([0; 32]).to_string();
        let with_trailing_bits = format!("{}b", &text[..51]);
        assert_eq!(
            with_trailing_bits.parse::<PeerId>(),
            Err(PeerIdError::Character(51))
        );
    }

    #[test]
    fn alternate_form_is_the_first_ten_characters() {
        let peer = PeerId::from_bytes([7; 32]);
        assert_eq!(format!("{peer:#}"), peer.to_string()[..10]);
    }
}
