//! The probe over UDP. All its sockets are in this process, so it needs no protocol: it sends here and looks there.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    time::Duration,
};

use crust_tests::netlab::{Allocation, Filtering, Host, Mapping};

use crate::{
    scene::Scene,
    words::{self, Came, Findings},
};

/// The sockets of the server and of the stranger.
#[derive(Debug)]
pub(crate) struct Probe {
    servers: [UdpSocket; 4],
    stranger: UdpSocket,
}

impl Probe {
    pub(crate) fn new(scene: &Scene) -> Self {
        Self {
            servers: scene.server_addrs().map(|addr| bind(&scene.server, addr)),
            stranger: bind(&scene.stranger, scene.stranger_addr()),
        }
    }

    /// What stands between `host` and the servers.
    pub(crate) fn classify(&self, host: &Host) -> Findings {
        Findings {
            mapping: self.mapping(host),
            filtering: self.filtering(host),
            allocation: self.allocation(host),
        }
    }

    pub(crate) fn mapping(&self, host: &Host) -> Mapping {
        let client = client(host);
        let seen = self.servers.each_ref().map(|server| seen(&client, server));
        words::mapping(seen)
    }

    pub(crate) fn filtering(&self, host: &Host) -> Filtering {
        let client = client(host);
        let [first, other_port, other_addr, _] = &self.servers;
        let outside = seen(&client, first);
        let senders = [other_port, other_addr, &self.stranger];
        for sender in senders {
            sender.send_to(b"may I", outside).unwrap();
        }
        let came = before_the_fence(&client, first, outside);
        let has_come = |sender: &UdpSocket| came.contains(&sender.local_addr().unwrap());
        let [other_port, other_addr, stranger] = senders.map(has_come);
        words::filtering(Came {
            other_port,
            other_addr,
            stranger,
        })
    }

    fn allocation(&self, host: &Host) -> Allocation {
        // They are held, or the next would have the port of the last.
        let clients: [_; 4] = std::array::from_fn(|_| client(host));
        let ports = clients.each_ref().map(|client| {
            let inside = client.local_addr().unwrap().port();
            (inside, seen(client, &self.servers[0]).port())
        });
        words::allocation(&ports)
    }

    /// The server's sockets: two ports of one address, two of the other.
    pub(crate) fn servers(&self) -> &[UdpSocket; 4] {
        &self.servers
    }

    pub(crate) fn stranger(&self) -> &UdpSocket {
        &self.stranger
    }
}

/// A socket at `addr` of `host`.
pub(crate) fn bind(host: &Host, addr: SocketAddr) -> UdpSocket {
    let socket = host.run(|| UdpSocket::bind(addr)).unwrap();
    socket.set_read_timeout(Some(ANSWER_LIMIT)).unwrap();
    socket
}

/// A socket at a random port of `host`.
pub(crate) fn client(host: &Host) -> UdpSocket {
    bind(host, (Ipv4Addr::UNSPECIFIED, 0).into())
}

/// Sends from `client` to `server`, and gives where it seems to come from.
pub(crate) fn seen(client: &UdpSocket, server: &UdpSocket) -> SocketAddr {
    client
        .send_to(b"who am I", server.local_addr().unwrap())
        .unwrap();
    receive(server).expect("the server hears the client")
}

/// Who sent the next datagram; `None` where none comes.
pub(crate) fn receive(socket: &UdpSocket) -> Option<SocketAddr> {
    let received = socket.recv_from(&mut [0; 64]);
    received.ok().map(|(_, from)| from)
}

/// Who came to `client` of those that have sent already, `friend` excepted, who is let in at `outside`.
///
/// What the friend sends comes after all that; so no time tells that somebody was kept out. It needs two of them, because the
/// first may overtake what another leaf sent.
pub(crate) fn before_the_fence(
    client: &UdpSocket,
    friend: &UdpSocket,
    outside: SocketAddr,
) -> Vec<SocketAddr> {
    let friend_addr = friend.local_addr().unwrap();
    let mut came = Vec::new();
    for _ in 0..2 {
        friend.send_to(b"fence", outside).unwrap();
        loop {
            match receive(client).expect("a friend is let in") {
                from if from == friend_addr => break,
                from => came.push(from),
            }
        }
    }
    came
}

/// Nobody waits so long, but where something is broken.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// How long to wait for what should not come, where nothing that comes later can tell.
pub(crate) const SILENCE: Duration = Duration::from_millis(300);
