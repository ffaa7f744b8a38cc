//! Datagrams sealed with the network key: to others, random bytes.

use std::fmt;

use crust_core::DatagramSealer;
use ring::aead::{
    Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey,
    quic::{CHACHA20, HeaderProtectionKey},
};

use crate::{kdf::Secret, network_key::NetworkKey, random::Random};

/// Seals datagrams for the members of a network, as the beacon on a LAN does.
///
/// ```
/// use crust_core::DatagramSealer;
/// use crust_crypto::{NetworkKey, NetworkSealer};
///
/// let sealer = NetworkSealer::new(&NetworkKey::from_name("example"));
/// let mut datagram = Vec::new();
/// sealer.seal(b"hello", &mut datagram);
/// assert!(sealer.stamp(&datagram).is_some());
/// assert_eq!(sealer.open(&mut datagram), Some(&b"hello"[..]));
/// ```
///
/// A datagram is `salt ‖ check ‖ ciphertext ‖ tag`. The salt has 16 random bytes, and each datagram a key of its own,
/// derived from it: at a thousand datagrams a second for thirty years (2^40) two salts are the same with a chance of
/// 2^-49, where random nonces of 12 bytes under one key would meet after days. The check is four bytes that a keyed
/// function makes of the salt: one ChaCha20 block refuses all junk but one in 2^32, and the rest meets the tag.
pub struct NetworkSealer {
    root: Secret,
    check: HeaderProtectionKey,
    random: Random,
}

impl NetworkSealer {
    /// Derives what is needed from the network's key; it is the same for each member.
    pub fn new(network: &NetworkKey) -> Self {
        let network = Secret::new(*network.as_bytes());
        let check = network.derive(b"crust v1 datagram check");
        let check = HeaderProtectionKey::new(&CHACHA20, check.as_bytes());
        Self {
            root: network.derive(b"crust v1 datagram"),
            check: check.expect("a secret has the length of a ChaCha20 key"),
            random: Random::System,
        }
    }

    fn check_of(&self, salt: &[u8; SALT_LEN]) -> [u8; CHECK_LEN] {
        let mask = self.check.new_mask(salt);
        let mask = mask.expect("a salt has the length of a sample (RFC 9001 §5.4.4)");
        *mask.first_chunk().expect("a mask has five bytes")
    }

    fn key(&self, salt: &[u8; SALT_LEN]) -> LessSafeKey {
        let key = Secret::extract(salt, self.root.as_bytes(), b"crust v1 datagram key");
        let key = UnboundKey::new(&CHACHA20_POLY1305, key.as_bytes());
        LessSafeKey::new(key.expect("a secret has the length of the cipher's key"))
    }
}

impl DatagramSealer for NetworkSealer {
    fn overhead(&self) -> usize {
        SALT_LEN + CHECK_LEN + CHACHA20_POLY1305.tag_len()
    }

    fn seal(&self, plaintext: &[u8], out: &mut Vec<u8>) {
        let salt = self.random.array();
        out.reserve(self.overhead() + plaintext.len());
        out.extend_from_slice(&salt);
        out.extend_from_slice(&self.check_of(&salt));
        let at = out.len();
        out.extend_from_slice(plaintext);
        let sealed =
            self.key(&salt)
                .seal_in_place_separate_tag(nonce(), Aad::empty(), &mut out[at..]);
        let tag = sealed.expect("a datagram is shorter than the cipher's limit");
        out.extend_from_slice(tag.as_ref());
    }

    fn stamp(&self, datagram: &[u8]) -> Option<u64> {
        let (salt, rest) = datagram.split_first_chunk()?;
        let check: &[u8; CHECK_LEN] = rest.first_chunk()?;
        // In variable time: who learns the check of a salt by it has still no key.
        let is_ours = self.check_of(salt) == *check;
        let stamp = u64::from_be_bytes(*salt.first_chunk()?);
        (is_ours && datagram.len() >= self.overhead()).then_some(stamp)
    }

    fn open<'d>(&self, datagram: &'d mut [u8]) -> Option<&'d [u8]> {
        self.stamp(datagram)?;
        let (salt, rest) = datagram.split_first_chunk_mut()?;
        let sealed = rest.get_mut(CHECK_LEN..)?;
        let opened = self.key(salt).open_in_place(nonce(), Aad::empty(), sealed);
        opened.ok().map(|plaintext| &*plaintext)
    }
}

impl fmt::Debug for NetworkSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NetworkSealer(..)")
    }
}

/// A key seals one datagram, so that each has the same nonce.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

/// A sample of QUIC's header protection (RFC 9001 §5.4.4) is as long.
const SALT_LEN: usize = 16;
/// At 50,000 junk datagrams a second, one a day gets past it.
const CHECK_LEN: usize = 4;

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    use super::*;

    fn sealer(name: &str) -> NetworkSealer {
        NetworkSealer::new(&NetworkKey::from_name(name))
    }

    fn sealed(plaintext: &[u8]) -> Vec<u8> {
        let mut datagram = Vec::new();
        sealer("a").seal(plaintext, &mut datagram);
        datagram
    }

    proptest! {
        #[test]
        fn open_undoes_seal(plaintext in prop::collection::vec(any::<u8>(), 0..1_200)) {
            let mut datagram = sealed(&plaintext);
            prop_assert_eq!(datagram.len(), plaintext.len() + sealer("a").overhead());
            prop_assert!(sealer("a").stamp(&datagram).is_some());
            prop_assert_eq!(sealer("a").open(&mut datagram), Some(&plaintext[..]));
        }

        #[test]
        fn changed_datagram_is_not_opened(at in 0_usize..136, change in 1_u8..) {
            let mut datagram = sealed(&[7; 100]);
            datagram[at] ^= change;
            prop_assert_eq!(sealer("a").open(&mut datagram), None);
        }

        #[test]
        fn any_bytes_are_refused_without_panic(mut bytes: Vec<u8>) {
            prop_assert_eq!(sealer("a").stamp(&bytes), None);
            prop_assert_eq!(sealer("a").open(&mut bytes), None);
        }
    }

    /// Computed by another program, in Python, from `docs/beacon.md` alone.
    #[test]
    fn sealed_datagram_agrees_with_the_description() {
        let mut sealer = sealer("crust");
        sealer.random = Random::script(&std::array::from_fn::<u8, SALT_LEN, _>(|i| {
            u8::try_from(i).unwrap()
        }));
        let mut datagram = Vec::new();
        sealer.seal(b"hello", &mut datagram);
        let expected = concat!(
            "000102030405060708090a0b0c0d0e0fada9c8ef",
            "946ed112ff6c5a661a29019572f096774fdc941d5e"
        );
        assert_eq!(HEXLOWER.encode(&datagram), expected);
    }

    #[test]
    fn other_network_sees_junk() {
        let mut datagram = sealed(b"hello");
        assert_eq!(sealer("b").stamp(&datagram), None);
        assert_eq!(sealer("b").open(&mut datagram), None);
    }

    #[test]
    fn equal_plaintexts_have_nothing_in_common() {
        let (one, other) = (sealed(&[0; 1_000]), sealed(&[0; 1_000]));
        let equal = one.iter().zip(&other).filter(|(a, b)| a == b).count();
        assert!(
            equal < 40,
            "{equal} of 1,036 bytes are equal, 4 were expected"
        );
        assert_ne!(sealer("a").stamp(&one), sealer("a").stamp(&other));
    }

    #[test]
    fn cut_datagram_has_no_stamp() {
        let datagram = sealed(b"");
        assert!(sealer("a").stamp(&datagram).is_some());
        assert_eq!(sealer("a").stamp(&datagram[..datagram.len() - 1]), None);
    }

    #[test]
    fn debug_shows_no_byte_of_the_key() {
        assert_eq!(format!("{:?}", sealer("a")), "NetworkSealer(..)");
    }
}
