//! The keys of records between one change and the next, and the headers made with them.

use ring::aead::{Aad, LessSafeKey, Nonce, Tag, UnboundKey, quic::HeaderProtectionKey};

use crate::{cipher::Cipher, kdf::Secret};

/// The keys between one change and the next.
pub(crate) struct Epoch {
    cipher: Cipher,
    aead: LessSafeKey,
    header: HeaderKey,
    next: Secret,
}

impl Epoch {
    pub(crate) fn new(cipher: Cipher, secret: &Secret) -> Self {
        let key = UnboundKey::new(cipher.aead(), secret.derive(b"crust v1 record").as_bytes());
        Self {
            cipher,
            aead: LessSafeKey::new(key.expect("a secret has the length of either cipher's key")),
            header: HeaderKey::new(cipher, secret),
            next: secret.derive(b"crust v1 rekey"),
        }
    }

    /// The counter after `counter`, with new keys where it is time for them.
    pub(crate) fn advance(&mut self, counter: u64, interval: u64) -> u64 {
        // At a record each nanosecond it would run over in 584 years.
        let counter = counter.checked_add(1).expect("counters never run over");
        if counter.is_multiple_of(interval) {
            *self = Self::new(self.cipher, &self.next);
        }
        counter
    }

    /// Seals the plaintext of record `counter` in place, and gives its tag.
    pub(crate) fn seal(&self, counter: u64, word: u16, text: &mut [u8]) -> Tag {
        let aad = Aad::from(word.to_be_bytes());
        let sealed = self
            .aead
            .seal_in_place_separate_tag(nonce(counter), aad, text);
        sealed.expect("a record is shorter than the cipher's limit")
    }

    /// Opens record `counter`, whose ciphertext and tag fill `buf` from `at`, and moves its plaintext to the front.
    pub(crate) fn open<'a>(
        &self,
        counter: u64,
        word: u16,
        buf: &'a mut [u8],
        at: usize,
    ) -> Option<&'a mut [u8]> {
        let aad = Aad::from(word.to_be_bytes());
        self.aead.open_within(nonce(counter), aad, buf, at..).ok()
    }

    pub(crate) fn header(&self, counter: u64, word: u16) -> [u8; HEADER_LEN] {
        self.header.seal(counter, word)
    }

    pub(crate) fn word(&self, counter: u64, header: &[u8; HEADER_LEN]) -> Option<u16> {
        self.header.word(counter, header)
    }
}

/// Whether `header` is that of the first record under `secret`. Allocates nothing.
pub(crate) fn is_first_header(cipher: Cipher, secret: &Secret, header: &[u8; HEADER_LEN]) -> bool {
    HeaderKey::new(cipher, secret).word(0, header).is_some()
}

/// Bytes before a record's ciphertext: masked length and its check.
pub const HEADER_LEN: usize = 6;
/// Bytes after a record's ciphertext: the tag of either cipher (RFC 5116 §5.2, RFC 8439 §2.8).
pub const TAG_LEN: usize = 16;
/// Bytes by which a record is longer than its plaintext.
pub const RECORD_OVERHEAD: usize = HEADER_LEN + TAG_LEN;
/// Bytes of the longest plaintext: it stays in the first-level cache while it is sealed, as TLS's does (RFC 8446 §5.1).
pub const MAX_PLAINTEXT: usize = 16 * 1024;

/// The length word of a record that ends its direction.
pub(crate) const CLOSE: u16 = 1 << 15;

/// Makes and reads headers.
struct HeaderKey(HeaderProtectionKey);

impl HeaderKey {
    fn new(cipher: Cipher, secret: &Secret) -> Self {
        let key = secret.derive(b"crust v1 header");
        let key = HeaderProtectionKey::new(cipher.prf(), key.as_bytes());
        Self(key.expect("a secret has the length of either cipher's key"))
    }

    fn seal(&self, counter: u64, word: u16) -> [u8; HEADER_LEN] {
        let [a, b] = (word ^ self.mask(counter)).to_be_bytes();
        let [c, d, e, f] = self.check(counter, word);
        [a, b, c, d, e, f]
    }

    /// The length word, if the header is that of record `counter` and the word an allowed one.
    fn word(&self, counter: u64, header: &[u8; HEADER_LEN]) -> Option<u16> {
        let [a, b, check @ ..] = *header;
        let word = u16::from_be_bytes([a, b]) ^ self.mask(counter);
        // One comparison of two words takes the same time wherever they differ.
        let is_checked = u32::from_be_bytes(check) == u32::from_be_bytes(self.check(counter, word));
        let is_allowed = word == CLOSE || (1..=MAX_PLAINTEXT).contains(&usize::from(word));
        (is_checked && is_allowed).then_some(word)
    }

    fn mask(&self, counter: u64) -> u16 {
        let [a, b, ..] = self.prf(counter, 0, 0);
        u16::from_be_bytes([a, b])
    }

    fn check(&self, counter: u64, word: u16) -> [u8; 4] {
        let [check @ .., _] = self.prf(counter, 1, word);
        check
    }

    /// Five random-looking bytes for each counter, use and word.
    fn prf(&self, counter: u64, domain: u8, word: u16) -> [u8; 5] {
        let mut block = [0; 16];
        block[..8].copy_from_slice(&counter.to_be_bytes());
        block[8] = domain;
        block[9..11].copy_from_slice(&word.to_be_bytes());
        let mask = self.0.new_mask(&block);
        mask.expect("the block has the length of a sample (RFC 9001 §5.4.2)")
    }
}

/// Four zero bytes, then the counter.
fn nonce(counter: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&counter.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}
