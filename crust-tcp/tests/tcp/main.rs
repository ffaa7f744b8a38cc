//! TCP from outside: what a program that uses the transport can rely on.
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

mod dial;
mod from_port;
mod listen;

use crust_core::{Addr, Connection, DialOpts, Listener, Transport, TransportError};
use crust_tcp::TcpTransport;
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt, future};
use socket2::{Domain, Socket, Type};

fn addr(text: &str) -> Addr {
    text.parse().unwrap()
}

async fn listen(text: &str) -> Listener {
    TcpTransport::new().listen(&addr(text)).await.unwrap()
}

async fn dial(addr: &Addr) -> Result<Connection, TransportError> {
    TcpTransport::new().dial(addr, &DialOpts::default()).await
}

async fn dial_from(from: &Addr, addr: &Addr) -> Result<Connection, TransportError> {
    let opts = DialOpts::default().with_from(from.clone());
    TcpTransport::new().dial(addr, &opts).await
}

async fn accept(listener: &mut Listener) -> Connection {
    let incoming = listener.next().await.unwrap().unwrap();
    incoming.accept().await.unwrap()
}

/// Both ends of a connection to `listener`.
async fn pair(listener: &mut Listener) -> (Connection, Connection) {
    let to = listener.local_addr().clone();
    both(dial(&to), listener).await
}

/// Both ends of the connection that `dialing` opens to `listener`.
async fn both(
    dialing: impl Future<Output = Result<Connection, TransportError>>,
    listener: &mut Listener,
) -> (Connection, Connection) {
    let dialed = async { dialing.await.unwrap() };
    future::join(dialed, accept(listener)).await
}

/// The loopback addresses of this host.
fn loopbacks() -> &'static [&'static str] {
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        return &["127.0.0.1", "[::1]"];
    }
    eprintln!("this host has no IPv6; only IPv4 is tested");
    &["127.0.0.1"]
}

async fn assert_talk(one: &mut Connection, other: &mut Connection) {
    let mut byte = [0];
    one.write_all(b"?").await.unwrap();
    other.read_exact(&mut byte).await.unwrap();
    other.write_all(&byte).await.unwrap();
    one.read_exact(&mut byte).await.unwrap();
    assert_eq!(byte, *b"?");
}

/// A port that is bound and on which nobody listens, as long as the socket lives.
fn closed_port(ip: &str) -> (Socket, Addr) {
    let at: std::net::SocketAddr = format!("{ip}:0").parse().unwrap();
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, None).unwrap();
    socket.bind(&at.into()).unwrap();
    let bound = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, Addr::from_socket_addr("tcp", bound))
}
