//! A stream over a stream: what is written to it comes out at the far end, and nobody between learns or changes it.

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use crust_core::PeerId;
use futures::io::{AsyncRead, AsyncWrite};

use crate::{
    channel::{reader::Reader, writer::Writer},
    cipher::Cipher,
    driver::handshake,
    handshake::{Handshake, HandshakeError},
    keys::Keys,
};

mod reader;
mod writer;

/// An encrypted stream to a proven peer, over any ordered stream.
///
/// Closing it tells the far end, and proves it: there a read gives 0 after a close, and
/// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) where the stream was cut. Bytes changed on their way are
/// [`InvalidData`](io::ErrorKind::InvalidData). It holds buffers only while there is something in them.
pub struct Channel<S> {
    stream: S,
    peer: PeerId,
    cipher: Cipher,
    reader: Reader,
    writer: Writer,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Channel<S> {
    /// Agrees on keys as the end that opened `stream`; where `expect` names a peer, no other will do.
    ///
    /// It has no time-out of its own.
    ///
    /// # Errors
    ///
    /// Each variant of [`HandshakeError`] but `Replayed`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the stream.
    pub async fn dial(
        stream: S,
        keys: &Keys,
        expect: Option<PeerId>,
    ) -> Result<Self, HandshakeError> {
        Self::run(stream, Handshake::dialer(keys, expect)).await
    }

    /// Agrees on keys as the end that took `stream`.
    ///
    /// It has no time-out of its own.
    ///
    /// # Errors
    ///
    /// Each variant of [`HandshakeError`] but `WrongPeer`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the stream.
    pub async fn accept(stream: S, keys: &Keys) -> Result<Self, HandshakeError> {
        Self::run(stream, Handshake::listener(keys)).await
    }

    async fn run(mut stream: S, machine: Handshake) -> Result<Self, HandshakeError> {
        let (keyed, early) = handshake(&mut stream, machine).await?;
        Ok(Self {
            stream,
            peer: keyed.peer,
            cipher: keyed.cipher,
            reader: Reader::new(keyed.opener, early),
            writer: Writer::new(keyed.sealer),
        })
    }
}

impl<S> Channel<S> {
    /// Who the far end has proven to be.
    pub fn peer_id(&self) -> PeerId {
        self.peer
    }

    /// What seals the records.
    pub fn cipher(&self) -> Cipher {
        self.cipher
    }

    /// The stream below. Writing to it ends the channel.
    pub fn stream(&self) -> &S {
        &self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Channel<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.reader.poll_read(Pin::new(&mut this.stream), cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Channel<S> {
    /// Seals as much of `buf` as one go takes; what the stream did not take at once goes with the next write or flush.
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.writer.poll_write(Pin::new(&mut this.stream), cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let mut stream = Pin::new(&mut this.stream);
        ready!(this.writer.poll_drain(stream.as_mut(), cx))?;
        stream.poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let mut stream = Pin::new(&mut this.stream);
        this.writer.close();
        ready!(this.writer.poll_drain(stream.as_mut(), cx))?;
        stream.poll_close(cx)
    }
}

impl<S> fmt::Debug for Channel<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Channel({:?}, {})", self.peer, self.cipher)
    }
}
