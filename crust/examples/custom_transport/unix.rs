//! Unix sockets as a transport. Addresses are `unix://` and a path.

use std::os::unix::net::{UnixListener, UnixStream};
use std::task::{Context, Poll};
use std::{fs, io, net::Shutdown, path::PathBuf, pin::Pin};

use async_io::Async;
use crust_core::{Addr, Connection, DialOpts, Incoming, Listener, Transport, TransportError};
use futures::io::{AsyncRead, AsyncWrite};

#[derive(Debug)]
pub(crate) struct UnixTransport;

#[crust_core::async_trait]
impl Transport for UnixTransport {
    fn schemes(&self) -> &[&'static str] {
        &["unix"]
    }

    async fn dial(&self, addr: &Addr, _: &DialOpts) -> Result<Connection, TransportError> {
        let dialed = Async::<UnixStream>::connect(path(addr)?).await;
        let io = dialed.map_err(|error| TransportError::from_io(addr, error))?;
        Ok(Connection::new(Stream(io), unnamed(), addr.clone()))
    }

    async fn listen(&self, addr: &Addr) -> Result<Listener, TransportError> {
        let path = path(addr)?;
        let bound = Async::<UnixListener>::bind(&path);
        let io = bound.map_err(|error| TransportError::from_io(addr, error))?;
        let (addr, local) = (addr.clone(), addr.clone());
        let bound = Bound { addr, path, io };
        Ok(Listener::from_accept(local, bound, accept))
    }
}

async fn accept(bound: Bound) -> (Bound, Result<Incoming, TransportError>) {
    let addr = &bound.addr;
    let incoming = match bound.io.accept().await {
        Ok((io, _)) => Ok(Connection::new(Stream(io), addr.clone(), unnamed())),
        Err(error) => Err(TransportError::from_io(addr, error)),
    };
    (bound, incoming.map(Incoming::ready))
}

/// A listening socket and its file, which goes with it.
struct Bound {
    addr: Addr,
    path: PathBuf,
    io: Async<UnixListener>,
}

impl Drop for Bound {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// The end that dialed has no name.
fn unnamed() -> Addr {
    "unix://unnamed".parse().expect("it is an address")
}

fn path(addr: &Addr) -> Result<PathBuf, TransportError> {
    match addr.scheme() {
        "unix" => Ok(addr.body().into()),
        _ => Err(TransportError::Unsupported { addr: addr.clone() }),
    }
}

/// The socket's own stream, but for the close: it ends this direction and leaves the other.
struct Stream(Async<UnixStream>);
type IoPoll<T> = Poll<io::Result<T>>;

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> IoPoll<usize> {
        Pin::new(&mut self.get_mut().0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> IoPoll<usize> {
        Pin::new(&mut self.get_mut().0).poll_write(cx, buf)
    }
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> IoPoll<()> {
        Pin::new(&mut self.get_mut().0).poll_flush(cx)
    }
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> IoPoll<()> {
        Poll::Ready(self.0.get_ref().shutdown(Shutdown::Write))
    }
}
