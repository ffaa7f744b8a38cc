//! What can be wrong with a message.

use thiserror::Error;

/// Why bytes are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Something follows FINGERPRINT, which is the last attribute (RFC 8489 §14.7).
    #[error("an attribute follows FINGERPRINT")]
    AfterFingerprint,
    /// A known attribute that must be understood has a value that cannot be.
    #[error("the value of attribute {kind:#06x} makes no sense")]
    Attribute {
        /// Its number.
        kind: u16,
    },
    /// An attribute goes beyond the message.
    #[error("an attribute goes beyond the message")]
    Cut,
    /// FINGERPRINT is not that of the message.
    #[error("the fingerprint is wrong")]
    Fingerprint,
    /// The length in the header is not that of the message, or no multiple of 4.
    #[error("the length is wrong")]
    Length,
    /// The message is longer than [`MAX_LEN`](super::MAX_LEN).
    #[error("it is longer than any message")]
    Long,
    /// There are more attributes than [`MAX_ATTRIBUTES`](super::MAX_ATTRIBUTES).
    #[error("there are too many attributes")]
    Many,
    /// The first bits or the magic cookie are not those of STUN. Clients of RFC 3489 have no cookie.
    #[error("it is not STUN")]
    NotStun,
    /// There are less bytes than a header has.
    #[error("it is shorter than a header")]
    Short,
}

/// Why a message is not known to come from who has the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IntegrityError {
    /// There is no such attribute.
    #[error("the message is not authenticated")]
    Missing,
    /// Another key or another message.
    #[error("the message is not authentic")]
    Wrong,
}
