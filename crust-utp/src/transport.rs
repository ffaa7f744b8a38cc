//! uTP as a transport.

use std::{
    collections::HashMap,
    fmt, io,
    net::SocketAddr,
    sync::{Arc, Mutex, Weak},
};

use crust_core::{
    Addr, Connection, DialOpts, HostPort, Incoming, Listener, Transport, TransportError,
    async_trait, source_towards,
    udp::{BindError, UdpPort, UdpStats},
};

use crate::{
    endpoint::lock,
    socket::{Owner, UtpSocket},
    stream::UtpStream,
};

/// uTP over IPv4 and IPv6, for addresses `utp://IP:PORT` and `utp://NAME:PORT`. Clones share their ports.
///
/// A dial goes out from a port that listens on all addresses, if there is one: so all connections of a node have one
/// mapping on its gateway.
#[derive(Clone, Default)]
pub struct UtpTransport {
    sockets: Arc<Mutex<HashMap<SocketAddr, Weak<Owner>>>>,
}

impl UtpTransport {
    /// One without any port yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What the ports that are open now have seen so far, together: less when one has been closed.
    pub fn stats(&self) -> UdpStats {
        let owners: Vec<_> = lock(&self.sockets)
            .values()
            .filter_map(Weak::upgrade)
            .collect();
        let mut total = UdpStats::default();
        for owner in owners {
            let stats = UtpSocket::of(owner).stats();
            total.receive_errors += stats.receive_errors;
            total.received += stats.received;
            total.sent += stats.sent;
            total.unclaimed += stats.unclaimed;
        }
        total
    }

    /// The UDP port that is bound to `local`, for protocols that share it; `None` where no connection or listener holds it.
    ///
    /// [`UdpPort::register`] adds one that is asked after uTP, which claims what may be a packet of version 1;
    /// [`UdpPort::register_first`] one whose mark is stricter, such as STUN's.
    pub fn port(&self, local: SocketAddr) -> Option<UdpPort> {
        let owner = lock(&self.sockets).get(&local)?.upgrade()?;
        Some(owner.endpoint.port().clone())
    }

    /// The socket that is bound to `local`, bound now where there is none.
    fn socket(&self, local: SocketAddr) -> Result<UtpSocket, BindError> {
        let mut sockets = lock(&self.sockets);
        sockets.retain(|_, owner| owner.strong_count() > 0);
        if let Some(owner) = sockets.get(&local).and_then(Weak::upgrade) {
            return Ok(UtpSocket::of(owner));
        }
        let socket = UtpSocket::bind(local)?;
        sockets.insert(socket.local_addr(), socket.downgrade());
        Ok(socket)
    }

    /// A socket to dial from: one that can reach everybody, or a new one.
    fn any_socket(&self) -> Result<UtpSocket, BindError> {
        let known = {
            let sockets = lock(&self.sockets);
            let mut open = sockets
                .iter()
                .filter(|(local, _)| local.ip().is_unspecified());
            open.find_map(|(_, owner)| owner.upgrade())
        };
        match known {
            Some(owner) => Ok(UtpSocket::of(owner)),
            None => self.socket(SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, 0))),
        }
    }
}

#[async_trait]
impl Transport for UtpTransport {
    fn schemes(&self) -> &[&'static str] {
        &[SCHEME]
    }

    async fn dial(&self, addr: &Addr, opts: &DialOpts) -> Result<Connection, TransportError> {
        let remotes = HostPort::parse_remote(SCHEME, addr)?.resolve(addr).await?;
        let socket = match &opts.from {
            Some(from) => self.socket(HostPort::parse_local(SCHEME, from)?),
            None => self.any_socket(),
        };
        let socket = socket.map_err(|error| bind_error(addr, error))?;
        let mut last = unresolved(addr);
        for remote in remotes {
            match socket.connect(remote).await {
                Ok(stream) => return Ok(connection(&socket, stream, remote)),
                Err(error) => last = TransportError::from_io(addr, error),
            }
        }
        Err(last)
    }

    async fn listen(&self, addr: &Addr) -> Result<Listener, TransportError> {
        let local = HostPort::parse(SCHEME, addr)?.resolve(addr).await?;
        let local = *local.first().ok_or_else(|| unresolved(addr))?;
        let socket = self
            .socket(local)
            .map_err(|error| bind_error(addr, error))?;
        if !socket.try_listen() {
            let in_use = io::ErrorKind::AddrInUse.into();
            return Err(TransportError::from_io(addr, in_use));
        }
        let bound = Addr::from_socket_addr(SCHEME, socket.local_addr());
        let accept = |listening: Listening| async move {
            let (stream, remote) = listening.0.accept().await;
            let connection = connection(&listening.0, stream, remote);
            (listening, Ok(Incoming::ready(connection)))
        };
        Ok(Listener::from_accept(bound, Listening(socket), accept))
    }
}

impl fmt::Debug for UtpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UtpTransport")
            .field("sockets", &lock(&self.sockets).len())
            .finish()
    }
}

/// A socket that takes connections until this is dropped.
struct Listening(UtpSocket);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.stop_listening();
    }
}

fn connection(socket: &UtpSocket, stream: UtpStream, remote: SocketAddr) -> Connection {
    let local = local_addr(socket.local_addr(), remote);
    Connection::new(
        stream,
        Addr::from_socket_addr(SCHEME, local),
        Addr::from_socket_addr(SCHEME, remote),
    )
}

/// The address that `remote` sees us at, as far as this host knows: a socket that is bound to all addresses has one for
/// each way out.
fn local_addr(bound: SocketAddr, remote: SocketAddr) -> SocketAddr {
    if !bound.ip().is_unspecified() {
        return bound;
    }
    source_towards(remote).map_or(bound, |source| SocketAddr::new(source, bound.port()))
}

fn unresolved(addr: &Addr) -> TransportError {
    TransportError::from_io(addr, io::ErrorKind::NotFound.into())
}

fn bind_error(addr: &Addr, error: BindError) -> TransportError {
    let error = match error {
        BindError::Io { source, .. } => source,
        BindError::InUse { .. } => io::ErrorKind::AddrInUse.into(),
        error => io::Error::other(error),
    };
    TransportError::from_io(addr, error)
}

const SCHEME: &str = "utp";
