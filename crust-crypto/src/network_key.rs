//! What the nodes of one network have in common: the key that masks every byte between them.

use std::fmt;

use crate::kdf::Secret;

/// What the nodes of one network have in common.
///
/// It masks the handshake: without it, what two nodes say to each other cannot be told from random bytes, and a
/// listener answers nothing. It is no substitute for knowing a peer's key: each member of the network has it.
///
/// A network is as hidden as its key. One made from a name can be guessed by whoever guesses the name, and everybody
/// knows [`DEFAULT_NAME`](Self::DEFAULT_NAME); 32 random bytes shared beforehand cannot.
#[derive(Clone)]
pub struct NetworkKey(Secret);

impl NetworkKey {
    /// The name of the public network.
    pub const DEFAULT_NAME: &str = "crust";

    /// Derives the key of the network called `name`.
    pub fn from_name(name: &str) -> Self {
        Self(Secret::extract(SALT, name.as_bytes(), LABEL))
    }

    /// Takes a key shared beforehand; its bytes must be random ones.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Secret::new(bytes))
    }

    /// A name for the network, for files and the like: the same for the same key, and it reveals nothing of it.
    pub fn id(&self) -> [u8; 16] {
        let id = self.0.derive(b"crust v1 network id");
        let (id, _) = id
            .as_bytes()
            .split_first_chunk()
            .expect("a secret has 32 bytes");
        *id
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl Default for NetworkKey {
    fn default() -> Self {
        Self::from_name(Self::DEFAULT_NAME)
    }
}

impl fmt::Debug for NetworkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NetworkKey(..)")
    }
}

const SALT: &[u8] = b"crust v1 network name";
const LABEL: &[u8] = b"crust v1 network key";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_has_its_key() {
        let crust = NetworkKey::default();
        assert_eq!(crust.as_bytes(), NetworkKey::from_name("crust").as_bytes());
        assert_ne!(crust.as_bytes(), NetworkKey::from_name("crust2").as_bytes());
    }

    #[test]
    fn id_is_the_networks_and_not_its_key() {
        let key = NetworkKey::from_name("a");
        assert_eq!(key.id(), NetworkKey::from_name("a").id());
        assert_ne!(key.id(), NetworkKey::from_name("b").id());
        assert_ne!(key.id()[..], key.as_bytes()[..16]);
    }

    #[test]
    fn debug_shows_no_byte_of_the_key() {
        let key = NetworkKey::from_bytes([0xab; 32]);
        assert_eq!(format!("{key:?}"), "NetworkKey(..)");
    }
}
