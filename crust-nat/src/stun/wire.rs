//! Messages as bytes (RFC 8489 §5, §14; RFC 5780 §7).

mod address;
mod attribute;
mod crc32;
mod error;
mod header;
mod integrity;
pub mod kind;
mod message;
mod writer;

pub(super) use self::header::HEADER_LEN;
pub use self::{
    attribute::{Attribute, AttributeKinds, Change},
    error::{DecodeError, IntegrityError},
    header::{Class, Method, TransactionId, looks_like_stun, message_len},
    message::{MAX_ATTRIBUTES, MAX_LEN, Message},
    writer::MessageWriter,
};
