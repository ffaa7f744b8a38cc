//! A connection as a stream of bytes.

use std::{
    fmt,
    io::{self, IoSlice},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use crust_core::rt;
use futures::io::{AsyncRead, AsyncWrite};

use crate::{link::Link, socket::Owner};

/// One connection. Bytes written come out on the other side, in order and once.
///
/// Closing ends the stream to the other side, and waits until all of it has arrived; bytes can be read on. Dropped without
/// that, the connection is given up, and the other side is told.
pub struct UtpStream {
    link: Arc<Link>,
    owner: Arc<Owner>,
}

impl UtpStream {
    pub(crate) const fn new(link: Arc<Link>, owner: Arc<Owner>) -> Self {
        Self { link, owner }
    }

    /// The address of the other side.
    pub fn remote_addr(&self) -> SocketAddr {
        self.link.remote()
    }

    fn serve(&self) {
        self.owner.endpoint.serve(rt::now(), &self.link);
    }
}

impl AsyncRead for UtpStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self.link.poll_read(cx, rt::now(), buf) {
            Poll::Ready(Ok((len, owes_ack))) => {
                if owes_ack {
                    self.serve();
                }
                Poll::Ready(Ok(len))
            }
            Poll::Ready(Err(reason)) => Poll::Ready(Err(reason.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncWrite for UtpStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.link.poll_write(cx, bufs) {
            Poll::Ready(Ok(len)) => {
                self.serve();
                Poll::Ready(Ok(len))
            }
            Poll::Ready(Err(Some(reason))) => Poll::Ready(Err(reason.into())),
            Poll::Ready(Err(None)) => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            Poll::Pending => Poll::Pending,
        }
    }

    /// What is written is on its way; there is nothing to flush.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = self.link.poll_close(cx);
        self.serve();
        closed.map_err(Into::into)
    }
}

impl Drop for UtpStream {
    fn drop(&mut self) {
        self.link.let_go(rt::now(), &self.owner);
        self.serve();
    }
}

impl fmt::Debug for UtpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UtpStream")
            .field("remote", &self.link.remote())
            .finish_non_exhaustive()
    }
}
