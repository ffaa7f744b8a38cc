//! The sockets of one interface.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket},
    sync::Arc,
};

use async_io::Async;
use ipnet::Ipv4Net;
use socket2::{Domain, Protocol, Socket, Type};

use crate::{
    interface::{GROUP, Interface, broadcast},
    link::{Destination, Family},
};

/// The sockets of one interface.
///
/// Those of its own have random ports: what is sent comes from them, and answers to this node alone come to them. The
/// shared ones have the beacon's port, together with those of other nodes on this host, and hear what is said to
/// everybody.
#[derive(Debug)]
pub(crate) struct Sockets {
    own: Vec<Own>,
    shared: Vec<Arc<Async<UdpSocket>>>,
    hear: bool,
    missing: usize,
    port: u16,
    index: u32,
}

#[derive(Debug)]
struct Own {
    /// The subnet that it sends to; `None` where it speaks IPv6.
    subnet: Option<Ipv4Net>,
    socket: Arc<Async<UdpSocket>>,
}

impl Sockets {
    /// Opens those that can be opened. One that cannot is told to `failed`.
    pub(crate) fn open(
        interface: &Interface,
        port: u16,
        mut failed: impl FnMut(SocketKind, io::Error),
    ) -> Self {
        let (mut hear, mut missing) = (true, 0);
        let mut fail = |kind, error| {
            hear &= kind != SocketKind::Shared;
            missing += 1;
            failed(kind, error);
        };
        let own = ways_out(interface).into_iter().filter_map(|subnet| {
            let opened = open_own(interface, subnet).map_err(|error| fail(SocketKind::Own, error));
            opened.ok().map(|socket| Own { subnet, socket })
        });
        let own = own.collect();
        let shared = open_shared(interface, port).filter_map(|opened| {
            let opened = opened.map_err(|error| fail(SocketKind::Shared, error));
            opened.ok()
        });
        let shared = shared.collect();
        Self {
            own,
            shared,
            hear,
            missing,
            port,
            index: interface.index,
        }
    }

    /// Whether they hear all that is said to everybody.
    pub(crate) fn hear(&self) -> bool {
        self.hear
    }

    /// How many could not be opened.
    pub(crate) fn missing(&self) -> usize {
        self.missing
    }

    /// All of them, to be read.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Async<UdpSocket>>> {
        self.own.iter().map(|own| &own.socket).chain(&self.shared)
    }

    /// Sends a datagram to each address that `to` stands for; the results are in `sent`.
    pub(crate) fn send(
        &self,
        to: &Destination,
        datagram: &[u8],
        mut sent: impl FnMut(io::Result<()>),
    ) {
        if let Destination::One(to) = to {
            return sent(self.send_to_one(*to, datagram));
        }
        for own in &self.own {
            let result = match (to, own.subnet) {
                (Destination::Everybody | Destination::Family(Family::V4), Some(subnet)) => {
                    own.send_to_subnet(subnet, self.port, datagram)
                }
                (Destination::Everybody | Destination::Family(Family::V6), None) => {
                    let group = SocketAddrV6::new(GROUP, self.port, 0, self.index);
                    own.send(datagram, group.into())
                }
                _ => continue,
            };
            sent(result);
        }
    }

    /// Sends from the smallest subnet that the host is in: subnets of one link may be in others.
    fn send_to_one(&self, to: SocketAddr, datagram: &[u8]) -> io::Result<()> {
        let ways = self.own.iter().filter(|own| is_reached(to, own.subnet));
        let way = ways.max_by_key(|own| own.subnet.map(|subnet| subnet.prefix_len()));
        let way = way.ok_or(io::ErrorKind::AddrNotAvailable)?;
        way.send(datagram, to)
    }
}

/// Which socket could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SocketKind {
    /// One to send from.
    Own,
    /// One with the beacon's port.
    Shared,
}

impl Own {
    /// Not every system sends the limited broadcast from a host without a default route; the subnet's own is then
    /// left.
    fn send_to_subnet(&self, subnet: Ipv4Net, port: u16, datagram: &[u8]) -> io::Result<()> {
        let to = |ip: Ipv4Addr| SocketAddr::new(IpAddr::V4(ip), port);
        self.send(datagram, to(broadcast(subnet)))
            .or_else(|_| self.send(datagram, to(subnet.broadcast())))
    }

    fn send(&self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        self.socket.get_ref().send_to(datagram, to).map(|_| ())
    }
}

/// Whether the socket of `subnet` is the one to reach `to` from.
fn is_reached(to: SocketAddr, subnet: Option<Ipv4Net>) -> bool {
    match (to.ip(), subnet) {
        (IpAddr::V4(to), Some(subnet)) => subnet.contains(&to),
        (IpAddr::V6(_), None) => true,
        _ => false,
    }
}

/// The subnets to send to, and `None` for IPv6.
fn ways_out(interface: &Interface) -> Vec<Option<Ipv4Net>> {
    let subnets = interface.subnets().into_iter().map(Some);
    subnets.chain(interface.has_v6().then_some(None)).collect()
}

fn open_own(interface: &Interface, subnet: Option<Ipv4Net>) -> io::Result<Arc<Async<UdpSocket>>> {
    subnet.map_or_else(|| own_v6(interface), |subnet| own_v4(interface, subnet))
}

/// One for each family of the interface.
fn open_shared(
    interface: &Interface,
    port: u16,
) -> impl Iterator<Item = io::Result<Arc<Async<UdpSocket>>>> {
    let v4 = hearing_v4(interface).into_iter();
    let v4 = v4.map(move |ip| shared_v4(interface, ip, port));
    let v6 = interface.has_v6().then_some(interface).into_iter();
    v4.chain(v6.map(move |interface| shared_v6(interface, port)))
}

fn own_v4(interface: &Interface, subnet: Ipv4Net) -> io::Result<Arc<Async<UdpSocket>>> {
    let socket = new_socket(Domain::IPV4)?;
    socket.set_broadcast(true)?;
    bind_to_interface(&socket, Domain::IPV4, interface);
    bind(socket, SocketAddr::new(IpAddr::V4(subnet.addr()), 0))
}

fn own_v6(interface: &Interface) -> io::Result<Arc<Async<UdpSocket>>> {
    let socket = new_socket(Domain::IPV6)?;
    socket.set_only_v6(true)?;
    socket.set_multicast_if_v6(interface.index)?;
    bind_to_interface(&socket, Domain::IPV6, interface);
    bind(
        socket,
        SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0),
    )
}

fn shared_v4(interface: &Interface, ip: Ipv4Addr, port: u16) -> io::Result<Arc<Async<UdpSocket>>> {
    let socket = new_socket(Domain::IPV4)?;
    share_port(&socket)?;
    bind_to_interface(&socket, Domain::IPV4, interface);
    bind(socket, SocketAddr::new(IpAddr::V4(ip), port))
}

fn shared_v6(interface: &Interface, port: u16) -> io::Result<Arc<Async<UdpSocket>>> {
    let socket = new_socket(Domain::IPV6)?;
    share_port(&socket)?;
    socket.set_only_v6(true)?;
    bind_to_interface(&socket, Domain::IPV6, interface);
    socket.join_multicast_v6(&GROUP, interface.index)?;
    bind(
        socket,
        SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port),
    )
}

/// The addresses to bind so that broadcasts are heard: the wildcard, but on Windows, where a socket bound to an address
/// hears the broadcasts of its interface.
fn hearing_v4(interface: &Interface) -> Vec<Ipv4Addr> {
    let subnets = interface.subnets();
    if cfg!(windows) {
        return subnets.iter().map(Ipv4Net::addr).collect();
    }
    subnets
        .first()
        .map(|_| Ipv4Addr::UNSPECIFIED)
        .into_iter()
        .collect()
}

fn new_socket(domain: Domain) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    // The system gives less where its limit is lower; it works with that too.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
    Ok(socket)
}

fn bind(socket: Socket, addr: SocketAddr) -> io::Result<Arc<Async<UdpSocket>>> {
    socket.bind(&addr.into())?;
    Ok(Arc::new(Async::new_nonblocking(socket.into())?))
}

/// Lets several nodes of one host have the port: each hears what is said to everybody.
fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_address(true)?;
    // Linux is content with the other, which also lets in the nodes of other users.
    #[cfg(all(
        unix,
        not(any(
            target_os = "linux",
            target_os = "android",
            target_os = "solaris",
            target_os = "illumos",
            target_os = "cygwin",
            target_os = "nuttx"
        ))
    ))]
    socket.set_reuse_port(true)?;
    Ok(())
}

/// Sends and receives over one interface whatever the routes say. Where the system does not let us, the link that a
/// datagram came from is told by its sender's address, and the source address tells the way out.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn bind_to_interface(socket: &Socket, _: Domain, interface: &Interface) {
    if let Err(error) = socket.bind_device(Some(interface.name.as_bytes())) {
        tracing::debug!(interface = interface.name, %error, "socket not bound to its interface");
    }
}

/// Sends and receives over one interface whatever the routes say.
#[cfg(any(target_os = "macos", target_os = "ios"))]
fn bind_to_interface(socket: &Socket, domain: Domain, interface: &Interface) {
    let index = std::num::NonZeroU32::new(interface.index);
    let bound = if domain == Domain::IPV6 {
        socket.bind_device_by_index_v6(index)
    } else {
        socket.bind_device_by_index_v4(index)
    };
    if let Err(error) = bound {
        tracing::debug!(interface = interface.name, %error, "socket not bound to its interface");
    }
}

/// There is no such option; the addresses do what can be done.
#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "macos",
    target_os = "ios"
)))]
fn bind_to_interface(_: &Socket, _: Domain, _: &Interface) {}

/// What a flood of 50,000 datagrams a second fills between two looks.
const RECEIVE_BUFFER_BYTES: usize = 512 * 1024;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    #[cfg(target_os = "linux")] // Elsewhere, 127.0.0.1 is the only address of the loopback interface.
    fn host_in_nested_subnets_is_sent_to_from_the_smallest_alone() {
        let nets = [
            "127.0.0.1/8",
            "127.0.0.2/16",
            "127.0.0.6/30",
            "127.0.0.3/24",
        ];
        let interface = Interface {
            index: 1,
            name: "lo".into(),
            nets: nets.map(|net| net.parse().unwrap()).into(),
        };
        let sockets = Sockets::open(&interface, 0, |_, error| panic!("{error}"));
        let host = UdpSocket::bind("127.0.0.5:0").unwrap();
        let to = Destination::One(host.local_addr().unwrap());
        let mut sent = 0;
        sockets.send(&to, b"x", |result| {
            result.unwrap();
            sent += 1;
        });
        assert_eq!(sent, 1);
        let (_, from) = host.recv_from(&mut [0; 2]).unwrap();
        assert_eq!(from.ip(), Ipv4Addr::new(127, 0, 0, 6));
        host.set_read_timeout(Some(Duration::from_millis(100)))
            .unwrap();
        host.recv_from(&mut [0; 2]).unwrap_err();
    }
}
