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
