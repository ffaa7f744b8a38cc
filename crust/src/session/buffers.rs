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
///
/// What is sealed cannot be overtaken any more. So no more is sealed ahead than the connection is about to take: one
/// record on a connection that had no room lately, more and more on one that takes whatever it gets.
#[derive(Debug, Default)]
pub(crate) struct WriteBuffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// Records sealed since the buffer was last empty.
    records: usize,
    pace: Pace,
}

impl WriteBuffer {
    /// One that has `bytes` to write first.
    pub(crate) const fn new(bytes: Vec<u8>) -> Self {
        Self {
            start: 0,
            end: bytes.len(),
            bytes,
            records: 0,
            pace: Pace::new(),
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

    /// Whether one more record may be sealed before the next write.
    pub(crate) fn may_seal(&self) -> bool {
        self.records < self.pace.ahead && self.has_room()
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
        self.records += 1;
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
        let Poll::Ready(written) = Pin::new(connection).poll_write(cx, bytes) else {
            self.pace.on_full();
            return Poll::Pending;
        };
        let written = written?;
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.start += written;
        if self.is_empty() {
            (self.start, self.end, self.records) = (0, 0, 0);
            self.pace.on_written();
        } else {
            self.pace.on_full();
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

/// How many records to seal for one write.
///
/// Invariant: after a write that the connection did not take whole, it is one until [`Pace::PROVEN`] writes in a row
/// were taken whole; then it doubles with each.
#[derive(Debug)]
struct Pace {
    /// Records to seal for the next write.
    ahead: usize,
    /// Writes that were taken whole, in a row.
    taken: usize,
    /// Whether the connection left something of the records in hand.
    full: bool,
}

impl Pace {
    /// A mebibyte without a pause: a link that is slower than its sender, behind whatever it has for a buffer, stays at
    /// one record.
    const PROVEN: usize = 64;
    /// All that the buffer holds.
    const MOST: usize = pool::BUFFER_LEN / (RECORD_OVERHEAD + MAX_PLAINTEXT);

    const fn new() -> Self {
        Self {
            ahead: 1,
            taken: 0,
            full: false,
        }
    }

    /// The connection did not take everything.
    const fn on_full(&mut self) {
        *self = Self {
            full: true,
            ..Self::new()
        };
    }

    /// Everything is written.
    fn on_written(&mut self) {
        if std::mem::take(&mut self.full) {
            return;
        }
        self.taken = (self.taken + 1).min(Self::PROVEN);
        if self.taken == Self::PROVEN {
            self.ahead = (self.ahead * 2).min(Self::MOST);
        }
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self::new()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn take_whole(pace: &mut Pace, writes: usize) {
        (0..writes).for_each(|_| pace.on_written());
    }

    #[test]
    fn one_record_is_sealed_ahead_until_the_connection_has_proven_fast() {
        let mut pace = Pace::new();
        take_whole(&mut pace, Pace::PROVEN - 1);
        assert_eq!(pace.ahead, 1);
        let mut ahead = Vec::new();
        for _ in 0..4 {
            pace.on_written();
            ahead.push(pace.ahead);
        }
        assert_eq!(ahead, [2, 4, 7, 7]);
    }

    #[test]
    fn connection_that_is_full_gets_one_record_at_a_time() {
        let mut pace = Pace::new();
        take_whole(&mut pace, 2 * Pace::PROVEN);
        assert_eq!(pace.ahead, Pace::MOST);
        pace.on_full();
        // What was left over is written: that proves nothing.
        take_whole(&mut pace, Pace::PROVEN);
        assert_eq!(pace.ahead, 1);
        pace.on_written();
        assert_eq!(pace.ahead, 2);
    }
}
