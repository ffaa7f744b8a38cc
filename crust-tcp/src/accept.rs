//! Accepting: one system call for each dialer, the rest when the connection is wanted.

use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream},
};

use async_io::Async;
use crust_core::{Addr, Connection, Incoming, TransportError};

use crate::{
    options::{ACCEPTED_INHERIT, StreamOptions},
    stream::Stream,
    transport::SCHEME,
};

/// A listening socket and what its connections get.
#[derive(Debug)]
pub(crate) struct Acceptor {
    socket: Async<TcpListener>,
    local: Addr,
    /// Whether each connection has a local address of its own.
    wildcard: bool,
    options: StreamOptions,
}

impl Acceptor {
    pub(crate) fn new(
        socket: Async<TcpListener>,
        bound: SocketAddr,
        options: StreamOptions,
    ) -> Self {
        Self {
            socket,
            local: Addr::from_socket_addr(SCHEME, bound),
            wildcard: bound.ip().is_unspecified(),
            options,
        }
    }

    /// Waits for the next dialer. An error is about that one, or about the moment; the listener stays good.
    pub(crate) async fn accept(self) -> (Self, Result<Incoming, TransportError>) {
        let accepted = self.socket.read_with(accept_nonblocking).await;
        let result = match accepted {
            Ok((stream, remote)) => Ok(self.incoming(stream, remote)),
            Err(error) => Err(TransportError::from_io(&self.local, error)),
        };
        (self, result)
    }

    fn incoming(&self, stream: TcpStream, remote: SocketAddr) -> Incoming {
        let (local, remote) = (
            self.local_addr_of(&stream),
            Addr::from_socket_addr(SCHEME, remote),
        );
        let (options, ends) = (self.options, (local.clone(), remote.clone()));
        Incoming::new(
            local,
            remote,
            async move { connection(stream, ends, options) },
        )
    }

    /// A dialer that is gone again may have no address any more; the listener's then stands for it.
    fn local_addr_of(&self, stream: &TcpStream) -> Addr {
        let own = self.wildcard.then(|| stream.local_addr().ok()).flatten();
        own.map_or_else(
            || self.local.clone(),
            |own| Addr::from_socket_addr(SCHEME, own),
        )
    }
}

fn connection(
    stream: TcpStream,
    (local, remote): (Addr, Addr),
    options: StreamOptions,
) -> Result<Connection, TransportError> {
    match prepare(stream, options) {
        Ok(stream) => Ok(Connection::new(stream, local, remote)),
        Err(error) => Err(TransportError::from_io(&remote, error)),
    }
}

/// Makes an accepted socket one to read and write.
pub(crate) fn prepare(stream: TcpStream, options: StreamOptions) -> io::Result<Stream> {
    if !ACCEPTED_INHERIT {
        options.set_on(&stream);
    }
    Async::new_nonblocking(stream).map(Stream)
}

/// Accepts with the one system call that also makes the new socket non-blocking.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn accept_nonblocking(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    use rustix::net::{SocketFlags, acceptfrom_with};

    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let (socket, remote) = acceptfrom_with(listener, flags)?;
    let remote = remote.ok_or(io::ErrorKind::NotConnected)?;
    Ok((TcpStream::from(socket), remote.try_into()?))
}

/// Accepts, and makes the new socket non-blocking.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn accept_nonblocking(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (stream, remote) = listener.accept()?;
    stream.set_nonblocking(true)?;
    Ok((stream, remote))
}
