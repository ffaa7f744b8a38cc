//! The primitives of the Noise handshake, for snow: ring's, and X25519 by curve25519-dalek.

use std::fmt;

use curve25519_dalek::MontgomeryPoint;
use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey},
    digest,
};
use snow::{
    Error,
    params::{CipherChoice, DHChoice, HashChoice},
    resolvers::CryptoResolver,
    types,
};
use zeroize::Zeroizing;

use crate::{kdf::SECRET_LEN, random::Random};

/// Gives snow the primitives of `Noise_XX_25519_ChaChaPoly_SHA256`, and of no other protocol.
pub(crate) struct Resolver {
    pub(crate) random: Random,
    /// Put into each key pair made, so that the static key's public half is not computed for each handshake.
    pub(crate) static_key: X25519,
}

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn types::Random>> {
        Some(Box::new(self.random.clone()))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn types::Dh>> {
        matches!(choice, DHChoice::Curve25519).then(|| Box::new(self.static_key.clone()) as _)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn types::Hash>> {
        let sha256 = Sha256(digest::Context::new(&digest::SHA256));
        matches!(choice, HashChoice::SHA256).then(|| Box::new(sha256) as _)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn types::Cipher>> {
        matches!(choice, CipherChoice::ChaChaPoly).then(|| Box::new(ChaChaPoly(None)) as _)
    }
}

/// An X25519 key pair (RFC 7748 §5). Its private half is wiped when dropped.
#[derive(Clone)]
pub(crate) struct X25519 {
    private: Zeroizing<[u8; SECRET_LEN]>,
    public: [u8; SECRET_LEN],
}

impl X25519 {
    pub(crate) fn from_private(private: [u8; SECRET_LEN]) -> Self {
        Self {
            public: MontgomeryPoint::mul_base_clamped(private).0,
            private: Zeroizing::new(private),
        }
    }

    pub(crate) fn generate(random: &Random) -> Self {
        Self::from_private(random.array())
    }

    pub(crate) fn private(&self) -> &[u8; SECRET_LEN] {
        &self.private
    }

    pub(crate) fn public(&self) -> &[u8; SECRET_LEN] {
        &self.public
    }

    /// Compares in constant time.
    fn is_private(&self, other: &[u8]) -> bool {
        let unlike = |sum, (a, b): (&u8, &u8)| sum | (a ^ b);
        other.len() == SECRET_LEN && self.private.iter().zip(other).fold(0, unlike) == 0
    }
}

impl fmt::Debug for X25519 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("X25519(..)")
    }
}

impl types::Dh for X25519 {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        SECRET_LEN
    }

    fn priv_len(&self) -> usize {
        SECRET_LEN
    }

    fn set(&mut self, private: &[u8]) {
        if !self.is_private(private) {
            let private = private.try_into();
            *self = Self::from_private(private.expect("snow asks for the length of private keys"));
        }
    }

    fn generate(&mut self, random: &mut dyn types::Random) -> Result<(), Error> {
        let mut private = Zeroizing::new([0; SECRET_LEN]);
        random.try_fill_bytes(&mut *private)?;
        *self = Self::from_private(*private);
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        &self.public
    }

    fn privkey(&self) -> &[u8] {
        &*self.private
    }

    fn dh(&self, public: &[u8], out: &mut [u8]) -> Result<(), Error> {
        #[cfg(test)]
        tests::DH_CALLS.with(|calls| calls.set(calls.get() + 1));
        let public = public.first_chunk().ok_or(Error::Dh)?;
        let shared = Zeroizing::new(MontgomeryPoint(*public).mul_clamped(*self.private).0);
        // A point of small order: the far end would choose the secret (RFC 7748 §6.1).
        if shared.iter().fold(0, |sum, byte| sum | byte) == 0 {
            return Err(Error::Dh);
        }
        let out = out.first_chunk_mut().ok_or(Error::Dh)?;
        *out = *shared;
        Ok(())
    }
}

struct Sha256(digest::Context);

impl types::Hash for Sha256 {
    fn name(&self) -> &'static str {
        "SHA256"
    }

    fn block_len(&self) -> usize {
        digest::SHA256.block_len()
    }

    fn hash_len(&self) -> usize {
        digest::SHA256_OUTPUT_LEN
    }

    fn reset(&mut self) {
        self.0 = digest::Context::new(&digest::SHA256);
    }

    fn input(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn result(&mut self, out: &mut [u8]) {
        let hash = self.0.clone().finish();
        out[..digest::SHA256_OUTPUT_LEN].copy_from_slice(hash.as_ref());
    }
}

/// No key before snow sets one.
struct ChaChaPoly(Option<LessSafeKey>);

impl ChaChaPoly {
    fn key(&self) -> &LessSafeKey {
        self.0.as_ref().expect("snow sets a key before it uses it")
    }
}

impl types::Cipher for ChaChaPoly {
    fn name(&self) -> &'static str {
        "ChaChaPoly"
    }

    fn set(&mut self, key: &[u8; SECRET_LEN]) {
        let key = UnboundKey::new(&CHACHA20_POLY1305, key);
        self.0 = Some(LessSafeKey::new(
            key.expect("the key has the cipher's length"),
        ));
    }

    fn encrypt(&self, nonce: u64, authtext: &[u8], plaintext: &[u8], out: &mut [u8]) -> usize {
        let (text, rest) = out.split_at_mut(plaintext.len());
        text.copy_from_slice(plaintext);
        let tag = self
            .key()
            .seal_in_place_separate_tag(noise_nonce(nonce), Aad::from(authtext), text)
            .expect("a Noise message is shorter than the cipher's limit");
        rest[..tag.as_ref().len()].copy_from_slice(tag.as_ref());
        plaintext.len() + tag.as_ref().len()
    }

    fn decrypt(
        &self,
        nonce: u64,
        authtext: &[u8],
        ciphertext: &[u8],
        out: &mut [u8],
    ) -> Result<usize, Error> {
        let mut text = Zeroizing::new(ciphertext.to_vec());
        let text = self
            .key()
            .open_in_place(noise_nonce(nonce), Aad::from(authtext), &mut text)
            .map_err(|_| Error::Decrypt)?;
        out.get_mut(..text.len())
            .ok_or(Error::Decrypt)?
            .copy_from_slice(text);
        Ok(text.len())
    }
}

/// Four zero bytes, then the counter in little endian (Noise revision 34 §12.3).
fn noise_nonce(counter: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&counter.to_le_bytes());
    Nonce::assume_unique_for_key(nonce)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::Cell;

    use crust_core::Role;
    use data_encoding::HEXLOWER;
    use snow::{Builder, HandshakeState, types::Dh as _};

    use super::*;

    thread_local! {
        /// Diffie-Hellman operations done by this thread: what an unproven far end can make us pay.
        pub(crate) static DH_CALLS: Cell<u32> = const { Cell::new(0) };
    }

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        HEXLOWER
            .decode(text.as_bytes())
            .unwrap()
            .try_into()
            .unwrap()
    }

    /// RFC 7748 §6.1: Bob's keys, and what he shares with Alice.
    #[test]
    fn x25519_agrees_with_rfc_7748() {
        let bob = X25519::from_private(hex(
            "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
        ));
        let public = hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
        assert_eq!(*bob.public(), public);
        let alice: [u8; 32] =
            hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
        let mut shared = [0; 32];
        bob.dh(&alice, &mut shared).unwrap();
        let expected = hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
        assert_eq!(shared, expected);
    }

    /// The vectors of cacophony, a Noise library in Haskell; snow and others publish the same.
    #[test]
    fn handshake_agrees_with_the_noise_vector() {
        let mut dialer = vector_end(
            "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1",
            "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a",
            Role::Dialer,
        );
        let mut listener = vector_end(
            "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893",
            "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b",
            Role::Listener,
        );
        pass(
            &mut dialer,
            &mut listener,
            "4c756477696720766f6e204d69736573",
            "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944\
             4c756477696720766f6e204d69736573",
        );
        pass(
            &mut listener,
            &mut dialer,
            "4d757272617920526f746862617264",
            "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843\
             81cbad1f276e038c48378ffce2b65285e08d6b68aaa3629a5a8639392490e5b9\
             bd5269c2f1e4f488ed8831161f19b7815528f8982ffe09be9b5c412f8a0db50f\
             8814c7194e83f23dbd8d162c9326ad",
        );
        pass(
            &mut dialer,
            &mut listener,
            "462e20412e20486179656b",
            "c7195ffacac1307ff99046f219750fc47693e23c3cb08b89c2af808b444850a8\
             0ae475b9df0f169ae80a89be0865b57f58c9fea0d4ec82a286427402f113e4b6\
             ae769a1d95941d49b25030",
        );
        let hash = "c8e5f64e846193be2a834104c2a009868d6c9f3bd3c186299888b488b2f1f58e";
        assert_eq!(dialer.get_handshake_hash(), hex::<32>(hash));
        assert_eq!(
            dialer.dangerously_get_raw_split(),
            listener.dangerously_get_raw_split()
        );
        let mut transport = listener.into_transport_mode().unwrap();
        let mut sealed = [0; 64];
        let text = HEXLOWER.decode(b"4361726c204d656e676572").unwrap();
        let len = transport.write_message(&text, &mut sealed).unwrap();
        let expected = "96763ed773f8e47bb3712f0e29b3060ffc956ffc146cee53d5e1df";
        assert_eq!(HEXLOWER.encode(&sealed[..len]), expected);
    }

    fn vector_end(static_key: &str, ephemeral: &str, role: Role) -> HandshakeState {
        let static_key = X25519::from_private(hex(static_key));
        let resolver = Resolver {
            random: Random::script(&hex::<32>(ephemeral)),
            static_key: static_key.clone(),
        };
        let params = "Noise_XX_25519_ChaChaPoly_SHA256".parse().unwrap();
        let builder = Builder::with_resolver(params, Box::new(resolver))
            .local_private_key(static_key.private())
            .and_then(|builder| builder.prologue(b"John Galt"));
        match role {
            Role::Dialer => builder.unwrap().build_initiator().unwrap(),
            Role::Listener => builder.unwrap().build_responder().unwrap(),
        }
    }

    fn pass(from: &mut HandshakeState, to: &mut HandshakeState, payload: &str, wire: &str) {
        let payload = HEXLOWER.decode(payload.as_bytes()).unwrap();
        let (mut message, mut read) = ([0; 256], [0; 256]);
        let len = from.write_message(&payload, &mut message).unwrap();
        assert_eq!(HEXLOWER.encode(&message[..len]), wire);
        let len = to.read_message(&message[..len], &mut read).unwrap();
        assert_eq!(read[..len], payload);
    }

    #[test]
    fn key_pair_is_replaced_by_another_private_key() {
        let mut key = X25519::from_private([7; 32]);
        types::Dh::set(&mut key, &[8; 32]);
        assert_eq!(key.pubkey(), X25519::from_private([8; 32]).pubkey());
    }

    #[test]
    fn small_order_point_is_refused() {
        let key = X25519::from_private([7; 32]);
        let mut out = [0; 32];
        for point in [
            [0; 32],
            hex("0100000000000000000000000000000000000000000000000000000000000000"),
        ] {
            assert_eq!(key.dh(&point, &mut out), Err(Error::Dh));
        }
    }
}
