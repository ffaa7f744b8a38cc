//! Packets as bytes: the header of BEP 29, its chain of extensions, and the payload.

mod sack;

use thiserror::Error;

pub(crate) use self::sack::{MAX_MASK_LEN, Sack, WORD_LEN};
use crate::seq_nr::SeqNr;

/// One packet, all of it but its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) conn_id: u16,
    /// The sender's clock when it was sent; the zero is the sender's own.
    pub(crate) timestamp_us: u32,
    /// The sender's clock less the timestamp of the last packet that came to it.
    pub(crate) timestamp_difference_us: u32,
    /// Bytes that the sender has room for.
    pub(crate) wnd_size: u32,
    pub(crate) seq_nr: SeqNr,
    pub(crate) ack_nr: SeqNr,
}

/// What a packet is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Data = 0,
    Fin = 1,
    /// An acknowledgement without data; it has no number of its own.
    State = 2,
    Reset = 3,
    Syn = 4,
}

/// A packet that was read, in the datagram that it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packet<'a> {
    pub(crate) header: Header,
    pub(crate) sack: Option<Sack<'a>>,
    pub(crate) payload: &'a [u8],
}

/// What follows a header before the payload.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Extensions<'a> {
    pub(crate) sack: Option<Sack<'a>>,
    /// Bytes that only make the packet longer, in extensions that nobody knows.
    pub(crate) padding: usize,
}

impl Header {
    /// Writes the header and what follows it. The payload is the caller's to add.
    pub(crate) fn put(&self, extensions: Extensions<'_>, out: &mut Vec<u8>) {
        let first = match (extensions.sack, extensions.padding) {
            (Some(_), _) => SELECTIVE_ACK,
            (None, 0) => END,
            (None, padding) => padding_kind(padding),
        };
        out.extend([self.kind as u8 * 16 + VERSION, first]);
        out.extend(self.conn_id.to_be_bytes());
        out.extend(self.timestamp_us.to_be_bytes());
        out.extend(self.timestamp_difference_us.to_be_bytes());
        out.extend(self.wnd_size.to_be_bytes());
        out.extend(self.seq_nr.0.to_be_bytes());
        out.extend(self.ack_nr.0.to_be_bytes());
        if let Some(sack) = extensions.sack {
            let mask = sack.bytes();
            out.extend([
                padding_kind(extensions.padding),
                u8::try_from(mask.len()).unwrap_or(u8::MAX),
            ]);
            out.extend(mask);
        }
        pad(extensions.padding, out);
    }
}

impl<'a> Packet<'a> {
    /// Reads a datagram. Extensions of unknown kinds are skipped.
    pub(crate) fn decode(datagram: &'a [u8]) -> Result<Self, PacketError> {
        let (fixed, rest) = datagram
            .split_first_chunk::<HEADER_LEN>()
            .ok_or(PacketError::Short)?;
        if fixed[0] & 0x0f != VERSION {
            return Err(PacketError::Version);
        }
        let kind = Kind::from_wire(fixed[0] >> 4).ok_or(PacketError::Kind)?;
        let (sack, payload) = extensions(fixed[1], rest)?;
        let header = Header {
            kind,
            conn_id: word(fixed, 2),
            timestamp_us: double(fixed, 4),
            timestamp_difference_us: double(fixed, 8),
            wnd_size: double(fixed, 12),
            seq_nr: SeqNr(word(fixed, 16)),
            ack_nr: SeqNr(word(fixed, 18)),
        };
        Ok(Self {
            header,
            sack,
            payload,
        })
    }
}

impl Kind {
    const fn from_wire(kind: u8) -> Option<Self> {
        match kind {
            0 => Some(Self::Data),
            1 => Some(Self::Fin),
            2 => Some(Self::State),
            3 => Some(Self::Reset),
            4 => Some(Self::Syn),
            _ => None,
        }
    }
}

/// Why a datagram is no packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum PacketError {
    #[error("an extension goes beyond the datagram")]
    Extension,
    #[error("the kind is unknown")]
    Kind,
    #[error("it is shorter than a header")]
    Short,
    #[error("the version is not 1")]
    Version,
}

/// Whether a datagram looks like a packet: enough to tell it from what else comes to a port.
pub(crate) fn looks_like_packet(datagram: &[u8]) -> bool {
    matches!(datagram, [first, ..] if datagram.len() >= HEADER_LEN
        && first & 0x0f == VERSION
        && Kind::from_wire(first >> 4).is_some())
}

fn extensions(mut kind: u8, mut rest: &[u8]) -> Result<(Option<Sack<'_>>, &[u8]), PacketError> {
    let mut sack = None;
    while kind != END {
        let ([next, len], after) = rest
            .split_first_chunk::<2>()
            .ok_or(PacketError::Extension)?;
        let (body, after) = after
            .split_at_checked(usize::from(*len))
            .ok_or(PacketError::Extension)?;
        if kind == SELECTIVE_ACK {
            sack = Sack::new(body);
        }
        (kind, rest) = (*next, after);
    }
    Ok((sack, rest))
}

/// The kind of the first extension of so much padding.
const fn padding_kind(bytes: usize) -> u8 {
    match bytes {
        0 => END,
        1..LEAST_WITH_BITS => PADDING,
        _ => EXTENSION_BITS,
    }
}

/// Writes `bytes` of padding: extensions of two bytes at least, each of which names the kind of the next.
fn pad(mut bytes: usize, out: &mut Vec<u8>) {
    if padding_kind(bytes) == EXTENSION_BITS {
        for next in [EXTENSION_BITS, PADDING] {
            out.extend([next, BITS_LEN]);
            out.extend([0; BITS_LEN as usize]);
            bytes -= EXTENSION_HEAD_LEN + usize::from(BITS_LEN);
        }
    }
    while bytes > 0 {
        let most = EXTENSION_HEAD_LEN + usize::from(u8::MAX);
        // The last must not be left with a single byte.
        let len = if bytes == most + 1 {
            most - 1
        } else {
            bytes.min(most)
        };
        bytes -= len;
        let body = len.saturating_sub(EXTENSION_HEAD_LEN);
        let next = if bytes > 0 { PADDING } else { END };
        out.extend([next, u8::try_from(body).unwrap_or(u8::MAX)]);
        out.resize(out.len() + body, 0);
    }
}

fn word(bytes: &[u8; HEADER_LEN], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn double(bytes: &[u8; HEADER_LEN], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Bytes of a header.
pub(crate) const HEADER_LEN: usize = 20;
/// Bytes of an extension's head: the kind of the next, and its own length.
pub(crate) const EXTENSION_HEAD_LEN: usize = 2;
const VERSION: u8 = 1;
/// Kinds of extensions.
const END: u8 = 0;
const SELECTIVE_ACK: u8 = 1;
/// What the other side can do; all bits are zero.
const EXTENSION_BITS: u8 = 2;
/// Unknown to everybody, and so skipped by everybody; but neither as the first extension, for which libutp looks, nor as the
/// second, for which Wireshark does: they take such a packet for none.
const PADDING: u8 = 0x70;
/// libutp takes no other length.
const BITS_LEN: u8 = 8;
/// Bytes of padding that leave something to follow the bits.
const LEAST_WITH_BITS: usize = 2 * (EXTENSION_HEAD_LEN + BITS_LEN as usize) + EXTENSION_HEAD_LEN;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header() -> Header {
        Header {
            kind: Kind::Data,
            conn_id: 0x0102,
            timestamp_us: 0x0304_0506,
            timestamp_difference_us: 0x0708_090a,
            wnd_size: 0x0b0c_0d0e,
            seq_nr: SeqNr(0x0f10),
            ack_nr: SeqNr(0x1112),
        }
    }

    fn written(extensions: Extensions<'_>, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        header().put(extensions, &mut bytes);
        bytes.extend(payload);
        bytes
    }

    #[test]
    fn header_is_laid_out_as_bep_29_says() {
        let bytes = written(Extensions::default(), b"x");
        let expected = [
            0x01, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, b'x',
        ];
        assert_eq!(bytes, expected);
    }

    #[test]
    fn unknown_extensions_are_skipped() {
        let mut bytes = written(Extensions::default(), &[]);
        bytes[1] = 2;
        bytes.extend([3, 4, 9, 9, 9, 9, 1, 0, 0, 4, 1, 2, 3, 4, b'x']);
        let packet = Packet::decode(&bytes).unwrap();
        assert_eq!(packet.payload, b"x");
        assert_eq!(packet.sack.unwrap().bytes(), [1, 2, 3, 4]);
    }

    #[test]
    fn cut_off_packets_are_refused() {
        let mask = [0xff; 8];
        let sack = Some(Sack::new(&mask).unwrap());
        let bytes = written(Extensions { sack, padding: 300 }, b"");
        for len in 0..bytes.len() {
            assert!(Packet::decode(&bytes[..len]).is_err(), "{len}");
        }
        assert!(Packet::decode(&bytes).is_ok());
    }

    #[test]
    fn padding_is_as_long_as_it_is_said_to_be() {
        for padding in (2..600).chain([1_452, 8_980]) {
            let extensions = Extensions {
                sack: None,
                padding,
            };
            let bytes = written(extensions, b"payload");
            assert_eq!(bytes.len(), HEADER_LEN + padding + 7);
            assert_eq!(Packet::decode(&bytes).unwrap().payload, b"payload");
        }
    }

    #[test]
    fn first_extensions_of_a_padded_packet_are_known_to_everybody() {
        for padding in [22, 300, 8_000] {
            let extensions = Extensions {
                sack: None,
                padding,
            };
            let bytes = written(extensions, b"");
            let heads = [bytes[1], bytes[20], bytes[21], bytes[31]];
            assert_eq!(heads, [2, 2, 8, 8]);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            let _ = Packet::decode(&bytes);
            let _ = looks_like_packet(&bytes);
        }
    }
}
