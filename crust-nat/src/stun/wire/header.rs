//! The header: class, method, length and transaction id (RFC 8489 §5).

use std::fmt;

use super::error::DecodeError;

/// What a message is within its transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// An answer that says why not.
    Error,
    /// A message that nobody answers.
    Indication,
    /// A question.
    Request,
    /// The answer that was asked for.
    Success,
}

/// What a message is about: a number of 12 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Method(u16);

impl Method {
    /// Asks at which address the other side sees the asker; the one method of STUN itself.
    pub const BINDING: Self = Self(1);

    /// The method with this number; `None` above 0xfff.
    #[must_use]
    pub const fn new(number: u16) -> Option<Self> {
        match number {
            0..=0xfff => Some(Self(number)),
            _ => None,
        }
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }
}

/// The 96 random bits by which an answer belongs to a request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId([u8; 12]);

impl TransactionId {
    /// One of these bytes, which nobody outside should be able to guess.
    #[must_use]
    pub const fn new(bytes: [u8; 12]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 12] {
        &self.0
    }
}

impl fmt::Debug for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The fixed part of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) class: Class,
    pub(super) method: Method,
    pub(super) transaction_id: TransactionId,
    /// Bytes of the attributes, padding included.
    pub(super) len: usize,
}

impl Header {
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let fixed = bytes
            .first_chunk::<HEADER_LEN>()
            .ok_or(DecodeError::Short)?;
        let [t0, t1, l0, l1, c0, c1, c2, c3, id @ ..] = *fixed;
        let kind = u16::from_be_bytes([t0, t1]);
        let len = usize::from(u16::from_be_bytes([l0, l1]));
        if kind & 0xc000 != 0 || u32::from_be_bytes([c0, c1, c2, c3]) != COOKIE {
            return Err(DecodeError::NotStun);
        }
        if !len.is_multiple_of(4) {
            return Err(DecodeError::Length);
        }
        Ok(Self {
            class: class(kind),
            method: method(kind),
            transaction_id: TransactionId(id),
            len,
        })
    }

    pub(super) fn encode(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        let kind = message_type(self.class, self.method);
        bytes[..2].copy_from_slice(&kind.to_be_bytes());
        bytes[LEN_AT..LEN_AT + 2].copy_from_slice(&len_field(self.len));
        bytes[4..8].copy_from_slice(&COOKIE.to_be_bytes());
        bytes[8..].copy_from_slice(&self.transaction_id.0);
        bytes
    }
}

/// Writes `len`, the bytes of the attributes, into the header at the beginning of `message`.
pub(super) fn set_len(message: &mut [u8], len: usize) {
    message[LEN_AT..LEN_AT + 2].copy_from_slice(&len_field(len));
}

/// Whether a datagram looks like STUN: enough to tell it from what else comes to a port.
///
/// The first two bits, the magic cookie and the length must be right: 52 bits that other protocols set by chance alone.
#[must_use]
pub fn looks_like_stun(datagram: &[u8]) -> bool {
    Header::decode(datagram).is_ok_and(|header| HEADER_LEN + header.len == datagram.len())
}

/// How many bytes the message has that begins with `head`, on a stream (RFC 8489 §6.2.2).
///
/// # Errors
///
/// [`DecodeError::Short`] where `head` is less than 20 bytes, and what else is wrong with a header.
pub fn message_len(head: &[u8]) -> Result<usize, DecodeError> {
    Header::decode(head).map(|header| HEADER_LEN + header.len)
}

fn len_field(len: usize) -> [u8; 2] {
    u16::try_from(len)
        .expect("a message is shorter than 64 KiB")
        .to_be_bytes()
}

/// The bits of class and method are interleaved, as RFC 8489 figure 3 shows.
const fn message_type(class: Class, method: Method) -> u16 {
    let class = match class {
        Class::Request => 0,
        Class::Indication => 0x010,
        Class::Success => 0x100,
        Class::Error => 0x110,
    };
    let number = method.0;
    class | number & 0xf | (number & 0x70) << 1 | (number & 0xf80) << 2
}

const fn class(kind: u16) -> Class {
    match kind & 0x110 {
        0 => Class::Request,
        0x010 => Class::Indication,
        0x100 => Class::Success,
        _ => Class::Error,
    }
}

const fn method(kind: u16) -> Method {
    Method(kind & 0xf | (kind & 0xe0) >> 1 | (kind & 0x3e00) >> 2)
}

/// Bytes of a header.
pub(crate) const HEADER_LEN: usize = 20;
/// The magic cookie.
pub(super) const COOKIE: u32 = 0x2112_a442;
const LEN_AT: usize = 2;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CLASSES: [Class; 4] = [
        Class::Error,
        Class::Indication,
        Class::Request,
        Class::Success,
    ];

    #[test]
    fn types_of_a_binding_are_those_of_the_rfc() {
        let types = [
            Class::Request,
            Class::Indication,
            Class::Success,
            Class::Error,
        ]
        .map(|it| message_type(it, Method::BINDING));
        assert_eq!(types, [0x0001, 0x0011, 0x0101, 0x0111]);
    }

    #[test]
    fn header_of_another_protocol_does_not_look_like_stun() {
        let header = Header {
            class: Class::Success,
            method: Method::BINDING,
            transaction_id: TransactionId([7; 12]),
            len: 0,
        };
        let bytes = header.encode();
        assert!(looks_like_stun(&bytes));
        for at in [0, 3, 4, 7] {
            let mut other = bytes;
            other[at] ^= 0x80;
            assert!(!looks_like_stun(&other), "{at}");
        }
        assert!(!looks_like_stun(&bytes[..19]));
        assert!(!looks_like_stun(&[&bytes[..], &[0; 4]].concat()));
    }

    proptest! {
        #[test]
        fn header_that_is_written_is_read_the_same(
            class in prop::sample::select(&CLASSES[..]),
            number in 0_u16..=0xfff,
            id: [u8; 12],
            words in 0_usize..0x3fff,
        ) {
            let header = Header {
                class,
                method: Method::new(number).unwrap(),
                transaction_id: TransactionId(id),
                len: words * 4,
            };
            prop_assert_eq!(Header::decode(&header.encode()), Ok(header));
        }
    }
}
