//! The reading half of a channel.

use std::{
    io,
    ops::Range,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures::io::AsyncRead;

use crate::{
    epoch::{HEADER_LEN, MAX_PLAINTEXT, RECORD_OVERHEAD},
    record::{Opened, Opener, RecordError},
};

/// Reads records, and holds what came until it is taken.
pub(super) struct Reader {
    opener: Opener,
    /// Sealed bytes from `unread` on, of which the first `filled` are there; empty while there are none.
    buf: Vec<u8>,
    filled: usize,
    unread: usize,
    /// Where opened bytes are that nobody has taken yet.
    text: Range<usize>,
}

impl Reader {
    pub(super) fn new(opener: Opener, early: Vec<u8>) -> Self {
        Self {
            opener,
            filled: early.len(),
            buf: early,
            unread: 0,
            text: 0..0,
        }
    }

    pub(super) fn poll_read<S: AsyncRead>(
        &mut self,
        mut stream: Pin<&mut S>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        while self.text.is_empty() {
            if self.opener.is_closed() {
                self.release();
                return Poll::Ready(Ok(0));
            }
            if !self.open_next().map_err(invalid)? {
                ready!(self.poll_fill(stream.as_mut(), cx))?;
            }
        }
        Poll::Ready(Ok(self.take(buf)))
    }

    /// Opens the next record, if all of it is there.
    fn open_next(&mut self) -> Result<bool, RecordError> {
        let sealed = &mut self.buf[self.unread..self.filled];
        let Some(header) = sealed.first_chunk() else {
            return Ok(false);
        };
        let len = HEADER_LEN + self.opener.body_len(header)?;
        let Some(record) = sealed.get_mut(..len) else {
            return Ok(false);
        };
        if let Opened::Data(text) = self.opener.open(record)? {
            let start = self.unread + HEADER_LEN;
            self.text = start..start + text.len();
        }
        self.unread += len;
        Ok(true)
    }

    fn poll_fill<S: AsyncRead>(
        &mut self,
        stream: Pin<&mut S>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        self.make_room();
        let Poll::Ready(read) = stream.poll_read(cx, &mut self.buf[self.filled..]) else {
            self.release();
            return Poll::Pending;
        };
        let len = read?;
        if len == 0 {
            // Without a close, this is somebody cutting the line.
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        self.filled += len;
        Poll::Ready(Ok(()))
    }

    /// Moves what is left to the front, with room behind it for the rest of any record.
    fn make_room(&mut self) {
        self.buf.copy_within(self.unread..self.filled, 0);
        self.filled -= self.unread;
        self.unread = 0;
        self.text = 0..0;
        if self.buf.len() < BUF_LEN {
            self.buf.resize(BUF_LEN, 0);
        }
    }

    /// Gives the buffer back where nothing is in it.
    fn release(&mut self) {
        if self.unread == self.filled {
            self.buf = Vec::new();
            (self.filled, self.unread) = (0, 0);
        }
    }

    fn take(&mut self, buf: &mut [u8]) -> usize {
        let len = self.text.len().min(buf.len());
        let text = &self.buf[self.text.start..self.text.start + len];
        buf[..len].copy_from_slice(text);
        self.text.start += len;
        len
    }
}

/// Four records of the longest kind.
const BUF_LEN: usize = 4 * (MAX_PLAINTEXT + RECORD_OVERHEAD);

fn invalid(error: RecordError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use crust_core::rt;
    use futures::{future::poll_fn, io::Cursor};

    use super::*;
    use crate::{cipher::Cipher, kdf::Secret, record::Sealer};

    const SECRET: [u8; 32] = [7; 32];

    /// Three texts and a close.
    fn sealed() -> Vec<u8> {
        let mut sealer = Sealer::new(Cipher::Aes256Gcm, &Secret::new(SECRET));
        let mut sealed = Vec::new();
        for text in ["some ", "text and ", "more"] {
            let at = sealed.len();
            sealed.extend([0; HEADER_LEN]);
            sealed.extend(text.bytes());
            sealed.resize(at + text.len() + RECORD_OVERHEAD, 0);
            sealer.seal(&mut sealed[at..]);
        }
        let mut close = [0; RECORD_OVERHEAD];
        sealer.seal_close(&mut close);
        sealed.extend(close);
        sealed
    }

    /// Reads to the end, from bytes of which the first `early` came with the handshake.
    fn read(bytes: &[u8], early: usize) -> (Vec<u8>, io::Result<usize>) {
        let opener = Opener::new(Cipher::Aes256Gcm, &Secret::new(SECRET));
        let mut reader = Reader::new(opener, bytes[..early].to_vec());
        let mut stream = Cursor::new(&bytes[early..]);
        let mut text = Vec::new();
        let end = rt::block_on(async {
            loop {
                let mut buf = [0; 4];
                match poll_fn(|cx| reader.poll_read(Pin::new(&mut stream), cx, &mut buf)).await {
                    Ok(len) if len > 0 => text.extend(&buf[..len]),
                    end => return end,
                }
            }
        });
        (text, end)
    }

    #[test]
    fn all_is_read_and_the_close_is_an_end_however_much_came_early() {
        let sealed = sealed();
        for early in 0..=sealed.len() {
            let (text, end) = read(&sealed, early);
            assert_eq!(
                (text.as_slice(), end.unwrap()),
                (&b"some text and more"[..], 0)
            );
        }
    }

    #[test]
    fn a_cut_anywhere_is_an_error_and_not_an_end() {
        let sealed = sealed();
        for len in 0..sealed.len() {
            let (text, end) = read(&sealed[..len], 0);
            assert_eq!(end.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
            assert!(b"some text and more".starts_with(&text));
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_is_an_error_and_nothing_wrong_is_read() {
        let sealed = sealed();
        for bit in 0..8 * sealed.len() {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let (text, end) = read(&flipped, 0);
            assert_eq!(end.unwrap_err().kind(), io::ErrorKind::InvalidData);
            assert!(b"some text and more".starts_with(&text));
        }
    }

    /// A stream on which nothing comes.
    struct Idle;

    impl AsyncRead for Idle {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Pending
        }
    }

    #[test]
    fn no_buffer_is_held_while_nothing_comes() {
        let opener = Opener::new(Cipher::Aes256Gcm, &Secret::new(SECRET));
        let mut reader = Reader::new(opener, Vec::new());
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let poll = reader.poll_read(Pin::new(&mut Idle), &mut cx, &mut [0; 4]);
        assert!(poll.is_pending());
        assert_eq!(reader.buf.capacity(), 0);
    }
}
