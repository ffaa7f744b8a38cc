//! The transport suite on kernel sockets, through a transport of the least that one takes.
#![cfg(feature = "test-util")]

use std::{
    io,
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    pin::Pin,
    task::{Context, Poll},
};

use async_io::Async;
use crust_core::{
    Addr, Connection, DialOpts, Incoming, Listener, Transport, TransportError, async_trait,
    conformance::transport::Subject,
};
use futures::{AsyncRead, AsyncWrite, io::IoSlice};

crust_core::transport_conformance!(Subject::new(PlainTcp, "plain://127.0.0.1:0"));

/// TCP on socket addresses and nothing else.
#[derive(Debug)]
struct PlainTcp;

#[async_trait]
impl Transport for PlainTcp {
    fn schemes(&self) -> &[&'static str] {
        &["plain"]
    }

    async fn dial(&self, addr: &Addr, _: &DialOpts) -> Result<Connection, TransportError> {
        let socket_addr = socket_addr(addr)?;
        let stream = Async::<TcpStream>::connect(socket_addr).await;
        stream
            .and_then(connection)
            .map_err(|error| TransportError::from_io(addr, error))
    }

    async fn listen(&self, addr: &Addr) -> Result<Listener, TransportError> {
        let bound = Async::<TcpListener>::bind(socket_addr(addr)?)
            .and_then(|socket| Ok((socket.get_ref().local_addr()?, socket)));
        let (local, socket) = bound.map_err(|error| TransportError::from_io(addr, error))?;
        let local = Addr::from_socket_addr("plain", local);
        let accept_addr = local.clone();
        Ok(Listener::from_accept(local, socket, move |socket| {
            let addr = accept_addr.clone();
            async move {
                let accepted = socket.accept().await;
                let accepted = accepted.and_then(|(stream, _)| connection(stream));
                let incoming = accepted
                    .map(Incoming::ready)
                    .map_err(|error| TransportError::from_io(&addr, error));
                (socket, incoming)
            }
        }))
    }
}

fn socket_addr(addr: &Addr) -> Result<SocketAddr, TransportError> {
    if addr.scheme() != "plain" {
        return Err(TransportError::Unsupported { addr: addr.clone() });
    }
    addr.socket_addr().ok_or_else(|| TransportError::Invalid {
        addr: addr.clone(),
        reason: "plain://127.0.0.1:80",
    })
}

fn connection(stream: Async<TcpStream>) -> io::Result<Connection> {
    let addr = |addr| Addr::from_socket_addr("plain", addr);
    let local = addr(stream.get_ref().local_addr()?);
    let remote = addr(stream.get_ref().peer_addr()?);
    Ok(Connection::new(Socket(stream), local, remote))
}

/// `Async` alone only flushes when it is closed.
struct Socket(Async<TcpStream>);

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0.get_ref().shutdown(Shutdown::Write) {
            Err(error) if error.kind() != io::ErrorKind::NotConnected => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(())),
        }
    }
}
