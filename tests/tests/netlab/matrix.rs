//! Who gets through to whom when both send at once, as tables: `cargo test -p crust-tests matrix -- --nocapture`.
//!
//! Bare sockets, no library: this is what hole punching can reach between NATs of each kind, with an external address learned from
//! one server, and an answer to wherever a packet really came from.

use std::{
    fmt::Write,
    net::{SocketAddr, TcpListener, UdpSocket},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use crust_tests::netlab::{Filtering, Host, Link, Mapping, Nat, Router};

use crate::{scene::Scene, tcp, udp};

/// A kind of place to be, and its name in the tables; `None` is a public host.
type Kind = (&'static str, Option<Nat>);

fn kinds() -> Vec<Kind> {
    let named = Nat::NAMED.map(|(name, nat)| (name, Some(nat)));
    [("public", None)].into_iter().chain(named).collect()
}

/// Two hosts of each kind.
struct Places {
    scene: Scene,
    hosts: Vec<[Host; 2]>,
    _routers: Vec<Router>,
}

impl Places {
    fn open() -> Option<Self> {
        let mut scene = Scene::open()?;
        // One way takes 20 ms: first packets cross.
        let link = Link::default().with_delay(Duration::from_millis(10));
        scene.lab.set_link(link);
        let mut routers = Vec::new();
        let hosts = kinds().into_iter().enumerate().map(|(number, (_, nat))| {
            [22, 33].map(|net| match nat {
                None => scene.lab.public(&[&format!("{net}.0.{number}.1")]),
                Some(nat) => {
                    let wan = format!("{net}.0.{number}.1");
                    let router = scene.lab.router(&wan).with_nat(nat).build();
                    let host = router.host();
                    routers.push(router);
                    host
                }
            })
        });
        let hosts = hosts.collect();
        Some(Self {
            scene,
            hosts,
            _routers: routers,
        })
    }

    /// Tries every pair, a few at a time, and compares with what the words of RFC 4787 say.
    fn assert_as_expected(&self, title: &str, meets: impl Fn(&Host, &Host) -> bool + Sync) {
        let kinds = kinds();
        let size = kinds.len();
        let next = AtomicUsize::new(0);
        let mut met = vec![false; size * size];
        let found = thread::scope(|scope| {
            let worker = || {
                let mut found = Vec::new();
                loop {
                    let pair = next.fetch_add(1, Ordering::Relaxed);
                    if pair >= size * size {
                        return found;
                    }
                    let (a, b) = (pair / size, pair % size);
                    found.push((pair, meets(&self.hosts[a][0], &self.hosts[b][1])));
                }
            };
            let workers = [(); WORKERS].map(|()| scope.spawn(worker));
            workers.map(|worker| worker.join().unwrap()).concat()
        });
        for (pair, has_met) in found {
            met[pair] = has_met;
        }
        let expected: Vec<_> = (0..size * size)
            .map(|pair| can_meet(kinds[pair / size].1, kinds[pair % size].1))
            .collect();
        eprintln!("{}", table(title, &kinds, &met));
        assert_eq!(
            met,
            expected,
            "expected:\n{}",
            table(title, &kinds, &expected)
        );
    }
}

/// Where a mapping depends on the destination, the other side's packets go to a port that is not the one it will see. They meet where that
/// other side lets in whoever has its address.
fn can_meet(a: Option<Nat>, b: Option<Nat>) -> bool {
    let is_moving =
        |nat: Option<Nat>| nat.is_some_and(|nat| nat.mapping == Mapping::AddressAndPortDependent);
    let is_strict = |nat: Option<Nat>| {
        nat.is_some_and(|nat| nat.filtering == Filtering::AddressAndPortDependent)
    };
    !(is_moving(a) && is_strict(b) || is_moving(b) && is_strict(a))
}

/// Rows have names and numbers, columns the numbers alone.
fn table(title: &str, kinds: &[Kind], met: &[bool]) -> String {
    let mut text = format!("\n{title:<26}");
    for number in 1..=kinds.len() {
        write!(text, "{number:>5}").unwrap();
    }
    for (number, (row, (name, _))) in met.chunks(kinds.len()).zip(kinds).enumerate() {
        write!(text, "\n{:>3}  {name:<21}", number + 1).unwrap();
        for has_met in row {
            write!(text, "{:>5}", if *has_met { "yes" } else { "-" }).unwrap();
        }
    }
    text + "\n"
}

#[test]
fn udp_matrix_is_what_the_words_say() {
    let Some(places) = Places::open() else { return };
    let server = udp::bind(&places.scene.server, places.scene.server_addrs()[0]);
    let server = std::sync::Mutex::new(server);
    places.assert_as_expected("UDP, both send", |a, b| {
        let sockets = [udp::client(a), udp::client(b)];
        let outside = {
            let server = server.lock().unwrap();
            sockets.each_ref().map(|socket| udp::seen(socket, &server))
        };
        meet_over_udp(&sockets, outside)
    });
}

/// Each sends to where the other was seen, and answers wherever something comes from.
fn meet_over_udp(sockets: &[UdpSocket; 2], outside: [SocketAddr; 2]) -> bool {
    let mut heard = [false; 2];
    for socket in sockets {
        socket
            .set_read_timeout(Some(Duration::from_millis(5)))
            .unwrap();
    }
    for _ in 0..ROUNDS {
        sockets[0].send_to(b"punch", outside[1]).unwrap();
        sockets[1].send_to(b"punch", outside[0]).unwrap();
        let until = crust_core::rt::now() + ROUND;
        while crust_core::rt::now() < until && heard != [true; 2] {
            for (socket, heard) in sockets.iter().zip(&mut heard) {
                if let Some(from) = udp::receive(socket) {
                    *heard = true;
                    socket.send_to(b"heard", from).unwrap();
                }
            }
        }
        if heard == [true; 2] {
            return true;
        }
    }
    false
}

#[test]
fn tcp_matrix_is_what_the_words_say() {
    let Some(places) = Places::open() else { return };
    let server = tcp::listen(&places.scene.server, places.scene.server_addrs()[0]);
    let server = std::sync::Mutex::new(server);
    places.assert_as_expected("TCP, both dial", |a, b| {
        let ends = [a, b].map(|host| {
            let inside = tcp::free_addr(host);
            let listener = tcp::listen(host, inside);
            let link = tcp::Link::dial(host, inside, &server.lock().unwrap());
            (host, inside, listener, link)
        });
        let [first, second] = &ends;
        let dial = |one: &End<'_>, other: &End<'_>| tcp::dial(one.0, one.1, other.3.seen).is_ok();
        thread::scope(|scope| {
            let one = scope.spawn(|| dial(first, second));
            let other = dial(second, first);
            one.join().unwrap() | other
        })
    });
}

/// One side: its host, its port, what listens there, and the connection by which its external address is known.
type End<'a> = (&'a Host, SocketAddr, TcpListener, tcp::Link);

/// Pairs at a time: they wait more than they work.
const WORKERS: usize = 8;
/// Each longer than a packet and its answer take.
const ROUND: Duration = Duration::from_millis(60);
const ROUNDS: usize = 6;
