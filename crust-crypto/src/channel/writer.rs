//! The writing half of a channel.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures::io::AsyncWrite;

use crate::{
    epoch::{HEADER_LEN, MAX_PLAINTEXT, RECORD_OVERHEAD},
    record::Sealer,
};

/// Seals what is written, and holds it until the stream takes it.
pub(super) struct Writer {
    sealer: Sealer,
    sealed: Vec<u8>,
    sent: usize,
    is_closed: bool,
}

impl Writer {
    pub(super) fn new(sealer: Sealer) -> Self {
        Self {
            sealer,
            sealed: Vec::new(),
            sent: 0,
            is_closed: false,
        }
    }

    pub(super) fn poll_write<S: AsyncWrite>(
        &mut self,
        mut stream: Pin<&mut S>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        ready!(self.poll_drain(stream.as_mut(), cx))?;
        let text = &buf[..buf.len().min(MAX_WRITE)];
        self.sealed
            .reserve_exact(text.len() + text.len().div_ceil(MAX_PLAINTEXT) * RECORD_OVERHEAD);
        for text in text.chunks(MAX_PLAINTEXT) {
            self.seal(text);
        }
        // What the stream does not take now, it gets later: the bytes are sealed, so they are written.
        if let Poll::Ready(Err(error)) = self.poll_drain(stream, cx) {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(text.len()))
    }

    /// Gives the stream all that is sealed, and the buffer back.
    pub(super) fn poll_drain<S: AsyncWrite>(
        &mut self,
        mut stream: Pin<&mut S>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.sent < self.sealed.len() {
            let len = ready!(stream.as_mut().poll_write(cx, &self.sealed[self.sent..]))?;
            if len == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += len;
        }
        self.sealed = Vec::new();
        self.sent = 0;
        Poll::Ready(Ok(()))
    }

    /// Seals the record that ends this direction.
    pub(super) fn close(&mut self) {
        if !self.is_closed {
            let mut record = [0; RECORD_OVERHEAD];
            self.sealer.seal_close(&mut record);
            self.sealed.extend_from_slice(&record);
            self.is_closed = true;
        }
    }

    fn seal(&mut self, text: &[u8]) {
        let at = self.sealed.len();
        self.sealed.extend_from_slice(&[0; HEADER_LEN]);
        self.sealed.extend_from_slice(text);
        self.sealed.resize(at + text.len() + RECORD_OVERHEAD, 0);
        self.sealer.seal(&mut self.sealed[at..]);
    }
}

/// Bytes sealed in one go: enough that the call to the system does not count, little enough to stay in the cache.
const MAX_WRITE: usize = 8 * MAX_PLAINTEXT;
