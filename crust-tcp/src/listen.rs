//! Listening: the first of an address's meanings that this host has.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
};

use async_io::Async;
use crust_core::{Addr, Listener, TransportError};
use socket2::Socket;
use tracing::debug;

use crate::{
    accept::Acceptor,
    failure::is_missing,
    options::{StreamOptions, new_socket, open_port_to_dials, reclaim_port},
    transport::SCHEME,
};

/// How to listen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ListenOptions {
    pub(crate) backlog: u16,
    pub(crate) stream: StreamOptions,
}

/// Listens on the first of `candidates` that this host has; `addr` is what was asked for.
pub(crate) fn first_of(
    candidates: Vec<SocketAddr>,
    addr: &Addr,
    options: ListenOptions,
) -> Result<Listener, TransportError> {
    let mut missing = None;
    for candidate in with_fallback(candidates) {
        match listen_on(candidate, options) {
            Ok(listener) => return Ok(listener),
            Err(error) if is_missing(&error) => {
                debug!(%addr, local = %candidate, %error, "no such address on this host");
                missing = Some(error);
            }
            Err(error) => return Err(TransportError::from_io(addr, bind_error(error))),
        }
    }
    let error = missing.expect("a resolved target has at least one address");
    Err(TransportError::from_io(addr, error))
}

/// Where a host has no IPv6, all of its addresses are those of IPv4.
fn with_fallback(mut candidates: Vec<SocketAddr>) -> Vec<SocketAddr> {
    if let [SocketAddr::V6(only)] = *candidates
        && only.ip().is_unspecified()
    {
        candidates.push((Ipv4Addr::UNSPECIFIED, only.port()).into());
    }
    candidates
}

fn listen_on(addr: SocketAddr, options: ListenOptions) -> io::Result<Listener> {
    let socket = bind(addr, options)?;
    let socket = Async::new_nonblocking(TcpListener::from(socket))?;
    let bound = socket.get_ref().local_addr()?;
    let acceptor = Acceptor::new(socket, bound, options.stream);
    Ok(Listener::from_accept(
        Addr::from_socket_addr(SCHEME, bound),
        acceptor,
        Acceptor::accept,
    ))
}

fn bind(addr: SocketAddr, options: ListenOptions) -> io::Result<Socket> {
    let socket = new_socket(addr)?;
    if addr.ip() == IpAddr::from(Ipv6Addr::UNSPECIFIED) {
        // Dual stack: Windows and some Linux systems have it off by default (RFC 3493 §5.3 has it on).
        socket.set_only_v6(false)?;
    }
    reclaim_port(&socket)?;
    socket.bind(&addr.into())?;
    options.stream.set_on(&socket);
    socket.listen(options.backlog.into())?;
    open_port_to_dials(&socket);
    Ok(socket)
}

/// Windows says "access denied" for a port that another program holds for itself.
fn bind_error(error: io::Error) -> io::Error {
    if cfg!(windows) && error.kind() == io::ErrorKind::PermissionDenied {
        return io::ErrorKind::AddrInUse.into();
    }
    error
}

#[cfg(test)]
mod tests {
    use std::{net::TcpStream, time::Duration};

    use socket2::SockRef;

    use super::*;
    use crate::accept::{accept_nonblocking, prepare};

    #[test]
    fn only_the_wildcard_falls_back_to_ipv4() {
        let fallback = |text: &str| {
            let addrs = with_fallback(vec![text.parse().unwrap()]);
            addrs.get(1).map(SocketAddr::to_string)
        };
        assert_eq!(fallback("[::]:5483"), Some("0.0.0.0:5483".to_owned()));
        assert_eq!(fallback("[::1]:5483"), None);
        assert_eq!(fallback("0.0.0.0:5483"), None);
    }

    #[test]
    fn address_this_host_lacks_gives_way_to_the_next() {
        // 2001:db8::/32 is nobody's (RFC 3849).
        let candidates = ["[2001:db8::1]:0", "127.0.0.1:0"].map(|addr| addr.parse().unwrap());
        let addr = "tcp://example.org:0".parse().unwrap();
        let listener = first_of(candidates.to_vec(), &addr, options(None)).unwrap();
        assert!(listener.local_addr().body().starts_with("127.0.0.1:"));
        let error = first_of(candidates[..1].to_vec(), &addr, options(None)).unwrap_err();
        assert!(matches!(&error, TransportError::Io { source, .. } if is_missing(source)));
        assert_eq!(error.addr(), &addr);
    }

    #[test]
    fn accepted_socket_has_its_options() {
        for keepalive in [None, Some(Duration::from_secs(7))] {
            let socket = bind("127.0.0.1:0".parse().unwrap(), options(keepalive)).unwrap();
            socket.set_nonblocking(false).unwrap();
            let listener = TcpListener::from(socket);
            let _dialed = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (accepted, _) = accept_nonblocking(&listener).unwrap();
            let stream = prepare(accepted, options(keepalive).stream).unwrap();
            let socket = SockRef::from(stream.0.get_ref());
            assert!(socket.tcp_nodelay().unwrap());
            assert_eq!(socket.keepalive().unwrap(), keepalive.is_some());
            #[cfg(target_os = "linux")]
            if let Some(idle) = keepalive {
                assert!(socket.nonblocking().unwrap());
                assert_eq!(socket.tcp_notsent_lowat().unwrap(), 16 * 1024);
                assert_eq!(socket.tcp_keepalive_time().unwrap(), idle);
                assert_eq!(socket.tcp_keepalive_interval().unwrap(), idle);
            }
        }
    }

    fn options(keepalive: Option<Duration>) -> ListenOptions {
        ListenOptions {
            backlog: 16,
            stream: StreamOptions { keepalive },
        }
    }
}
