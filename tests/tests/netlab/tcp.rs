//! The probe over TCP: the same questions, asked with connections.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use crust_tests::netlab::{Allocation, Filtering, Host, Mapping};
use socket2::{Domain, Socket, Type};

use crate::{
    scene::Scene,
    words::{self, Came, Findings},
};

/// The sockets of the server.
#[derive(Debug)]
pub(crate) struct Probe<'a> {
    scene: &'a Scene,
    servers: [TcpListener; 4],
}

impl<'a> Probe<'a> {
    pub(crate) fn new(scene: &'a Scene) -> Self {
        let servers = scene.server_addrs().map(|addr| listen(&scene.server, addr));
        Self { scene, servers }
    }

    /// What stands between `host` and the servers.
    pub(crate) fn classify(&self, host: &Host) -> Findings {
        Findings {
            mapping: self.mapping(host),
            filtering: self.filtering(host),
            allocation: self.allocation(host),
        }
    }

    fn mapping(&self, host: &Host) -> Mapping {
        let inside = free_addr(host);
        let links = self
            .servers
            .each_ref()
            .map(|server| Link::dial(host, inside, server));
        words::mapping(links.map(|link| link.seen))
    }

    fn filtering(&self, host: &Host) -> Filtering {
        let inside = free_addr(host);
        let _listener = listen(host, inside);
        let link = Link::dial(host, inside, &self.servers[0]);
        let [_, other_port, other_addr, _] = self.scene.server_addrs();
        let stranger = self.scene.stranger_addr();
        let reaches = |dialer: &Host, from| dial(dialer, from, link.seen).is_ok();
        thread::scope(|scope| {
            let other_port = scope.spawn(|| reaches(&self.scene.server, other_port));
            let other_addr = scope.spawn(|| reaches(&self.scene.server, other_addr));
            let stranger = scope.spawn(|| reaches(&self.scene.stranger, stranger));
            words::filtering(Came {
                other_port: other_port.join().unwrap(),
                other_addr: other_addr.join().unwrap(),
                stranger: stranger.join().unwrap(),
            })
        })
    }

    fn allocation(&self, host: &Host) -> Allocation {
        let links: [_; 4] =
            std::array::from_fn(|_| Link::dial(host, free_addr(host), &self.servers[0]));
        words::allocation(&links.map(|link| (link.inside.port(), link.seen.port())))
    }

    /// The first server.
    pub(crate) fn server(&self) -> &TcpListener {
        &self.servers[0]
    }
}

/// A connection, with both its ends.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) client: TcpStream,
    pub(crate) server: TcpStream,
    /// The client's address as it is to the client, and as it is to the server.
    pub(crate) inside: SocketAddr,
    pub(crate) seen: SocketAddr,
}

impl Link {
    pub(crate) fn dial(host: &Host, from: SocketAddr, server: &TcpListener) -> Self {
        let client = dial(host, from, server.local_addr().unwrap()).unwrap();
        let (server, seen) = server.accept().unwrap();
        let inside = client.local_addr().unwrap();
        Self {
            client,
            server,
            inside,
            seen,
        }
    }
}

/// An address of `host` that is free for both connections and a listener.
pub(crate) fn free_addr(host: &Host) -> SocketAddr {
    let socket = bind(host, (Ipv4Addr::UNSPECIFIED, 0).into()).unwrap();
    socket.local_addr().unwrap().as_socket().unwrap()
}

pub(crate) fn listen(host: &Host, addr: SocketAddr) -> TcpListener {
    let socket = bind(host, addr).unwrap();
    socket.listen(16).unwrap();
    socket.into()
}

/// Connects from `from`. The time is enough for one SYN that is repeated.
pub(crate) fn dial(host: &Host, from: SocketAddr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = bind(host, from)?;
    socket.connect_timeout(&to.into(), DIAL_LIMIT)?;
    Ok(socket.into())
}

fn bind(host: &Host, addr: SocketAddr) -> io::Result<Socket> {
    let domain = Domain::for_address(addr);
    let socket = host.run(|| Socket::new(domain, Type::STREAM, None))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.bind(&addr.into())?;
    Ok(socket)
}

/// The kernel repeats a SYN after a second.
const DIAL_LIMIT: Duration = Duration::from_millis(1_500);
