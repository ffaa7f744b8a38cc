//! The bytes between the socket and the records: borrowed from the pool while there are any.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use crust_core::Connection;
use crust_crypto::{
    HEADER_LEN, MAX_PLAINTEXT, Opened, Opener, RECORD_OVERHEAD, RecordError, Sealer,
};
use futures::{AsyncRead, AsyncWrite};

use crate::pool;

/// Bytes that came and are not opened yet.
#[derive(Debug, Default)]
pub(crate) struct ReadBuffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl ReadBuffer {
    /// One that holds what was read too much before.
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self {
            start: 0,
            end: bytes.len(),
            bytes,
        }
    }

    /// Reads once. Zero is the end of the stream.
    pub(crate) fn poll_fill(
        &mut self,
        connection: &mut Connection,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        self.make_room();
        let read = ready!(Pin::new(connection).poll_read(cx, &mut self.bytes[self.end..]))?;
        self.end += read;
        Poll::Ready(Ok(read))
    }

    /// Opens the next record if all of it is there.
    pub(crate) fn next<'a>(
        &'a mut self,
        opener: &mut Opener,
    ) -> Result<Option<Opened<'a>>, RecordError> {
        let held = &mut self.bytes[self.start..self.end];
        let Some(header) = held.first_chunk::<HEADER_LEN>() else {
            return Ok(None);
        };
        let len = HEADER_LEN + opener.body_len(header)?;
        if held.len() < len {
            return Ok(None);
        }
        self.start += len;
        opener.open(&mut held[..len]).map(Some)
    }

    /// Gives the buffer back; the start of a record stays in a small one of its own.
    pub(crate) fn rest(&mut self) {
        if self.bytes.len() != pool::BUFFER_LEN {
            return;
        }
        let kept = self.bytes[self.start..self.end].to_vec();
        pool::give(std::mem::replace(&mut self.bytes, kept));
        (self.start, self.end) = (0, self.bytes.len());
    }

    /// Leaves room for one record at least behind what is held.
    fn make_room(&mut self) {
        if self.bytes.len() != pool::BUFFER_LEN {
            let mut bytes = pool::take();
            let held = self.end - self.start;
            bytes[..held].copy_from_slice(&self.bytes[self.start..self.end]);
            self.bytes = bytes;
            (self.start, self.end) = (0, held);
        } else if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.bytes.len() - self.start < RECORD_OVERHEAD + MAX_PLAINTEXT
            || self.end == self.bytes.len()
        {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
    }
}

/// Sealed records on their way to the socket.
#[derive(Debug, Default)]
pub(crate) struct WriteBuffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl WriteBuffer {
    /// One that has `bytes` to write first.
    pub(crate) const fn new(bytes: Vec<u8>) -> Self {
        Self {
            start: 0,
            end: bytes.len(),
            bytes,
        }
    }

    /// Whether everything has been written.
    pub(crate) const fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Whether a full record fits.
    pub(crate) fn has_room(&self) -> bool {
        self.is_empty() || self.bytes.len() >= self.end + RECORD_OVERHEAD + MAX_PLAINTEXT
    }

    /// Lets `compose` write a plaintext and seals it. Nothing happens where it writes nothing.
    ///
    /// # Panics
    ///
    /// Where no record fits; see [`WriteBuffer::has_room`].
    pub(crate) fn seal(
        &mut self,
        sealer: &mut Sealer,
        compose: impl FnOnce(&mut Plaintext<'_>),
    ) -> bool {
        self.borrow();
        let record = &mut self.bytes[self.end..self.end + RECORD_OVERHEAD + MAX_PLAINTEXT];
        let mut plaintext = Plaintext {
            room: &mut record[HEADER_LEN..HEADER_LEN + MAX_PLAINTEXT],
            len: 0,
        };
        compose(&mut plaintext);
        let len = plaintext.len;
        if len == 0 {
            return false;
        }
        sealer.seal(&mut record[..RECORD_OVERHEAD + len]);
        self.end += RECORD_OVERHEAD + len;
        true
    }

    /// Seals the channel's authenticated end.
    pub(crate) fn seal_close(&mut self, sealer: &mut Sealer) {
        self.borrow();
        let record = &mut self.bytes[self.end..self.end + RECORD_OVERHEAD];
        sealer.seal_close(record.try_into().expect("cut to its length above"));
        self.end += RECORD_OVERHEAD;
    }

    /// Writes once.
    pub(crate) fn poll_drain(
        &mut self,
        connection: &mut Connection,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let bytes = &self.bytes[self.start..self.end];
        let written = ready!(Pin::new(connection).poll_write(cx, bytes))?;
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.start += written;
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        }
        Poll::Ready(Ok(()))
    }

    /// Takes a buffer from the pool where there is none, or only the small one of the beginning.
    fn borrow(&mut self) {
        if self.is_empty() && self.bytes.len() != pool::BUFFER_LEN {
            self.bytes = pool::take();
        }
    }

    /// Gives the buffer back where it is empty.
    pub(crate) fn rest(&mut self) {
        if self.is_empty() && !self.bytes.is_empty() {
            pool::give(std::mem::take(&mut self.bytes));
            (self.start, self.end) = (0, 0);
        }
    }
}

impl Drop for ReadBuffer {
    fn drop(&mut self) {
        pool::give(std::mem::take(&mut self.bytes));
    }
}

impl Drop for WriteBuffer {
    fn drop(&mut self) {
        pool::give(std::mem::take(&mut self.bytes));
    }
}

/// The plaintext of a record while it is written.
#[derive(Debug)]
pub(crate) struct Plaintext<'a> {
    room: &'a mut [u8],
    len: usize,
}

impl Plaintext<'_> {
    /// Bytes that still fit.
    pub(crate) const fn room(&self) -> usize {
        self.room.len() - self.len
    }

    /// Appends what `put` writes.
    pub(crate) fn put<T>(&mut self, put: impl FnOnce(&mut &mut [u8]) -> T) -> T {
        let mut free = &mut self.room[self.len..];
        let before = free.len();
        let result = put(&mut free);
        self.len += before - free.len();
        result
    }
}
