//! Frames and hellos written by hand, so that they can be wrong.

use crust::{Addr, core::codec, core::varint};

/// One frame, as the session protocol has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// Frames received, and the credit given.
    Ack(u64, u64),
    /// Code and text.
    Close(u8, Vec<u8>),
    /// The arbiter's confirmation.
    Confirm,
    /// The body of a hello.
    Hello(Vec<u8>),
    /// Priority, length of the whole on the first piece, whether it is the last, and the piece.
    Message(u8, Option<u64>, bool, Vec<u8>),
    /// A token.
    Ping(u64),
    /// A token.
    Pong(u64),
}

impl Frame {
    /// Its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Ack(received, credit) => {
                out.push(ACK);
                varint::put(*received, &mut out);
                varint::put(*credit, &mut out);
            }
            Self::Close(code, text) => {
                out.extend([CLOSE, *code]);
                put_bytes(text, &mut out);
            }
            Self::Confirm => out.push(CONFIRM),
            Self::Hello(body) => {
                out.push(HELLO);
                put_bytes(body, &mut out);
            }
            Self::Message(priority, total, last, data) => {
                let first = if total.is_some() { FIRST } else { 0 };
                let end = if *last { LAST } else { 0 };
                out.push(MESSAGE | first | end | priority);
                if let (Some(total), false) = (total, last) {
                    varint::put(*total, &mut out);
                }
                put_bytes(data, &mut out);
            }
            Self::Ping(token) => put_token(PING, *token, &mut out),
            Self::Pong(token) => put_token(PONG, *token, &mut out),
        }
        out
    }

    /// Takes the frames off a record. Fails the test where a node of ours wrote something else.
    pub fn all(mut record: &[u8]) -> Vec<Self> {
        let mut frames = Vec::new();
        while !record.is_empty() {
            frames.push(Self::take(&mut record).expect("a node writes whole frames"));
        }
        frames
    }

    fn take(record: &mut &[u8]) -> Option<Self> {
        let kind = take_array::<1>(record)?[0];
        Some(match kind {
            HELLO => Self::Hello(take_bytes(record)?),
            CONFIRM => Self::Confirm,
            ACK => Self::Ack(varint::take(record)?, varint::take(record)?),
            PING => Self::Ping(u64::from_be_bytes(take_array(record)?)),
            PONG => Self::Pong(u64::from_be_bytes(take_array(record)?)),
            CLOSE => Self::Close(take_array::<1>(record)?[0], take_bytes(record)?),
            MESSAGE..0x60 => {
                let (first, last) = (kind & FIRST != 0, kind & LAST != 0);
                let total = if first && !last {
                    Some(varint::take(record)?)
                } else {
                    None
                };
                let data = take_bytes(record)?;
                let whole = (first && last).then_some(data.len() as u64);
                Self::Message(kind & 7, total.or(whole), last, data)
            }
            _ => return None,
        })
    }
}

/// A whole message in one frame.
pub fn message(data: &[u8]) -> Vec<u8> {
    chunk(Some(data.len() as u64), true, data)
}

/// A piece of a message of normal priority.
pub fn chunk(total: Option<u64>, last: bool, data: &[u8]) -> Vec<u8> {
    Frame::Message(3, total, last, data.to_vec()).bytes()
}

/// What two nodes tell each other first.
#[derive(Debug, Clone)]
pub struct Hello {
    /// Version of the session protocol.
    pub version: u16,
    /// The run of the node.
    pub instance: u64,
    /// Half of the connection's name.
    pub token: u64,
    /// The last connection that ended here.
    pub ended: Option<u64>,
    /// Where the sender listens.
    pub addrs: Vec<Addr>,
    /// Where it sees the other side.
    pub observed: Addr,
    /// The longest message it takes.
    pub max_message: u32,
    /// What messages may cost that it has not read.
    pub window: u64,
}

impl Default for Hello {
    fn default() -> Self {
        Self {
            version: 1,
            instance: 7,
            token: 7,
            ended: None,
            addrs: Vec::new(),
            observed: "tcp://127.0.0.1:1".parse().expect("an address"),
            max_message: 4 << 20,
            window: 8 << 20,
        }
    }
}

impl Hello {
    /// Its frame, however long.
    pub fn frame(&self) -> Vec<u8> {
        let Self {
            version,
            instance,
            token,
            ended,
            addrs,
            observed,
            max_message,
            window,
        } = self;
        let body = codec::encode::<_, { 1 << 20 }>(&(
            version,
            instance,
            token,
            ended,
            addrs,
            observed,
            max_message,
            window,
        ));
        Frame::Hello(body.expect("it is not that long")).bytes()
    }

    /// The name of the connection between this hello and the one of which `body` came.
    pub fn connection(&self, body: &[u8]) -> u64 {
        self.token ^ decode(body).2
    }

    /// The connection of the last session that ended where `body` came from.
    pub fn ended(body: &[u8]) -> Option<u64> {
        decode(body).3
    }
}

type Body = (u16, u64, u64, Option<u64>, Vec<Addr>, Addr, u32, u64);

fn decode(body: &[u8]) -> Body {
    codec::decode::<_, { 1 << 20 }>(body).expect("a node writes whole hellos")
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    varint::put(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn put_token(kind: u8, token: u64, out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(&token.to_be_bytes());
}

fn take_array<const N: usize>(record: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, rest) = record.split_first_chunk()?;
    *record = rest;
    Some(*bytes)
}

fn take_bytes(record: &mut &[u8]) -> Option<Vec<u8>> {
    let len = usize::try_from(varint::take(record)?).ok()?;
    let (bytes, rest) = record.split_at_checked(len)?;
    *record = rest;
    Some(bytes.to_vec())
}

const HELLO: u8 = 0x01;
const CONFIRM: u8 = 0x02;
const ACK: u8 = 0x03;
const PING: u8 = 0x04;
const PONG: u8 = 0x05;
const CLOSE: u8 = 0x06;
const MESSAGE: u8 = 0x40;
const FIRST: u8 = 0x10;
const LAST: u8 = 0x08;
