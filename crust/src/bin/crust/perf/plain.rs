//! The same over plain TCP: each message after its length, one write for each, as a program without Crust would do.

use std::io;

use crust::core::Connection;
use futures::{AsyncReadExt, AsyncWriteExt};

use super::ask::MAX_ASK_LEN;

/// A TCP connection that carries messages.
#[derive(Debug)]
pub(super) struct Plain {
    io: Connection,
    buf: Vec<u8>,
    unread: std::ops::Range<usize>,
    frames: Frames,
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A measured message of so many bytes; nobody looks into it.
    Data(usize),
    /// Another one.
    Ask(Vec<u8>),
}

impl Plain {
    pub(super) fn new(io: Connection) -> Self {
        Self {
            io,
            buf: vec![0; FIRST_BUF_LEN],
            unread: 0..0,
            frames: Frames::default(),
        }
    }

    /// Much will come: reads with a large buffer from now on.
    pub(super) fn expect_much(&mut self) {
        self.buf.resize(BUF_LEN, 0);
    }

    /// Writes what [`frame`] made.
    pub(super) async fn write(&mut self, framed: &[u8]) -> io::Result<()> {
        self.io.write_all(framed).await
    }

    /// The next message; `None` at the end.
    pub(super) async fn next(&mut self) -> io::Result<Option<Heard>> {
        loop {
            let mut unread = &self.buf[self.unread.clone()];
            let heard = self.frames.next(&mut unread)?;
            self.unread.start = self.unread.end - unread.len();
            if heard.is_some() {
                return Ok(heard);
            }
            let len = self.io.read(&mut self.buf).await?;
            if len == 0 {
                return Ok(None);
            }
            self.unread = 0..len;
        }
    }
}

/// `message` after its length.
pub(super) fn frame(message: &[u8]) -> Vec<u8> {
    let len = u32::try_from(message.len()).expect("messages have 4 MiB at most");
    [&len.to_be_bytes(), message].concat()
}

/// Cuts a byte stream into messages without keeping those that are only counted.
#[derive(Debug, Default)]
struct Frames {
    header: Vec<u8>,
    body: Option<Body>,
}

#[derive(Debug)]
enum Body {
    /// A length, and nothing of the body yet.
    Ahead(usize),
    Data {
        len: usize,
        left: usize,
    },
    Ask {
        text: Vec<u8>,
        left: usize,
    },
}

impl Frames {
    /// The next whole message, if `unread` completes one; takes what it used from the front.
    fn next(&mut self, unread: &mut &[u8]) -> io::Result<Option<Heard>> {
        loop {
            if unread.is_empty() {
                return Ok(None);
            }
            self.body = match self.body.take() {
                None => self.read_header(unread)?,
                Some(Body::Ahead(len)) => Some(Body::new(len, unread[0])?),
                Some(Body::Data { len, left }) => {
                    let taken = take(unread, left).len();
                    if taken == left {
                        return Ok(Some(Heard::Data(len)));
                    }
                    let left = left - taken;
                    Some(Body::Data { len, left })
                }
                Some(Body::Ask { mut text, left }) => {
                    let taken = take(unread, left);
                    text.extend(taken);
                    if taken.len() == left {
                        return Ok(Some(Heard::Ask(text)));
                    }
                    let left = left - taken.len();
                    Some(Body::Ask { text, left })
                }
            }
        }
    }

    fn read_header(&mut self, unread: &mut &[u8]) -> io::Result<Option<Body>> {
        let missing = HEADER_LEN - self.header.len();
        self.header.extend(take(unread, missing));
        let Ok(header) = <[u8; HEADER_LEN]>::try_from(self.header.as_slice()) else {
            return Ok(None);
        };
        self.header.clear();
        match u32::from_be_bytes(header) as usize {
            len @ 1..=MAX_LEN => Ok(Some(Body::Ahead(len))),
            _ => Err(invalid("a message of no length, or of one too long")),
        }
    }
}

impl Body {
    fn new(len: usize, first: u8) -> io::Result<Self> {
        if first != b'{' {
            return Ok(Self::Data { len, left: len });
        }
        if len > MAX_ASK_LEN {
            return Err(invalid("a question that is too long"));
        }
        let text = Vec::with_capacity(len);
        Ok(Self::Ask { text, left: len })
    }
}

fn take<'a>(unread: &mut &'a [u8], most: usize) -> &'a [u8] {
    let (taken, rest) = unread.split_at(most.min(unread.len()));
    *unread = rest;
    taken
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Bytes of a length.
pub(super) const HEADER_LEN: usize = 4;
/// The longest message that Crust takes by default.
const MAX_LEN: usize = 4 << 20;
/// Enough for a question; an idle connection shall cost what an idle connection costs.
const FIRST_BUF_LEN: usize = 512;
/// What programs commonly read with, and the size of the messages of a stream.
const BUF_LEN: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn messages() -> Vec<u8> {
        [frame(&[0; 5]), frame(b"{ask}"), frame(&[0; 300])].concat()
    }

    #[test]
    fn messages_are_found_however_the_bytes_are_cut() {
        let bytes = messages();
        for cut in 1..bytes.len() {
            let mut frames = Frames::default();
            let mut heard = Vec::new();
            for mut piece in bytes.chunks(cut) {
                heard.extend(std::iter::from_fn(|| frames.next(&mut piece).unwrap()));
            }
            let ask = Heard::Ask(b"{ask}".to_vec());
            assert_eq!(heard, [Heard::Data(5), ask, Heard::Data(300)]);
        }
    }

    #[test]
    fn length_over_the_limit_is_refused() {
        let mut frames = Frames::default();
        assert!(frames.next(&mut &[255; 8][..]).is_err());
        let mut long = frame(&[b'{'; MAX_ASK_LEN + 1]);
        long.truncate(8);
        assert!(Frames::default().next(&mut &long[..]).is_err());
    }
}
