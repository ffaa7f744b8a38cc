//! Length-prefixed frames over a byte stream.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use thiserror::Error;

/// Cuts a byte stream into frames: a length of four bytes, big endian, then that many bytes.
///
/// For protocols of your own over a [`Connection`](crate::Connection). A length over the limit is refused before
/// anything is allocated for it.
///
/// ```
/// use bytes::BytesMut;
/// use crust_core::FrameCodec;
///
/// let codec = FrameCodec::new(1_024);
/// let mut wire = BytesMut::new();
/// codec.encode(b"hello", &mut wire)?;
/// assert_eq!(codec.decode(&mut wire)?.as_deref(), Some(&b"hello"[..]));
/// assert_eq!(codec.decode(&mut wire)?, None);
/// # Ok::<(), crust_core::FrameError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameCodec {
    max_len: usize,
}

impl FrameCodec {
    /// Allows frames of up to `max_len` bytes, prefix not counted, and of `u32::MAX` in any case.
    pub const fn new(max_len: usize) -> Self {
        Self {
            max_len: if max_len > u32::MAX as usize {
                u32::MAX as usize
            } else {
                max_len
            },
        }
    }

    /// Bytes of the longest frame.
    pub const fn max_len(&self) -> usize {
        self.max_len
    }

    /// Appends one frame to `out`.
    ///
    /// # Errors
    ///
    /// [`FrameError`] where `frame` is longer than allowed; `out` is then as it was.
    pub fn encode(&self, frame: &[u8], out: &mut BytesMut) -> Result<(), FrameError> {
        let len = self.check(frame.len())?;
        out.reserve(PREFIX_LEN + frame.len());
        out.put_u32(len);
        out.put_slice(frame);
        Ok(())
    }

    /// Takes the first whole frame off `input`, without copying; `None` while bytes are missing.
    ///
    /// # Errors
    ///
    /// [`FrameError`] where the length is more than allowed. There is no way to go on from that.
    pub fn decode(&self, input: &mut BytesMut) -> Result<Option<Bytes>, FrameError> {
        let Some(prefix) = input.first_chunk::<PREFIX_LEN>() else {
            return Ok(None);
        };
        let len = u32::from_be_bytes(*prefix) as usize;
        self.check(len)?;
        if input.len() < PREFIX_LEN + len {
            return Ok(None);
        }
        input.advance(PREFIX_LEN);
        Ok(Some(input.split_to(len).freeze()))
    }

    fn check(&self, len: usize) -> Result<u32, FrameError> {
        let too_long = FrameError {
            len,
            limit: self.max_len,
        };
        if len > self.max_len {
            return Err(too_long);
        }
        u32::try_from(len).map_err(|_| too_long)
    }
}

/// A frame is longer than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a frame has at most {limit} bytes, not {len}")]
#[non_exhaustive]
pub struct FrameError {
    /// Bytes it has or claims.
    pub len: usize,
    /// Bytes allowed.
    pub limit: usize,
}

/// A `u32`: four bytes.
const PREFIX_LEN: usize = 4;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CODEC: FrameCodec = FrameCodec::new(300);

    proptest! {
        #[test]
        fn frames_come_back_however_the_stream_is_cut(
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20),
            piece in 1_usize..50,
        ) {
            let mut wire = BytesMut::new();
            for frame in &frames {
                CODEC.encode(frame, &mut wire).unwrap();
            }
            let mut input = BytesMut::new();
            let mut got = Vec::new();
            for bytes in wire.chunks(piece) {
                input.extend_from_slice(bytes);
                while let Some(frame) = CODEC.decode(&mut input).unwrap() {
                    got.push(frame.to_vec());
                }
            }
            prop_assert_eq!(got, frames);
            prop_assert!(input.is_empty());
        }

        #[test]
        fn any_bytes_decode_without_panic(bytes: Vec<u8>) {
            let mut input = BytesMut::from(&bytes[..]);
            while let Ok(Some(_)) = CODEC.decode(&mut input) {}
        }
    }

    #[test]
    fn frame_over_the_limit_is_refused_both_ways() {
        let mut wire = BytesMut::new();
        assert_eq!(
            CODEC.encode(&[0; 301], &mut wire),
            Err(FrameError {
                len: 301,
                limit: 300
            })
        );
        assert!(wire.is_empty());
        let mut input = BytesMut::from(&301_u32.to_be_bytes()[..]);
        assert_eq!(
            CODEC.decode(&mut input),
            Err(FrameError {
                len: 301,
                limit: 300
            })
        );
    }
}
