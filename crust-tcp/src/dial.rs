//! Dialing: one attempt at each address a target stands for, and the error that tells most.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
};

use async_io::Async;
use crust_core::{Addr, Connection, DialOpts, HostPort, TransportError};
use rustix::io::Errno;
use socket2::Socket;
use tracing::debug;

use crate::{
    failure::how_telling,
    options::{StreamOptions, join_port, new_socket},
    race::{STAGGER, interleave, race},
    stream::Stream,
    transport::SCHEME,
};

/// What all attempts of one dial share.
#[derive(Debug)]
pub(crate) struct Dial<'a> {
    addr: &'a Addr,
    from: Option<LocalEnd<'a>>,
    options: StreamOptions,
}

/// The local address asked for.
#[derive(Debug, Clone, Copy)]
struct LocalEnd<'a> {
    addr: &'a Addr,
    ip: SocketAddr,
}

impl<'a> Dial<'a> {
    /// A dial of `addr`; fails where `opts.from` is no address to start from.
    pub(crate) fn new(
        addr: &'a Addr,
        opts: &'a DialOpts,
        options: StreamOptions,
    ) -> Result<Self, TransportError> {
        let from = match &opts.from {
            Some(addr) => Some(LocalEnd {
                addr,
                ip: HostPort::parse_local(SCHEME, addr)?,
            }),
            None => None,
        };
        Ok(Self {
            addr,
            from,
            options,
        })
    }

    /// Connects to one of `remotes`, whichever answers first.
    pub(crate) async fn any_of(
        &self,
        remotes: Vec<SocketAddr>,
    ) -> Result<Connection, TransportError> {
        let attempts = interleave(remotes)
            .into_iter()
            .map(|remote| self.attempt(remote));
        let errors = match race(attempts.collect(), STAGGER).await {
            Ok(connection) => return Ok(connection),
            Err(errors) => errors,
        };
        let telling = errors.into_iter().max_by_key(how_telling);
        Err(telling.expect("a resolved target has at least one address"))
    }

    async fn attempt(&self, remote: SocketAddr) -> Result<Connection, TransportError> {
        let result = self.connect(remote).await;
        if let Err(error) = &result {
            debug!(addr = %self.addr, %remote, %error, "dial attempt failed");
        }
        result
    }

    async fn connect(&self, remote: SocketAddr) -> Result<Connection, TransportError> {
        let connected = connected(self.socket(remote)?, remote).await;
        let (stream, local) = connected.map_err(|error| self.failed(error))?;
        Ok(Connection::new(
            Stream(stream),
            Addr::from_socket_addr(SCHEME, local),
            Addr::from_socket_addr(SCHEME, remote),
        ))
    }

    fn socket(&self, remote: SocketAddr) -> Result<Socket, TransportError> {
        let socket = new_socket(remote).map_err(|error| self.failed(error))?;
        if let Some(from) = self.from {
            from.bind(&socket, remote)?;
        }
        self.options.set_on(&socket);
        Ok(socket)
    }

    fn failed(&self, error: io::Error) -> TransportError {
        TransportError::from_io(self.addr, error)
    }
}

impl LocalEnd<'_> {
    fn bind(self, socket: &Socket, remote: SocketAddr) -> Result<(), TransportError> {
        let local = self.in_family_of(remote)?;
        self.try_bind(socket, local, remote)
            .map_err(|error| TransportError::from_io(self.addr, error))
    }

    /// Port 0 asks for any port of that address, which then need not be shared.
    fn try_bind(self, socket: &Socket, local: SocketAddr, remote: SocketAddr) -> io::Result<()> {
        if local.port() == 0 {
            return socket.bind(&local.into());
        }
        join_port(socket)?;
        socket.bind(&beside_listener(local, remote)?.into())
    }

    /// The wildcard of one family stands for that of the other, as a dual-stack listener is dialed from in both.
    fn in_family_of(self, remote: SocketAddr) -> Result<SocketAddr, TransportError> {
        let wildcard: IpAddr = match remote {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        if self.ip.is_ipv4() == remote.is_ipv4() {
            Ok(self.ip)
        } else if self.ip.ip().is_unspecified() {
            Ok(SocketAddr::new(wildcard, self.ip.port()))
        } else {
            Err(TransportError::Invalid {
                addr: self.addr.clone(),
                reason: "its IP version is not that of the address dialed",
            })
        }
    }
}

/// The address a dial binds to share the port of a listener on `local`.
#[cfg(not(windows))]
#[expect(clippy::unnecessary_wraps, reason = "Windows asks its routing table")]
fn beside_listener(local: SocketAddr, _: SocketAddr) -> io::Result<SocketAddr> {
    Ok(local)
}

/// The address a dial binds to share the port of a listener on `local`: never the wildcard, which the listener holds,
/// but the one address the system would dial `remote` from.
#[cfg(windows)]
fn beside_listener(local: SocketAddr, remote: SocketAddr) -> io::Result<SocketAddr> {
    if !local.ip().is_unspecified() {
        return Ok(local);
    }
    let source = crust_core::source_towards(remote)?;
    Ok(SocketAddr::new(source, local.port()))
}

/// Connects `socket`; gives it and its local address.
///
/// Cancel-safe: the socket is owned here and closed with the future.
async fn connected(
    socket: Socket,
    remote: SocketAddr,
) -> io::Result<(Async<TcpStream>, SocketAddr)> {
    // Before it is registered: a socket not yet connecting reports itself writable.
    if let Err(error) = socket.connect(&remote.into())
        && !is_in_progress(&error)
    {
        return Err(error);
    }
    let stream = Async::new_nonblocking(TcpStream::from(socket))?;
    stream.writable().await?;
    if let Some(error) = stream.get_ref().take_error()? {
        return Err(error);
    }
    let local = stream.get_ref().local_addr()?;
    if local == remote {
        // Nobody listens, and the system chose the port dialed for this end: TCP then connects to itself.
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok((stream, local))
}

/// Windows says the latter.
fn is_in_progress(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::INPROGRESS | Errno::WOULDBLOCK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dialed_socket_has_its_options() {
        let addr: Addr = "tcp://127.0.0.1:1".parse().unwrap();
        let opts = DialOpts::default();
        for keepalive in [None, Some(std::time::Duration::from_millis(1))] {
            let dial = Dial::new(&addr, &opts, StreamOptions { keepalive }).unwrap();
            let socket = dial.socket(addr.socket_addr().unwrap()).unwrap();
            assert!(socket.tcp_nodelay().unwrap());
            assert_eq!(socket.keepalive().unwrap(), keepalive.is_some());
            #[cfg(target_os = "linux")]
            assert_eq!(socket.tcp_notsent_lowat().unwrap(), 16 * 1024);
        }
    }
}
