//! STUN over the sockets of this machine's loopback.

#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

use std::{
    future::Future,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Waker},
    time::{Duration, Instant},
};

use crust_core::{
    Addr, Connection, DialOpts, Transport, rt,
    udp::{Datagram, Protocol, UdpPort},
};
use crust_nat::stun::{
    Request, Retransmission, ServerConfig, Stun, StunConfig, StunError, StunServer, TransactionId,
    tcp,
    wire::{Attribute, Class, Message, MessageWriter, Method},
};
use crust_tcp::TcpTransport;
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};

/// A node's port, with STUN on it.
struct Node {
    stun: Stun,
    _driver: rt::Task<()>,
}

impl Node {
    fn new(config: StunConfig) -> Self {
        let (port, driver) = UdpPort::bind(any()).unwrap();
        Self {
            stun: Stun::new(&port, config).unwrap(),
            _driver: rt::spawn(driver.run()),
        }
    }

    fn addr(&self) -> SocketAddr {
        self.stun.local_addr()
    }
}

fn any() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

/// A server that a test plays itself.
fn raw() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind(any()).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    let addr = socket.local_addr().unwrap();
    (socket, addr)
}

/// Waits for a request; gives its transaction and who sent it.
fn request_at(socket: &UdpSocket) -> (TransactionId, SocketAddr) {
    let mut buffer = [0; 1_500];
    let (len, from) = socket.recv_from(&mut buffer).unwrap();
    let message = Message::decode(&buffer[..len]).unwrap();
    assert_eq!(message.class(), Class::Request);
    (message.transaction_id(), from)
}

fn answer(id: TransactionId, observed: SocketAddr) -> Vec<u8> {
    MessageWriter::new(Class::Success, Method::BINDING, id)
        .with(&Attribute::XorMappedAddress(observed))
        .into_bytes()
}

fn run<F: Future>(future: F) -> F::Output {
    rt::block_on(rt::timeout(LIMIT, future)).expect("it ends in time")
}

/// A slow machine with other work takes its time.
const LIMIT: Duration = Duration::from_secs(30);
/// For those who get no answer.
const SHORT: Retransmission = Retransmission {
    rto: Duration::from_millis(5),
    max_requests: 2,
    last_wait: 2,
};

#[test]
fn nodes_tell_each_other_their_addresses() {
    let [here, there] = [(); 2].map(|()| Node::new(StunConfig::default()));
    for (asker, asked) in [(&here, &there), (&there, &here)] {
        let binding = run(asker.stun.binding(asked.addr())).unwrap();
        assert_eq!(binding.observed_addr, asker.addr());
        assert_eq!(binding.answered_from, asked.addr());
        assert_eq!(binding.other_addr, None);
    }
}

#[test]
fn node_that_serves_nobody_does_not_answer() {
    let silent = Node::new(StunConfig::default().with_server(None));
    let config = StunConfig::default().with_retransmission(SHORT);
    let error = run(Node::new(config).stun.binding(silent.addr())).unwrap_err();
    assert!(
        matches!(error, StunError::TimedOut { requests: 2, .. }),
        "{error}"
    );
}

#[test]
fn many_requests_go_on_at_once() {
    let (here, there) = (
        Node::new(StunConfig::default()),
        Node::new(StunConfig::default()),
    );
    let requests = (0..50).map(|_| here.stun.binding(there.addr()));
    let bindings = run(futures::future::join_all(requests));
    assert!(bindings.iter().all(Result::is_ok));
    assert_eq!(there.stun.stats().server.answered, 50);
}

#[test]
fn forged_answers_are_counted_and_the_right_one_is_taken() {
    let node = Node::new(StunConfig::default());
    let ((server, server_addr), (other, _)) = (raw(), raw());
    let forged = "198.51.100.9:9".parse().unwrap();
    let script = move || {
        let (id, from) = request_at(&server);
        let wrong_id = TransactionId::new([0; 12]);
        server.send_to(&answer(wrong_id, forged), from).unwrap();
        other.send_to(&answer(id, forged), from).unwrap();
        // Loopback keeps the order of what one thread sends to one socket.
        server.send_to(&answer(id, from), from).unwrap();
    };
    let playing = std::thread::spawn(script);
    let binding = run(node.stun.binding(server_addr)).unwrap();
    playing.join().unwrap();
    assert_eq!(binding.observed_addr, node.addr());
    assert_eq!(node.stun.stats().strays, 2);
}

#[test]
fn request_that_is_lost_is_sent_again() {
    let node = Node::new(StunConfig::default().with_retransmission(SHORT));
    let (server, server_addr) = raw();
    let script = move || {
        let first = request_at(&server);
        let second = request_at(&server);
        assert_eq!(first, second);
        server
            .send_to(&answer(second.0, second.1), second.1)
            .unwrap();
    };
    let playing = std::thread::spawn(script);
    // It may be given up on a slow machine before the answer comes: the server saw two requests all the same.
    if let Ok(binding) = run(node.stun.binding(server_addr)) {
        assert_eq!(binding.rtt, None);
    }
    playing.join().unwrap();
}

#[test]
fn request_nobody_waits_for_is_given_up() {
    let node = Node::new(StunConfig::default());
    let (server, server_addr) = raw();
    {
        let asking = pin!(node.stun.binding(server_addr));
        let polled = asking.poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
    }
    let (id, from) = request_at(&server);
    server.send_to(&answer(id, from), from).unwrap();
    // The answer is in before that of another request.
    let there = Node::new(StunConfig::default());
    while node.stun.stats().strays == 0 {
        run(node.stun.binding(there.addr())).unwrap();
    }
    assert_eq!(node.stun.stats().strays, 1);
}

#[test]
fn request_that_cannot_be_sent_ends_at_once() {
    let node = Node::new(StunConfig::default());
    let ipv6 = "[2001:db8::1]:3478".parse().unwrap();
    let error = run(node.stun.binding(ipv6)).unwrap_err();
    assert!(matches!(error, StunError::Send { .. }), "{error}");
}

/// Claims what uTP would: the version in the low half of the first byte.
#[derive(Debug, Default)]
struct LooksLikeUtp(Mutex<Vec<Vec<u8>>>);

impl Protocol for LooksLikeUtp {
    fn claim(&self, datagram: &Datagram<'_>) -> bool {
        datagram.data.len() >= 20 && datagram.data[0] & 0x0f == 1 && datagram.data[0] >> 4 <= 4
    }

    fn handle(&self, _: Instant, datagram: &Datagram<'_>) {
        self.0.lock().unwrap().push(datagram.data.to_vec());
    }
}

#[test]
fn stun_takes_its_own_from_a_shared_port_and_leaves_the_rest() {
    let there = Node::new(StunConfig::default());
    let (port, driver) = UdpPort::bind(any()).unwrap();
    let utp = Arc::<LooksLikeUtp>::default();
    let _registration = port.register(utp.clone()).unwrap();
    let here = Node {
        stun: Stun::new(&port, StunConfig::default()).unwrap(),
        _driver: rt::spawn(driver.run()),
    };
    let (socket, _) = raw();
    // Data with a selective acknowledgement: the first two bytes of an answer to a binding request.
    let mut packet = vec![0x01, 0x01];
    packet.resize(40, 0);
    socket.send_to(&packet, here.addr()).unwrap();
    while utp.0.lock().unwrap().is_empty() {
        // The answer begins with the same two bytes.
        run(here.stun.binding(there.addr())).unwrap();
    }
    assert_eq!(*utp.0.lock().unwrap(), [packet]);
}

#[test]
fn what_only_looks_like_stun_is_counted() {
    let (here, there) = (
        Node::new(StunConfig::default()),
        Node::new(StunConfig::default()),
    );
    let (socket, _) = raw();
    let id = TransactionId::new([1; 12]);
    let mut bytes = Request::new(here.addr()).encode(id);
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    socket.send_to(&bytes, here.addr()).unwrap();
    while here.stun.stats().malformed == 0 {
        run(here.stun.binding(there.addr())).unwrap();
    }
    assert_eq!(here.stun.stats().server.answered, 0);
}

fn tcp_transport() -> Arc<dyn Transport> {
    Arc::new(TcpTransport::new())
}

async fn dial(server: SocketAddr) -> Connection {
    let addr = Addr::from_socket_addr("tcp", server);
    let (transport, opts) = (TcpTransport::new(), DialOpts::default());
    transport.dial(&addr, &opts).await.unwrap()
}

#[test]
fn tcp_tells_the_address_of_the_connection() {
    run(async {
        let mut server = StunServer::bind(any(), ServerConfig::default()).unwrap();
        server.listen(&tcp_transport(), "tcp").await.unwrap();
        let mut connection = dial(server.local_addr()).await;
        for _ in 0..2 {
            let binding = tcp::binding(&mut connection).await.unwrap();
            let local = Addr::from_socket_addr("tcp", binding.observed_addr);
            assert_eq!(local, *connection.local_addr());
        }
    });
}

#[test]
fn tcp_server_hangs_up_on_what_is_not_stun() {
    run(async {
        let mut server = StunServer::bind(any(), ServerConfig::default()).unwrap();
        server.listen(&tcp_transport(), "tcp").await.unwrap();
        let mut connection = dial(server.local_addr()).await;
        connection
            .write_all(b"GET / HTTP/1.1\r\n\r\nXX")
            .await
            .unwrap();
        let mut rest = Vec::new();
        let _ = connection.read_to_end(&mut rest).await;
        assert!(rest.is_empty());
    });
}

#[test]
fn tcp_client_tells_what_is_not_stun() {
    run(async {
        let transport = TcpTransport::new();
        let any = Addr::from_socket_addr("tcp", any());
        let mut listener = transport.listen(&any).await.unwrap();
        let local = listener.local_addr().clone();
        let dialed = async {
            let opts = DialOpts::default();
            transport.dial(&local, &opts).await.unwrap()
        };
        let accepted = async {
            listener
                .next()
                .await
                .unwrap()
                .unwrap()
                .accept()
                .await
                .unwrap()
        };
        let (mut here, mut there) = futures::future::join(dialed, accepted).await;
        there
            .write_all(b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n")
            .await
            .unwrap();
        let error = tcp::binding(&mut here).await.unwrap_err();
        assert!(matches!(error, tcp::StreamError::NotStun { .. }), "{error}");
    });
}

/// Other addresses than 127.0.0.1 are loopback on Linux without further ado.
#[cfg(target_os = "linux")]
mod two_addresses {
    use crust_nat::{
        behaviour::{self, Filtering, Mapping},
        stun::Change,
    };

    use super::*;

    fn server() -> StunServer {
        let ips = [
            Ipv4Addr::new(127, 0, 0, 1).into(),
            Ipv4Addr::new(127, 0, 0, 2).into(),
        ];
        StunServer::bind_places(ips, [0, 0], ServerConfig::default()).unwrap()
    }

    #[test]
    fn server_answers_from_where_it_is_asked_to() {
        let server = server();
        let node = Node::new(StunConfig::default());
        let [primary, other_port, other_ip, both] =
            <[_; 4]>::try_from(server.local_addrs().collect::<Vec<_>>()).unwrap();
        let ip = Change {
            ip: true,
            port: false,
        };
        let changes = [
            (Change::NONE, primary),
            (Change::PORT, other_port),
            (ip, other_ip),
            (Change::BOTH, both),
        ];
        for (change, from) in changes {
            let request = Request::new(primary).with_change(change);
            let binding = run(node.stun.request(request)).unwrap();
            assert_eq!(binding.answered_from, from, "{change:?}");
            assert_eq!(binding.other_addr, Some(both));
            assert_eq!(binding.observed_addr, node.addr());
        }
    }

    #[test]
    fn host_without_nat_and_firewall_is_known_as_that() {
        let server = server();
        let node = Node::new(StunConfig::default());
        let behaviour = run(behaviour::discover(&node.stun, server.local_addr())).unwrap();
        assert_eq!(behaviour.is_translated, Some(false));
        assert_eq!(behaviour.mapping, Some(Mapping::EndpointIndependent));
        assert_eq!(behaviour.filtering, Some(Filtering::EndpointIndependent));
    }

    #[test]
    fn four_places_are_served_over_tcp_too() {
        run(async {
            let mut server = server();
            server.listen(&tcp_transport(), "tcp").await.unwrap();
            let both = server.local_addrs().last();
            let mut places = 0;
            for place in server.local_addrs() {
                let binding = tcp::binding(&mut dial(place).await).await.unwrap();
                assert!(binding.other_addr.is_some());
                places += usize::from(binding.other_addr == both && place == server.local_addr());
            }
            assert_eq!(places, 1);
        });
    }
}
