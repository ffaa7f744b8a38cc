//! Structured bodies on the wire: bincode with a limit. The one module that names bincode.
//!
//! The format is bincode 2's standard one: little endian, variable-length integers, lengths before sequences
//! ([specification](https://docs.rs/bincode/2.0.1/bincode/spec/index.html)).

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

/// Encodes `value` into at most `LIMIT` bytes.
///
/// # Errors
///
/// [`CodecError::TooLong`] where it needs more.
pub fn encode<T: Serialize, const LIMIT: usize>(value: &T) -> Result<Vec<u8>, CodecError> {
    let bytes =
        bincode::serde::encode_to_vec(value, config()).map_err(|_| CodecError::Malformed)?;
    if bytes.len() > LIMIT {
        return Err(CodecError::TooLong { limit: LIMIT });
    }
    Ok(bytes)
}

/// Decodes a value that fills `bytes` to the last one.
///
/// A length found in `bytes` reserves 1 MiB at most, whatever it claims (serde's own bound), and what follows must be
/// there before more is.
///
/// # Errors
///
/// [`CodecError::TooLong`] for more than `LIMIT` bytes; [`CodecError::Trailing`] where
/// bytes are left over; [`CodecError::Malformed`] for the rest.
pub fn decode<T: DeserializeOwned, const LIMIT: usize>(bytes: &[u8]) -> Result<T, CodecError> {
    if bytes.len() > LIMIT {
        return Err(CodecError::TooLong { limit: LIMIT });
    }
    let (value, used) =
        bincode::serde::decode_from_slice(bytes, config()).map_err(|error| match error {
            bincode::error::DecodeError::LimitExceeded => CodecError::TooLong { limit: LIMIT },
            _ => CodecError::Malformed,
        })?;
    if used != bytes.len() {
        return Err(CodecError::Trailing(bytes.len() - used));
    }
    Ok(value)
}

/// Why bytes are no value, or a value no bytes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The bytes do not follow the format.
    #[error("the bytes do not follow the format")]
    Malformed,
    /// More bytes than allowed.
    #[error("more than the {limit} bytes allowed")]
    TooLong {
        /// Bytes allowed.
        limit: usize,
    },
    /// Bytes are left after the value.
    #[error("{0} bytes are left over")]
    Trailing(usize),
}

/// The limit that callers give is on the bytes of the input, which are there already. bincode's own counts what a value
/// may take in memory while it is decoded.
const fn config() -> Configuration<LittleEndian, Varint, Limit<MAX_MEMORY>> {
    bincode::config::standard().with_limit::<MAX_MEMORY>()
}

/// Far above what any value here takes: the longest, a hello, has 5 KiB.
const MAX_MEMORY: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn decode_undoes_encode(value: (u64, String, Vec<u32>)) {
            let bytes = encode::<_, 65_536>(&value).unwrap();
            prop_assert_eq!(decode::<(u64, String, Vec<u32>), 65_536>(&bytes), Ok(value));
        }

        #[test]
        fn any_bytes_decode_without_panic(bytes: Vec<u8>) {
            let _ = decode::<(u64, String, Vec<Vec<u16>>), 4_096>(&bytes);
        }
    }

    #[test]
    fn value_over_the_limit_is_refused() {
        assert_eq!(
            encode::<_, 10>(&vec![0_u8; 11]),
            Err(CodecError::TooLong { limit: 10 })
        );
        assert_eq!(
            decode::<u8, 1>(&[0; 2]),
            Err(CodecError::TooLong { limit: 1 })
        );
    }

    #[test]
    fn length_that_claims_more_than_is_there_is_refused() {
        let claims_4_gib = [252, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(
            decode::<Vec<u8>, 100>(&claims_4_gib),
            Err(CodecError::Malformed)
        );
    }

    #[test]
    fn bytes_left_over_are_refused() {
        assert_eq!(decode::<u8, 10>(&[1, 2, 3]), Err(CodecError::Trailing(2)));
    }
}
