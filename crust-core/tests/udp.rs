//! Ports on loopback.
#![cfg(feature = "udp")]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

use std::{
    collections::VecDeque,
    future::poll_fn,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use crust_core::{
    rt::{self, Task},
    udp::{
        BindError, Datagram, Ecn, Protocol, Registration, SendError, Transmit, UdpPort, UdpStats,
    },
};
use futures::{FutureExt, future::join_all};

#[test]
fn datagrams_reach_the_first_protocol_that_claims() {
    let port = Port::bind("127.0.0.1:0");
    let (first, second) = (Inbox::new(b"a"), Inbox::new(b""));
    let _held = [&first, &second].map(|inbox| port.register(inbox));
    let client = client();
    for data in ["a1", "b1", "a2", ""] {
        client.send_to(data.as_bytes(), port.addr()).unwrap();
    }
    block_on(async {
        assert_eq!(first.texts(2).await, ["a1", "a2"]);
        assert_eq!(second.texts(2).await, ["b1", ""]);
    });
    eventually(|| port.stats().received == 4);
    assert!(first.ends() > 0 && second.ends() > 0);
    assert_eq!(port.stats().unclaimed, 0);
}

#[test]
fn unclaimed_datagrams_are_counted_and_dropped() {
    let port = Port::bind("127.0.0.1:0");
    let inbox = Inbox::new(b"a");
    let _held = port.register(&inbox);
    for data in ["x", "y", "a"] {
        client().send_to(data.as_bytes(), port.addr()).unwrap();
    }
    block_on(inbox.texts(1));
    eventually(|| port.stats().received == 3);
    assert_eq!(port.stats().unclaimed, 2);
}

#[test]
fn burst_arrives_as_single_datagrams() {
    let (sender, port) = (Port::bind("127.0.0.1:0"), Port::bind("127.0.0.1:0"));
    let inbox = Inbox::new(b"");
    let _held = port.register(&inbox);
    let data: Vec<u8> = (0..=u8::MAX).cycle().take(200 * 100 + 7).collect();
    let transmit = Transmit::new(port.addr(), &data).with_segment_size(100);
    block_on(async {
        sender.udp.send(&transmit).await.unwrap();
        let got = inbox.take(201).await;
        let expected: Vec<_> = data.chunks(100).collect();
        assert!(got.iter().map(|(_, data)| data).eq(expected));
    });
    assert!(inbox.ends() <= 201);
}

#[test]
fn mark_and_local_address_come_along() {
    let (sender, port) = (Port::bind("127.0.0.1:0"), Port::bind("0.0.0.0:0"));
    let seen = Arc::new(Seen::default());
    let _held = port.udp.register(seen.clone()).unwrap();
    let to = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port.addr().port());
    let transmit = Transmit::new(to, b"marked").with_ecn(Ecn::Ect0);
    sender.udp.try_send(&transmit).unwrap();
    eventually(|| seen.0.lock().unwrap().is_some());
    let (ecn, local) = seen.0.lock().unwrap().unwrap();
    // Systems tell what they can.
    assert!(matches!(ecn, Some(Ecn::Ect0) | None));
    assert!(local.is_none_or(|local| local == to.ip()));
    if cfg!(target_os = "linux") {
        assert!(ecn.is_some() && local.is_some());
    }
}

#[test]
fn dual_stack_port_shows_and_reaches_ipv4_as_such() {
    let port = Port::bind("[::]:0");
    let inbox = Inbox::new(b"");
    let _held = port.register(&inbox);
    let number = port.addr().port();
    let mut clients = vec![(
        client(),
        SocketAddr::new(Ipv4Addr::LOCALHOST.into(), number),
    )];
    if port.addr().is_ipv6()
        && let Ok(client) = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0))
    {
        clients.push((client, SocketAddr::new(Ipv6Addr::LOCALHOST.into(), number)));
    }
    for (client, to) in clients {
        client.send_to(b"there", to).unwrap();
        let (from, _) = block_on(inbox.take(1)).remove(0);
        assert_eq!(from, client.local_addr().unwrap());
        let back = Transmit::new(from, b"back").with_from(to.ip());
        block_on(port.udp.send(&back)).unwrap();
        assert_eq!(receive(&client), (b"back".to_vec(), to));
    }
}

#[test]
fn too_long_a_datagram_is_told_from_other_errors() {
    let port = Port::bind("127.0.0.1:0");
    let send = |to: &str, data: &[u8]| {
        let to = to.parse().unwrap();
        port.udp.try_send(&Transmit::new(to, data)).unwrap_err()
    };
    let error = send("127.0.0.1:9", &[0; 65_536]);
    assert!(matches!(error, SendError::TooLong { .. }), "{error}");
    let error = send("[2001:db8::1]:9", b"no IPv6 here");
    assert!(matches!(error, SendError::Unreachable { .. }), "{error}");
}

#[test]
fn port_survives_that_nobody_listens_there() {
    let port = Port::bind("127.0.0.1:0");
    let inbox = Inbox::new(b"");
    let _held = port.register(&inbox);
    let closed = client().local_addr().unwrap();
    for _ in 0..10 {
        let _ = port.udp.try_send(&Transmit::new(closed, b"nobody"));
    }
    client().send_to(b"alive", port.addr()).unwrap();
    assert_eq!(block_on(inbox.texts(1)), ["alive"]);
}

#[test]
fn all_who_wait_for_room_go_on() {
    let port = Port::bind("127.0.0.1:0");
    let waits: Vec<_> = (0..100)
        .map(|_| {
            let udp = port.udp.clone();
            rt::spawn(async move {
                // Again and again: no wait ends another's.
                for _ in 0..10 {
                    udp.writable().await.unwrap();
                }
            })
        })
        .collect();
    for result in block_on(join_all(waits)) {
        result.unwrap();
    }
}

#[test]
fn wait_that_was_dropped_ends_no_other() {
    let port = Port::bind("127.0.0.1:0");
    let mut dropped = port.udp.writable();
    let mut kept = port.udp.writable();
    block_on(poll_fn(|cx| {
        // Whether it is pending yet says nothing here.
        let _ = dropped.poll_unpin(cx);
        Poll::Ready(())
    }));
    drop(dropped);
    block_on(&mut kept).unwrap();
    block_on(kept).unwrap();
}

/// Not on Windows, where a port may be free only a moment after its socket was closed (seen under Wine): another is taken
/// then, as is said.
#[cfg(unix)]
#[test]
fn rebinding_keeps_the_port_and_everybody_goes_on() {
    let port = Port::bind("127.0.0.1:0");
    let inbox = Inbox::new(b"");
    let _held = port.register(&inbox);
    let (addr, client) = (port.addr(), client());
    client.send_to(b"before", addr).unwrap();
    assert_eq!(block_on(inbox.texts(1)), ["before"]);
    let ended = Arc::new(AtomicBool::new(false));
    let sending = send_until(&ended, port.udp.clone(), client.local_addr().unwrap());
    for generation in 1..=20 {
        assert_eq!(port.udp.rebind().unwrap(), addr);
        assert_eq!(port.udp.generation(), generation);
        client.send_to(b"after", addr).unwrap();
        assert_eq!(block_on(inbox.texts(1)), ["after"]);
        assert_eq!(receive(&client).1, addr);
    }
    ended.store(true, Ordering::SeqCst);
    block_on(sending).unwrap();
    eventually(|| port.stats().received == 21);
}

#[test]
fn rebinding_wakes_who_waits_to_send() {
    let port = Port::bind("127.0.0.1:0");
    let mut wait = port.udp.writable();
    let polled = wait.poll_unpin(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending());
    port.udp.rebind().unwrap();
    block_on(wait).unwrap();
}

#[test]
fn port_in_use_is_told() {
    let port = Port::bind("127.0.0.1:0");
    let error = UdpPort::bind(port.addr()).unwrap_err();
    assert!(matches!(error, BindError::InUse { addr } if addr == port.addr()));
}

#[test]
fn buffers_are_those_of_the_system() {
    let port = Port::bind("127.0.0.1:0");
    let sizes = port.udp.buffer_sizes().unwrap();
    assert!(sizes.receive_bytes > 0 && sizes.send_bytes > 0);
}

/// A raw socket sees the header of each datagram on loopback; without the right to have one there is nothing to test.
#[cfg(target_os = "linux")]
#[test]
fn only_the_datagram_sent_with_a_ttl_has_it() {
    use socket2::{Domain, Protocol, Socket, Type};

    let Ok(raw) = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::UDP)) else {
        return eprintln!("skipped: no right to a raw socket");
    };
    raw.set_read_timeout(Some(LIMIT)).unwrap();
    let raw = UdpSocket::from(raw);
    for addr in ["127.0.0.1:0", "[::]:0"] {
        let port = Port::bind(addr);
        let client = client();
        let to = client.local_addr().unwrap();
        let ended = Arc::new(AtomicBool::new(false));
        let sending = send_until(&ended, port.udp.clone(), to);
        let mut near = 0;
        for _ in 0..50 {
            port.udp.try_send_with_ttl(to, b"near", 3).unwrap();
            // The raw socket hears the other tests too, and loses what it has no room for.
            for _ in 0..1_000 {
                let mut packet = [0; 2_048];
                let (len, _) = raw.recv_from(&mut packet).unwrap();
                let (ttl, payload) = (packet[8], &packet[28..len]);
                if packet[22..24] != to.port().to_be_bytes() {
                    continue;
                }
                assert_eq!(ttl == 3, payload == b"near", "TTL {ttl} of {payload:?}");
                if ttl == 3 {
                    near += 1;
                    break;
                }
            }
        }
        assert!(near > 0);
        ended.store(true, Ordering::SeqCst);
        block_on(sending).unwrap();
    }
}

/// Runs itself in a network namespace whose loopback is slow: a socket there fills, as one on a real network does.
#[cfg(target_os = "linux")]
#[test]
fn full_socket_loses_nothing_and_lets_nobody_wait_for_ever() {
    use std::process::Command;

    const INSIDE: &str = "CRUST_SLOW_LOOPBACK";
    if std::env::var_os(INSIDE).is_some() {
        return fill_a_slow_loopback();
    }
    let name = "full_socket_loses_nothing_and_lets_nobody_wait_for_ever";
    let link =
        "ip link set lo up && tc qdisc add dev lo root tbf rate 100mbit burst 64kb latency 10s";
    let script = format!("{{ {link}; }} || exit 77; exec \"$0\" --exact {name}");
    let mut inside = Command::new("unshare");
    inside.args(["--net", "sh", "-c", &script]);
    inside
        .arg(std::env::current_exe().unwrap())
        .env(INSIDE, "1");
    let output = inside.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(77) || told.starts_with("unshare:") {
        assert!(std::env::var_os("NETLAB_REQUIRED").is_none(), "{told}");
        return eprintln!("skipped: no slow loopback: {told}");
    }
    assert!(output.status.success(), "{output:?}");
}

#[cfg(target_os = "linux")]
fn fill_a_slow_loopback() {
    let (sender, port) = (Port::bind("127.0.0.1:0"), Port::bind("127.0.0.1:0"));
    let (inbox, full) = (Inbox::new(b""), Arc::new(AtomicUsize::new(0)));
    let _held = port.register(&inbox);
    let to = port.addr();
    let senders: Vec<_> = (0..20_u8)
        .map(|number| {
            let (udp, full) = (sender.udp.clone(), full.clone());
            rt::spawn(async move {
                let data = vec![number; 400 * 1_200];
                let mut transmit = Transmit::new(to, &data).with_segment_size(1_200);
                while !transmit.data.is_empty() {
                    match udp.try_send(&transmit) {
                        Ok(sent) => transmit.data = &transmit.data[sent..],
                        Err(SendError::Full { .. }) => {
                            full.fetch_add(1, Ordering::SeqCst);
                            udp.writable().await.unwrap();
                        }
                        Err(error) => panic!("{error}"),
                    }
                }
            })
        })
        .collect();
    let mut got = block_on(inbox.take(20 * 400));
    for sent in block_on(join_all(senders)) {
        sent.unwrap();
    }
    assert!(full.load(Ordering::SeqCst) > 0, "the socket was never full");
    got.sort_by(|(_, one), (_, other)| one.cmp(other));
    for (number, datagrams) in (0..20).zip(got.chunks(400)) {
        assert!(datagrams.iter().all(|(_, data)| data == &[number; 1_200]));
    }
}

/// A port whose driver runs.
struct Port {
    udp: UdpPort,
    _driver: Task<()>,
}

impl Port {
    fn bind(addr: &str) -> Self {
        let (udp, driver) = UdpPort::bind(addr.parse().unwrap()).unwrap();
        Self {
            udp,
            _driver: rt::spawn(driver.run()),
        }
    }

    fn register(&self, inbox: &Arc<Inbox>) -> Registration {
        self.udp.register(inbox.clone()).unwrap()
    }

    fn addr(&self) -> SocketAddr {
        self.udp.local_addr()
    }

    fn stats(&self) -> UdpStats {
        self.udp.stats()
    }
}

/// Claims what begins with its prefix, and keeps it.
#[derive(Debug)]
struct Inbox {
    prefix: &'static [u8],
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    datagrams: VecDeque<(SocketAddr, Vec<u8>)>,
    ends: usize,
    reader: Option<Waker>,
}

impl Inbox {
    fn new(prefix: &'static [u8]) -> Arc<Self> {
        let state = Mutex::default();
        Arc::new(Self { prefix, state })
    }

    /// Waits for `count` datagrams, and takes them.
    async fn take(&self, count: usize) -> Vec<(SocketAddr, Vec<u8>)> {
        poll_fn(|cx| {
            let mut state = self.state.lock().unwrap();
            if state.datagrams.len() < count {
                state.reader = Some(cx.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(state.datagrams.drain(..count).collect())
        })
        .await
    }

    async fn texts(&self, count: usize) -> Vec<String> {
        let taken = self.take(count).await;
        let text = |(_, data)| String::from_utf8(data).unwrap();
        taken.into_iter().map(text).collect()
    }

    fn ends(&self) -> usize {
        self.state.lock().unwrap().ends
    }
}

impl Protocol for Inbox {
    fn claim(&self, datagram: &Datagram<'_>) -> bool {
        datagram.data.starts_with(self.prefix)
    }

    fn handle(&self, _: Instant, datagram: &Datagram<'_>) {
        let mut state = self.state.lock().unwrap();
        state
            .datagrams
            .push_back((datagram.from, datagram.data.to_vec()));
    }

    fn handle_batch_end(&self, _: Instant) {
        let mut state = self.state.lock().unwrap();
        state.ends += 1;
        state.reader.take().into_iter().for_each(Waker::wake);
    }
}

/// Keeps the mark and the local address of the last datagram.
#[derive(Debug, Default)]
struct Seen(Mutex<Option<(Option<Ecn>, Option<IpAddr>)>>);

impl Protocol for Seen {
    fn claim(&self, _: &Datagram<'_>) -> bool {
        true
    }

    fn handle(&self, _: Instant, datagram: &Datagram<'_>) {
        *self.0.lock().unwrap() = Some((datagram.ecn, datagram.to));
    }
}

/// Sends to `to` in short bursts until `ended`, whatever becomes of it.
fn send_until(ended: &Arc<AtomicBool>, udp: UdpPort, to: SocketAddr) -> Task<()> {
    let ended = ended.clone();
    rt::spawn(async move {
        while !ended.load(Ordering::SeqCst) {
            for _ in 0..16 {
                udp.send(&Transmit::new(to, b"busy")).await.unwrap();
            }
            rt::sleep(Duration::from_millis(1)).await;
        }
    })
}

fn client() -> UdpSocket {
    let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    client.set_read_timeout(Some(LIMIT)).unwrap();
    client
}

fn receive(client: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0; 2_048];
    let (len, from) = client.recv_from(&mut buffer).unwrap();
    (buffer[..len].to_vec(), from)
}

fn eventually(holds: impl Fn() -> bool) {
    block_on(async {
        while !holds() {
            rt::sleep(Duration::from_millis(1)).await;
        }
    });
}

fn block_on<F: Future>(future: F) -> F::Output {
    rt::block_on(rt::timeout(LIMIT, future)).expect("it happens in time")
}

/// A test that waits longer has failed.
const LIMIT: Duration = Duration::from_secs(20);

#[test]
fn address_of_a_closed_port_is_free_whoever_has_clones() {
    for _ in 0..100 {
        let (port, driver) = UdpPort::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let task = rt::spawn(driver.run());
        let addr = port.local_addr();
        port.close();
        eventually(|| UdpPort::bind(addr).is_ok());
        assert!(matches!(
            port.try_send(&Transmit::new(addr, b"late")),
            Err(SendError::Io { .. })
        ));
        assert!(port.rebind().is_err());
        // It ends, though nobody cancels it.
        rt::block_on(async { rt::timeout(Duration::from_secs(5), task).await })
            .unwrap()
            .unwrap();
    }
}
