//! An ordered reliable byte stream between two addresses.

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll},
};

use futures::io::{AsyncRead, AsyncWrite, IoSlice, IoSliceMut};

use crate::Addr;

/// An ordered, reliable byte stream between two addresses, whatever carries it.
///
/// Reads and writes go straight to the transport's stream, vectored ones too. Closing (`AsyncWriteExt::close`)
/// flushes and ends this direction; the other stays open until the far end closes it. Dropping without closing aborts:
/// what was not sent yet may be lost, and the far end sees an end or an error.
pub struct Connection {
    io: Box<dyn Io>,
    local: Addr,
    remote: Addr,
}

impl Connection {
    /// Wraps a transport's stream.
    pub fn new<S>(io: S, local: Addr, remote: Addr) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        Self {
            io: Box::new(io),
            local,
            remote,
        }
    }

    /// The address of this end.
    pub fn local_addr(&self) -> &Addr {
        &self.local
    }

    /// The address of the far end.
    pub fn remote_addr(&self) -> &Addr {
        &self.remote
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({} -> {})", self.local, self.remote)
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_read_vectored(cx, bufs)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_close(cx)
    }
}

/// What a transport's stream must be.
trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Io for S {}
