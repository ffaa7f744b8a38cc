//! The socket of a port: its options, and what each system call takes and gives.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    task::{Context, Poll, Waker},
};

use async_io::Async;
use quinn_udp::EcnCodepoint;
use socket2::{Domain, Protocol, SockRef, Socket as NewSocket, Type};

use super::{
    batch::{Batch, canonical},
    calls::Calls,
    datagram::{Ecn, Transmit},
    fragments,
    gso::Gso,
};

/// A bound socket.
#[derive(Debug)]
pub(super) struct Socket {
    /// Nothing once it is closed.
    socket: Option<Async<UdpSocket>>,
    calls: Calls,
    gso: Gso,
    local: SocketAddr,
}

impl Socket {
    /// Binds `addr`. `[::]` is both families, or IPv4 alone on a host without the other.
    pub(super) fn bind(addr: SocketAddr) -> io::Result<Self> {
        or_v4(addr, Self::bind_exactly)
    }

    fn bind_exactly(addr: SocketAddr) -> io::Result<Self> {
        let socket = NewSocket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        if addr.is_ipv6() {
            socket.set_only_v6(!addr.ip().is_unspecified())?;
        }
        // The system gives less where its limit is lower; it works with that too.
        let _ = socket.set_recv_buffer_size(BUFFER_BYTES);
        let _ = socket.set_send_buffer_size(BUFFER_BYTES);
        socket.bind(&addr.into())?;
        let socket = Async::new_nonblocking(UdpSocket::from(socket))?;
        let calls = Calls::prepare(&socket);
        Ok(Self {
            gso: Gso::new(calls.max_gso_segments()),
            local: socket.get_ref().local_addr()?,
            socket: Some(socket),
            calls,
        })
    }

    /// Gives the address back; nothing is sent or received any more.
    pub(super) fn close(&mut self) {
        self.socket = None;
    }

    pub(super) const fn is_closed(&self) -> bool {
        self.socket.is_none()
    }

    /// The system's socket, if it is open.
    fn open(&self) -> io::Result<&Async<UdpSocket>> {
        let closed = || io::Error::new(io::ErrorKind::NotConnected, "the port is closed");
        self.socket.as_ref().ok_or_else(closed)
    }

    /// Sends one datagram with another time to live.
    ///
    /// Alone with the socket, as it says: the option is one of the socket, and there is no way to give it with a
    /// single datagram on each system that is free of `unsafe`.
    pub(super) fn send_with_ttl(&mut self, transmit: &Transmit<'_>, ttl: u8) -> io::Result<usize> {
        let socket = SockRef::from(self.open()?);
        let usual = Ttls::of(&socket, self.local.is_ipv6());
        let sent = usual
            .map(|_| ttl.into())
            .set_on(&socket)
            .and_then(|()| self.send(transmit));
        usual.set_on(&socket)?;
        sent
    }

    /// Sends one datagram that may be taken apart on its way. Alone with the socket, for the same reason.
    pub(super) fn send_in_fragments(&mut self, transmit: &Transmit<'_>) -> io::Result<usize> {
        let (socket, is_v6) = (self.open()?.get_ref(), self.local.is_ipv6());
        let sent = fragments::allow(socket, is_v6).and_then(|()| self.send(transmit));
        fragments::forbid(socket, is_v6)?;
        sent
    }

    /// Sends as many datagrams of `transmit` as there is room for; gives their bytes, or an error where it is none.
    pub(super) fn send(&self, transmit: &Transmit<'_>) -> io::Result<usize> {
        let socket = self.open()?;
        let destination = self.to_own_family(canonical(transmit.to))?;
        let src_ip = transmit.from.map(|ip| self.source(ip));
        let ecn = transmit.ecn.map(to_codepoint);
        let send = |contents: &[u8], segment_size| {
            let transmit = quinn_udp::Transmit {
                destination,
                ecn,
                contents,
                segment_size,
                src_ip,
            };
            self.calls.send(socket, &transmit)
        };
        self.gso.send(transmit.data, transmit.segment_size, send)
    }

    /// Fills `batch` with what has arrived.
    pub(super) fn receive(&self, batch: &mut Batch) -> io::Result<()> {
        let socket = self.open()?;
        batch.fill(|buffers, metas| self.calls.receive(socket, buffers, metas))
    }

    pub(super) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.open()?.poll_readable(cx)
    }

    /// Polls with the one waker that all who wait for room share.
    pub(super) fn poll_writable(&self, waker: &Waker) -> Poll<io::Result<()>> {
        self.open()?.poll_writable(&mut Context::from_waker(waker))
    }

    #[cfg(test)]
    pub(super) fn options(&self) -> SockRef<'_> {
        SockRef::from(self.open().unwrap())
    }

    pub(super) fn local_addr(&self) -> SocketAddr {
        self.local
    }

    pub(super) fn max_gso_segments(&self) -> usize {
        self.gso.max_segments()
    }

    pub(super) fn buffer_sizes(&self) -> io::Result<BufferSizes> {
        let socket = SockRef::from(self.open()?);
        Ok(BufferSizes {
            receive_bytes: socket.recv_buffer_size()?,
            send_bytes: socket.send_buffer_size()?,
        })
    }

    fn to_own_family(&self, to: SocketAddr) -> io::Result<SocketAddr> {
        match (self.local, to) {
            (SocketAddr::V4(_), SocketAddr::V6(_)) => Err(io::ErrorKind::NetworkUnreachable.into()),
            (SocketAddr::V6(_), SocketAddr::V4(to)) => {
                let ip = to.ip().to_ipv6_mapped();
                Ok(SocketAddr::new(ip.into(), to.port()))
            }
            (_, to) => Ok(to),
        }
    }

    /// The local address `ip` as the system itself tells it of what it received.
    fn source(&self, ip: IpAddr) -> IpAddr {
        match ip {
            IpAddr::V4(ip) if self.local.is_ipv6() && !cfg!(windows) => ip.to_ipv6_mapped().into(),
            ip => ip,
        }
    }
}

/// The socket buffers that a port has, as the system counts them: Linux tells twice what it takes of payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BufferSizes {
    /// For what arrived and was not read.
    pub receive_bytes: usize,
    /// For what was sent and has not left.
    pub send_bytes: usize,
}

/// The time to live of each family that the socket has one for.
#[derive(Debug, Clone, Copy)]
struct Ttls {
    v4: Option<u32>,
    v6: Option<u32>,
}

impl Ttls {
    /// A dual-stack socket has one for both, and on Linux and Windows one more for IPv4.
    fn of(socket: &SockRef<'_>, is_v6: bool) -> Self {
        Self {
            v4: socket.ttl_v4().ok(),
            v6: is_v6.then(|| socket.unicast_hops_v6().ok()).flatten(),
        }
    }

    fn map(self, ttl: impl Fn(u32) -> u32) -> Self {
        Self {
            v4: self.v4.map(&ttl),
            v6: self.v6.map(&ttl),
        }
    }

    fn set_on(self, socket: &SockRef<'_>) -> io::Result<()> {
        let v4 = self.v4.map_or(Ok(()), |ttl| socket.set_ttl_v4(ttl));
        let v6 = self
            .v6
            .map_or(Ok(()), |ttl| socket.set_unicast_hops_v6(ttl));
        v4.and(v6)
    }
}

/// Opens `addr`; where it stands for both families and cannot be had, IPv4 alone.
fn or_v4<T>(addr: SocketAddr, open: impl Fn(SocketAddr) -> io::Result<T>) -> io::Result<T> {
    let is_both = addr.is_ipv6() && addr.ip().is_unspecified();
    match open(addr) {
        // Half of a port that somebody else has the other half of is no port.
        Err(error) if is_both && error.kind() != io::ErrorKind::AddrInUse => {
            let v4 = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), addr.port());
            open(v4).map_err(|_| error)
        }
        result => result,
    }
}

fn to_codepoint(ecn: Ecn) -> EcnCodepoint {
    match ecn {
        Ecn::Ce => EcnCodepoint::Ce,
        Ecn::Ect0 => EcnCodepoint::Ect0,
        Ecn::Ect1 => EcnCodepoint::Ect1,
    }
}

/// What 1 Gbit/s brings in 32 ms, longer than a busy machine keeps a task waiting.
const BUFFER_BYTES: usize = 4 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_without_ipv6_gets_ipv4_alone() {
        let open = |addr: SocketAddr| match addr {
            SocketAddr::V4(addr) => Ok(addr.to_string()),
            SocketAddr::V6(_) => Err(io::ErrorKind::Unsupported.into()),
        };
        let opened = |addr: &str| or_v4(addr.parse().unwrap(), open);
        assert_eq!(opened("[::]:7").unwrap(), "0.0.0.0:7");
        let error = opened("[::1]:7").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    }

    #[test]
    fn port_in_use_is_not_halved() {
        let open = |addr: SocketAddr| match addr {
            SocketAddr::V4(_) => Ok(()),
            SocketAddr::V6(_) => Err(io::ErrorKind::AddrInUse.into()),
        };
        assert!(or_v4("[::]:7".parse().unwrap(), open).is_err());
    }

    #[test]
    fn ttl_is_as_before_once_the_datagram_is_sent() {
        for addr in ["127.0.0.1:0", "[::]:0"] {
            let mut socket = Socket::bind(addr.parse().unwrap()).unwrap();
            let ttls = |socket: &Socket| {
                let is_v6 = socket.local.is_ipv6();
                let ttls = Ttls::of(&socket.options(), is_v6);
                (ttls.v4, ttls.v6)
            };
            let usual = ttls(&socket);
            let to = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), socket.local.port());
            let sent = socket.send_with_ttl(&Transmit::new(to, b"near"), 3);
            assert_eq!(sent.unwrap(), 4);
            assert_eq!(ttls(&socket), usual);
            let too_long = vec![0; 70_000];
            let sent = socket.send_with_ttl(&Transmit::new(to, &too_long), 3);
            assert!(sent.is_err());
            assert_eq!(ttls(&socket), usual);
        }
    }
}
