//! Writing a message.

use super::{
    attribute::Attribute,
    header::{Class, HEADER_LEN, Header, Method, TransactionId, set_len},
    integrity,
    message::{ATTRIBUTE_HEAD_LEN, FINGERPRINT_LEN, MAX_LEN, fingerprint},
};

/// A message that is being written, attribute by attribute, in this order: those of all kinds, then those of integrity, and
/// at last the fingerprint.
///
/// ```
/// use crust_nat::stun::wire::{Class, Message, MessageWriter, Method, TransactionId};
///
/// let id = TransactionId::new([7; 12]);
/// let request = MessageWriter::new(Class::Request, Method::BINDING, id).with_fingerprint();
/// let message = Message::decode(request.as_bytes())?;
/// assert!(message.has_fingerprint());
/// # Ok::<_, crust_nat::stun::wire::DecodeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageWriter {
    bytes: Vec<u8>,
    transaction_id: TransactionId,
}

impl MessageWriter {
    /// A message without attributes.
    #[must_use]
    pub fn new(class: Class, method: Method, transaction_id: TransactionId) -> Self {
        let header = Header {
            class,
            method,
            transaction_id,
            len: 0,
        };
        Self {
            bytes: header.encode().into(),
            transaction_id,
        }
    }

    /// Adds an attribute.
    ///
    /// # Panics
    ///
    /// When the message would be longer than [`MAX_LEN`].
    #[must_use]
    pub fn with(mut self, attribute: &Attribute<'_>) -> Self {
        self.put(attribute);
        self
    }

    /// Adds the MESSAGE-INTEGRITY of what there is so far; [`Message::verify_integrity`](super::Message::verify_integrity)
    /// says what a key is.
    ///
    /// # Panics
    ///
    /// Those of [`MessageWriter::with`].
    #[must_use]
    pub fn with_integrity(self, key: &[u8]) -> Self {
        let hmac = integrity::sha1(key, &self.bytes);
        self.with(&Attribute::MessageIntegrity(&hmac))
    }

    /// Adds the MESSAGE-INTEGRITY-SHA256 of what there is so far.
    ///
    /// # Panics
    ///
    /// Those of [`MessageWriter::with`].
    #[must_use]
    pub fn with_integrity_sha256(self, key: &[u8]) -> Self {
        let hmac = integrity::sha256(key, &self.bytes);
        self.with(&Attribute::MessageIntegritySha256(&hmac))
    }

    /// Adds the FINGERPRINT. Nothing may follow it.
    ///
    /// # Panics
    ///
    /// Those of [`MessageWriter::with`].
    #[must_use]
    pub fn with_fingerprint(mut self) -> Self {
        let len = self.bytes.len() - HEADER_LEN + FINGERPRINT_LEN;
        set_len(&mut self.bytes, len);
        let crc = fingerprint(&self.bytes);
        self.with(&Attribute::Fingerprint(crc))
    }

    /// The message so far.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The message.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn put(&mut self, attribute: &Attribute<'_>) {
        let at = self.bytes.len();
        self.bytes.extend(attribute.kind().to_be_bytes());
        self.bytes.extend([0, 0]);
        attribute.encode(&self.transaction_id, &mut self.bytes);
        let len = self.bytes.len() - at - ATTRIBUTE_HEAD_LEN;
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        assert!(self.bytes.len() <= MAX_LEN, "a message is short");
        // It is where that of a header is.
        set_len(&mut self.bytes[at..], len);
        let total = self.bytes.len() - HEADER_LEN;
        set_len(&mut self.bytes, total);
    }
}
