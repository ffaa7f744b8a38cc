//! A message that was read, in the bytes that it came in.

use super::{
    attribute::Attribute,
    crc32::crc32,
    error::{DecodeError, IntegrityError},
    header::{Class, HEADER_LEN, Header, Method, TransactionId},
    integrity, kind,
};

/// A message. Its attributes have been checked: what it gives makes sense, though a stranger says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    header: Header,
    bytes: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads a whole datagram, or a message of a stream.
    ///
    /// A wrong FINGERPRINT makes it none. An attribute that need not be understood and makes no sense is
    /// [`Attribute::Unknown`].
    ///
    /// # Errors
    ///
    /// [`DecodeError`], as it says.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let header = Header::decode(bytes)?;
        if bytes.len() > MAX_LEN {
            return Err(DecodeError::Long);
        }
        if HEADER_LEN + header.len != bytes.len() {
            return Err(DecodeError::Length);
        }
        let message = Self { header, bytes };
        message.check()?;
        Ok(message)
    }

    /// What it is within its transaction.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.header.class
    }

    /// What it is about.
    #[must_use]
    pub const fn method(&self) -> Method {
        self.header.method
    }

    /// The transaction that it belongs to.
    #[must_use]
    pub const fn transaction_id(&self) -> TransactionId {
        self.header.transaction_id
    }

    /// Its attributes that count: of those after MESSAGE-INTEGRITY only the two that may follow it (RFC 8489 §14.5).
    ///
    /// Where one is there several times the first counts, which is the reader's to see to.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        let id = self.header.transaction_id;
        let mut last = None;
        let raw = Raws::of(self.bytes).map_while(Result::ok);
        raw.filter(move |raw| counts_after(&mut last, raw.kind))
            .filter_map(move |raw| read(&raw, &id).ok())
    }

    /// The numbers of attributes that are not known here and yet must be understood.
    pub fn unknown_required(&self) -> impl Iterator<Item = u16> + use<'a> {
        let is_it = |attribute: &Attribute<'_>| {
            let kind = attribute.kind();
            matches!(attribute, Attribute::Unknown { .. }) && kind::is_required(kind)
        };
        self.attributes()
            .filter(is_it)
            .map(|attribute| attribute.kind())
    }

    /// Whether it has a FINGERPRINT, which is right then.
    #[must_use]
    pub fn has_fingerprint(&self) -> bool {
        self.attributes()
            .any(|attribute| matches!(attribute, Attribute::Fingerprint(_)))
    }

    /// Checks MESSAGE-INTEGRITY. The key is the password for short-term credentials (RFC 8489 §9.1.1), and a hash of
    /// name, realm and password for long-term ones (§9.2.2).
    ///
    /// # Errors
    ///
    /// [`IntegrityError`], as it says.
    pub fn verify_integrity(&self, key: &[u8]) -> Result<(), IntegrityError> {
        integrity::verify_sha1(key, self.before(kind::MESSAGE_INTEGRITY)?)
    }

    /// Checks MESSAGE-INTEGRITY-SHA256, with a key as that of [`verify_integrity`](Self::verify_integrity).
    ///
    /// # Errors
    ///
    /// [`IntegrityError`], as it says.
    pub fn verify_integrity_sha256(&self, key: &[u8]) -> Result<(), IntegrityError> {
        integrity::verify_sha256(key, self.before(kind::MESSAGE_INTEGRITY_SHA256)?)
    }

    /// The bytes before the first attribute of this kind that counts, and its value.
    fn before(&self, kind: u16) -> Result<(&'a [u8], &'a [u8]), IntegrityError> {
        let mut last = None;
        let mut raws = Raws::of(self.bytes).map_while(Result::ok);
        let raw = raws.find(|raw| counts_after(&mut last, raw.kind) && raw.kind == kind);
        let raw = raw.ok_or(IntegrityError::Missing)?;
        Ok((&self.bytes[..raw.at], raw.value))
    }

    fn check(&self) -> Result<(), DecodeError> {
        for (count, raw) in Raws::of(self.bytes).enumerate() {
            let raw = raw?;
            if count == MAX_ATTRIBUTES {
                return Err(DecodeError::Many);
            }
            let attribute = read(&raw, &self.header.transaction_id)?;
            if raw.kind == kind::FINGERPRINT {
                self.check_fingerprint(&raw, &attribute)?;
            }
        }
        Ok(())
    }

    fn check_fingerprint(
        &self,
        raw: &Raw<'_>,
        attribute: &Attribute<'_>,
    ) -> Result<(), DecodeError> {
        if raw.at + FINGERPRINT_LEN < self.bytes.len() {
            return Err(DecodeError::AfterFingerprint);
        }
        let expected = Attribute::Fingerprint(fingerprint(&self.bytes[..raw.at]));
        if *attribute == expected {
            Ok(())
        } else {
            Err(DecodeError::Fingerprint)
        }
    }
}

/// The FINGERPRINT that follows `before`, whose header counts it already.
pub(super) fn fingerprint(before: &[u8]) -> u32 {
    crc32(before) ^ FINGERPRINT_MASK
}

/// Whether one of `kind` counts after `last`, the one before it that did.
fn counts_after(last: &mut Option<u16>, kind: u16) -> bool {
    let counts = match *last {
        Some(kind::MESSAGE_INTEGRITY) => {
            matches!(kind, kind::MESSAGE_INTEGRITY_SHA256 | kind::FINGERPRINT)
        }
        Some(kind::MESSAGE_INTEGRITY_SHA256) => kind == kind::FINGERPRINT,
        _ => true,
    };
    if counts {
        *last = Some(kind);
    }
    counts
}

fn read<'a>(raw: &Raw<'a>, id: &TransactionId) -> Result<Attribute<'a>, DecodeError> {
    let Raw { kind, value, .. } = *raw;
    match Attribute::decode(kind, value, id) {
        Some(attribute) => Ok(attribute),
        None if kind::is_required(kind) => Err(DecodeError::Attribute { kind }),
        None => Ok(Attribute::Unknown { kind, value }),
    }
}

/// An attribute as it is in the message.
struct Raw<'a> {
    kind: u16,
    value: &'a [u8],
    /// Where it begins in the message.
    at: usize,
}

/// The attributes of a message one by one. An error is the last.
struct Raws<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Raws<'a> {
    const fn of(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: HEADER_LEN,
        }
    }
}

impl<'a> Iterator for Raws<'a> {
    type Item = Result<Raw<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.at;
        let rest = self.bytes.get(at..).filter(|rest| !rest.is_empty())?;
        let raw = rest.split_first_chunk().and_then(|(head, rest)| {
            let [k0, k1, l0, l1] = *head;
            let len = usize::from(u16::from_be_bytes([l0, l1]));
            let kind = u16::from_be_bytes([k0, k1]);
            let value = rest.get(..len)?;
            Some(Raw { kind, value, at })
        });
        let Some(raw) = raw else {
            self.at = self.bytes.len();
            return Some(Err(DecodeError::Cut));
        };
        self.at = at + ATTRIBUTE_HEAD_LEN + raw.value.len().next_multiple_of(4);
        Some(Ok(raw))
    }
}

/// Bytes of the longest message that is read or written: those that others send to measure paths have a PADDING as long as
/// an Ethernet frame (RFC 5780 §7.6), and a little more. STUN asks for less where the path is not known (RFC 8489 §6.1).
pub const MAX_LEN: usize = 2_048;
/// Attributes of a message that is read. Those that exist number some forty, and no message has use for half of them.
pub const MAX_ATTRIBUTES: usize = 32;
/// Bytes of an attribute's number and length.
pub(super) const ATTRIBUTE_HEAD_LEN: usize = 4;
/// Bytes of the whole attribute.
pub(super) const FINGERPRINT_LEN: usize = ATTRIBUTE_HEAD_LEN + 4;
/// "STUN" in ASCII, so that another protocol's CRC-32 is none of STUN (RFC 8489 §14.7).
const FINGERPRINT_MASK: u32 = 0x5354_554e;
