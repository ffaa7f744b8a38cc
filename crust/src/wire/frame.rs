//! Frames: what a record's plaintext is made of.

use bytes::BufMut;
use crust_core::varint;
use thiserror::Error;

use crate::message::Priority;

/// One frame, borrowed from the record it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// `received` reliable frames have come; messages may cost up to `credit` in all since the session began.
    Ack { received: u64, credit: u64 },
    /// The sender ends the session.
    Close { code: u8, text: &'a [u8] },
    /// The arbiter takes this connection for the session.
    Confirm,
    /// What a part of the node says to the same part of the peer's, over its channel (0 to 31).
    Control { channel: u8, data: &'a [u8] },
    /// The first frame of each side; its body is a [`Hello`](crate::wire::hello::Hello).
    Hello(&'a [u8]),
    /// A message, or a piece of one. Reliable: it counts for [`Frame::Ack`].
    Message(Chunk<'a>),
    /// Asks for a pong with the same token.
    Ping(u64),
    /// Answers a ping.
    Pong(u64),
    /// A frame of a later version that this one may ignore.
    Unknown,
}

/// A piece of a message. Pieces of one priority come in order and do not mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chunk<'a> {
    pub(crate) priority: Priority,
    /// Bytes of the whole message, on its first piece only.
    pub(crate) total: Option<usize>,
    pub(crate) last: bool,
    pub(crate) data: &'a [u8],
}

impl Frame<'_> {
    /// Appends the frame to `out`, which must have room for it.
    pub(crate) fn put<B: BufMut>(&self, out: &mut B) {
        match *self {
            Frame::Ack { received, credit } => {
                out.put_u8(ACK);
                varint::put(received, out);
                varint::put(credit, out);
            }
            Frame::Close { code, text } => {
                out.put_u8(CLOSE);
                out.put_u8(code);
                put_bytes(text, out);
            }
            Frame::Confirm => out.put_u8(CONFIRM),
            Frame::Control { channel, data } => {
                out.put_u8(CONTROL | (channel & CHANNEL));
                put_bytes(data, out);
            }
            Frame::Hello(body) => {
                out.put_u8(HELLO);
                put_bytes(body, out);
            }
            Frame::Message(chunk) => chunk.put(out),
            Frame::Ping(token) => {
                out.put_u8(PING);
                out.put_u64(token);
            }
            Frame::Pong(token) => {
                out.put_u8(PONG);
                out.put_u64(token);
            }
            Frame::Unknown => {}
        }
    }
}

impl Chunk<'_> {
    /// Bytes of a piece's frame before its data, at most.
    pub(crate) const MAX_HEADER_LEN: usize = 1 + 2 * varint::MAX_LEN;

    fn put<B: BufMut>(&self, out: &mut B) {
        let mut kind = MESSAGE | self.priority.level();
        if self.total.is_some() {
            kind |= FIRST;
        }
        if self.last {
            kind |= LAST;
        }
        out.put_u8(kind);
        if let (Some(total), false) = (self.total, self.last) {
            varint::put(total as u64, out);
        }
        put_bytes(self.data, out);
    }
}

/// Takes the frames off a record's plaintext, one by one. After an error there is no way to go on.
#[derive(Debug)]
pub(crate) struct Frames<'a>(&'a [u8]);

impl<'a> Frames<'a> {
    pub(crate) const fn new(plaintext: &'a [u8]) -> Self {
        Self(plaintext)
    }

    /// What is not taken yet.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.0
    }

    fn take(&mut self) -> Result<Frame<'a>, FrameError> {
        let kind = self.byte()?;
        match kind {
            MESSAGE..=MESSAGE_LAST_KIND => self.message(kind),
            ACK => Ok(Frame::Ack {
                received: self.varint()?,
                credit: self.varint()?,
            }),
            PING => Ok(Frame::Ping(self.u64()?)),
            PONG => Ok(Frame::Pong(self.u64()?)),
            CONFIRM => Ok(Frame::Confirm),
            CLOSE => Ok(Frame::Close {
                code: self.byte()?,
                text: self.bytes()?,
            }),
            HELLO => Ok(Frame::Hello(self.bytes()?)),
            CONTROL..=CONTROL_LAST_KIND => Ok(Frame::Control {
                channel: kind & CHANNEL,
                data: self.bytes()?,
            }),
            EXTENSION.. => self.bytes().map(|_| Frame::Unknown),
            _ => Err(FrameError::Kind(kind)),
        }
    }

    fn message(&mut self, kind: u8) -> Result<Frame<'a>, FrameError> {
        let (first, last) = (kind & FIRST != 0, kind & LAST != 0);
        let total = if first && !last {
            Some(self.len()?)
        } else {
            None
        };
        let data = self.bytes()?;
        let total = if first && last {
            Some(data.len())
        } else {
            total
        };
        Ok(Frame::Message(Chunk {
            priority: Priority::from_bits(kind),
            total,
            last,
            data,
        }))
    }

    fn byte(&mut self) -> Result<u8, FrameError> {
        let (byte, rest) = self.0.split_first().ok_or(FrameError::Truncated)?;
        self.0 = rest;
        Ok(*byte)
    }

    fn u64(&mut self) -> Result<u64, FrameError> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(FrameError::Truncated)?;
        self.0 = rest;
        Ok(u64::from_be_bytes(*bytes))
    }

    fn varint(&mut self) -> Result<u64, FrameError> {
        varint::take(&mut self.0).ok_or(FrameError::Truncated)
    }

    fn len(&mut self) -> Result<usize, FrameError> {
        usize::try_from(self.varint()?).map_err(|_| FrameError::Truncated)
    }

    fn bytes(&mut self) -> Result<&'a [u8], FrameError> {
        let len = self.len()?;
        let (bytes, rest) = self.0.split_at_checked(len).ok_or(FrameError::Truncated)?;
        self.0 = rest;
        Ok(bytes)
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, FrameError>;

    fn next(&mut self) -> Option<Self::Item> {
        (!self.0.is_empty()).then(|| self.take())
    }
}

/// Why bytes are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum FrameError {
    #[error("frame kind {0:#04x} is unknown")]
    Kind(u8),
    #[error("a frame is cut off")]
    Truncated,
}

fn put_bytes<B: BufMut>(bytes: &[u8], out: &mut B) {
    varint::put(bytes.len() as u64, out);
    for piece in bytes.chunks(COPY_PIECE) {
        out.put_slice(piece);
    }
}

/// Copied in one call, longer pieces become `rep movsb` in glibc, which on AMD Zen 3 runs at a twentieth of its speed
/// where the two ends lie unluckily in their pages; docs/performance.md has the figures.
const COPY_PIECE: usize = 2 * 1024;

const HELLO: u8 = 0x01;
const CONFIRM: u8 = 0x02;
const ACK: u8 = 0x03;
const PING: u8 = 0x04;
const PONG: u8 = 0x05;
const CLOSE: u8 = 0x06;
/// Kinds from here to [`MESSAGE_LAST_KIND`] are messages: bit 4 first piece, bit 3 last piece, bits 2 to 0 priority.
const MESSAGE: u8 = 0x40;
const MESSAGE_LAST_KIND: u8 = 0x5f;
const FIRST: u8 = 0x10;
const LAST: u8 = 0x08;
/// Kinds from here to [`CONTROL_LAST_KIND`] are control messages: bits 4 to 0 are the channel.
const CONTROL: u8 = 0x60;
const CONTROL_LAST_KIND: u8 = 0x7f;
const CHANNEL: u8 = 0x1f;
/// Kinds from here on carry a length, so that a version that does not know them can pass over them.
const EXTENSION: u8 = 0x80;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_frame() -> impl Strategy<Value = (u8, u64, u64, Vec<u8>, bool, bool, u8)> {
        let number = 0..=varint::MAX;
        (
            0_u8..8,
            number.clone(),
            number,
            prop::collection::vec(any::<u8>(), 0..200),
            any::<bool>(),
            any::<bool>(),
            0_u8..8,
        )
    }

    proptest! {
        #[test]
        fn frames_come_back_as_they_were((kind, a, b, data, first, last, level) in any_frame()) {
            let total = match (first, last) {
                (true, true) => Some(data.len()),
                (true, false) => Some(usize::try_from(a).unwrap()),
                (false, _) => None,
            };
            let frame = match kind {
                0 => Frame::Ack { received: a, credit: b },
                1 => Frame::Close { code: level, text: &data },
                2 => Frame::Confirm,
                3 => Frame::Hello(&data),
                4 => Frame::Ping(a),
                5 => Frame::Pong(b),
                6 => Frame::Control { channel: level, data: &data },
                _ => Frame::Message(Chunk { priority: Priority::from_bits(level), total, last, data: &data }),
            };
            let mut wire = Vec::new();
            frame.put(&mut wire);
            frame.put(&mut wire);
            let frames: Result<Vec<_>, _> = Frames::new(&wire).collect();
            prop_assert_eq!(frames, Ok(vec![frame, frame]));
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            for frame in Frames::new(&bytes) {
                if frame.is_err() {
                    break;
                }
            }
        }
    }

    #[test]
    fn frames_of_later_versions_are_passed_over() {
        let frames: Vec<_> = Frames::new(&[0x99, 2, 7, 7, CONFIRM]).collect();
        assert_eq!(frames, [Ok(Frame::Unknown), Ok(Frame::Confirm)]);
    }

    #[test]
    fn frames_that_cannot_be_passed_over_are_errors() {
        assert_eq!(
            Frames::new(&[0x3f]).next(),
            Some(Err(FrameError::Kind(0x3f)))
        );
        assert_eq!(
            Frames::new(&[HELLO, 2, 7]).next(),
            Some(Err(FrameError::Truncated))
        );
    }
}
