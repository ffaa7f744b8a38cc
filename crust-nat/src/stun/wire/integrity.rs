//! MESSAGE-INTEGRITY and MESSAGE-INTEGRITY-SHA256 (RFC 8489 §14.5, §14.6).
//!
//! The HMAC is of the message up to the attribute, with a length in the header that counts the attribute.

use ring::hmac;

use super::{
    error::IntegrityError,
    header::{HEADER_LEN, set_len},
    message::ATTRIBUTE_HEAD_LEN,
};

/// The HMAC-SHA1 of what is `before` the attribute.
pub(super) fn sha1(key: &[u8], before: &[u8]) -> [u8; SHA1_LEN] {
    let tag = hmac::sign(&sha1_key(key), &counted(before, SHA1_LEN));
    tag.as_ref()
        .try_into()
        .expect("the length of a SHA-1 is known")
}

/// The HMAC-SHA256 of what is `before` the attribute.
pub(super) fn sha256(key: &[u8], before: &[u8]) -> [u8; SHA256_LEN] {
    let tag = hmac::sign(&sha256_key(key), &counted(before, SHA256_LEN));
    tag.as_ref()
        .try_into()
        .expect("the length of a SHA-256 is known")
}

pub(super) fn verify_sha1(key: &[u8], (before, tag): (&[u8], &[u8])) -> Result<(), IntegrityError> {
    let verified = hmac::verify(&sha1_key(key), &counted(before, SHA1_LEN), tag);
    verified.map_err(|_| IntegrityError::Wrong)
}

pub(super) fn verify_sha256(
    key: &[u8],
    (before, tag): (&[u8], &[u8]),
) -> Result<(), IntegrityError> {
    let verified = hmac::verify(&sha256_key(key), &counted(before, SHA256_LEN), tag);
    verified.map_err(|_| IntegrityError::Wrong)
}

fn counted(before: &[u8], tag_len: usize) -> Vec<u8> {
    let mut counted = before.to_vec();
    let len = before.len() - HEADER_LEN + ATTRIBUTE_HEAD_LEN + tag_len;
    set_len(&mut counted, len);
    counted
}

fn sha1_key(key: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key)
}

fn sha256_key(key: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, key)
}

const SHA1_LEN: usize = 20;
const SHA256_LEN: usize = 32;
