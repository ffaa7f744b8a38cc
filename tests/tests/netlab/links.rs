//! Links do what they are asked for, by the clock.

use std::{
    net::{SocketAddr, UdpSocket},
    thread,
    time::{Duration, Instant},
};

use crust::rt::now;
use crust_tests::netlab::{Host, Link, Loss};

use crate::{scene::Scene, tcp, udp};

/// Two leaves away: two links there, two back.
const RTT: Duration = Duration::from_millis(50);

fn link() -> Link {
    Link::default().with_delay(RTT / 4)
}

/// 10 Mbit/s: whoever receives can keep up, and its system does not drop what it has no room for.
fn paced() -> Link {
    Link::default().with_rate(1_250_000, 1 << 20)
}

/// The median of 41 round trips from `host` to the server.
fn median_rtt(scene: &Scene, host: &Host) -> Duration {
    let probe = udp::Probe::new(scene);
    let (client, server) = (udp::client(host), &probe.servers()[0]);
    let mut times: Vec<_> = (0..41).map(|_| rtt(&client, server)).collect();
    times.sort();
    times[times.len() / 2]
}

fn rtt(client: &UdpSocket, server: &UdpSocket) -> Duration {
    let start = now();
    let outside = udp::seen(client, server);
    server.send_to(b"pong", outside).unwrap();
    udp::receive(client).unwrap();
    now() - start
}

/// The median is what was asked for, in one of some series: a busy machine makes some of them late, and none early.
fn assert_rtt(scene: &Scene, host: &Host, asked: Duration) {
    let mut medians = Vec::new();
    for _ in 0..5 {
        let median = median_rtt(scene, host);
        eprintln!("{asked:?} asked for, {median:.2?} measured");
        if median.abs_diff(asked) <= Duration::from_millis(1) {
            return;
        }
        medians.push(median);
    }
    panic!("{medians:.2?}, not {asked:?}");
}

#[test]
fn fifty_ms_are_fifty_ms() {
    let Some(scene) = Scene::open_alone(link()) else {
        return;
    };
    assert_rtt(&scene, &scene.stranger, RTT);
}

#[test]
fn fifty_ms_are_fifty_ms_through_a_nat() {
    let Some(scene) = Scene::open_alone(link()) else {
        return;
    };
    let host = scene.lab.router("22.0.0.1").build().host();
    assert_rtt(&scene, &host, RTT);
}

#[test]
fn connection_takes_a_round_trip() {
    let Some(scene) = Scene::open_alone(link()) else {
        return;
    };
    let host = scene.lab.router("22.0.0.1").build().host();
    let to = scene.server_addrs()[0];
    let _listener = tcp::listen(&scene.server, to);
    let mut times = [Duration::ZERO; 9].map(|_| {
        let from = tcp::free_addr(&host);
        let start = now();
        tcp::dial(&host, from, to).unwrap();
        now() - start
    });
    times.sort();
    // Threads are started for it, and the router's address is asked for.
    assert!((RTT..RTT + RTT / 5).contains(&times[4]), "{times:?}");
}

#[test]
fn delay_changes_while_running() {
    let Some(scene) = Scene::open_alone(Link::default()) else {
        return;
    };
    let host = scene.lab.router("22.0.0.1").build().host();
    assert!(median_rtt(&scene, &host) < Duration::from_millis(5));
    host.uplink().set_link(Link::default().with_delay(RTT / 2));
    assert_rtt(&scene, &host, RTT);
    let slow_up = Link::default().with_delay(RTT / 5);
    host.uplink().set_links(slow_up, Link::default());
    assert_rtt(&scene, &host, RTT / 5);
}

/// When each of `count` numbered datagrams arrived that a stranger sent the server at once, in the order of arrival.
fn arrivals(scene: &Scene, count: u16, len: usize) -> Vec<(u16, Instant)> {
    let server = udp::bind(&scene.server, scene.server_addrs()[0]);
    let sender = udp::client(&scene.stranger);
    let target: SocketAddr = server.local_addr().unwrap();
    thread::scope(|scope| {
        let receiver = scope.spawn(|| {
            let mut arrivals = Vec::new();
            let mut buffer = [0; 2_048];
            loop {
                server.recv(&mut buffer).expect("the last is not lost");
                match u16::from_be_bytes([buffer[0], buffer[1]]) {
                    LAST => return arrivals,
                    number => arrivals.push((number, now())),
                }
            }
        });
        let before = scene.stranger.uplink().up_counters().sent;
        let mut datagram = vec![0; len];
        for number in 0..count {
            datagram[..2].copy_from_slice(&number.to_be_bytes());
            sender.send_to(&datagram, target).unwrap();
        }
        // Behind all others, even those that are held back; once they are under way, so that none has this link.
        let uplink = scene.stranger.uplink();
        while uplink.up_counters().sent < before + u64::from(count) {
            thread::sleep(Duration::from_millis(1));
        }
        uplink.set_link(Link::default().with_delay(BEHIND));
        sender.send_to(&LAST.to_be_bytes(), target).unwrap();
        receiver.join().unwrap()
    })
}

#[test]
fn loss_is_as_asked() {
    let loss = paced().with_loss(Loss::Random(0.1));
    let Some(scene) = Scene::open_alone(Link::default()) else {
        return;
    };
    scene.stranger.uplink().set_link(loss);
    let arrived = arrivals(&scene, 1_000, 100).len();
    // Four standard deviations; the dice are the same each time.
    assert!(
        (862..938).contains(&arrived),
        "{arrived} of 1000 with 10 % loss"
    );
}

#[test]
fn rate_is_as_asked() {
    let Some(scene) = Scene::open_alone(Link::default()) else {
        return;
    };
    scene.stranger.uplink().set_link(paced());
    let arrivals = arrivals(&scene, 1_000, 200);
    assert_eq!(arrivals.len(), 1_000);
    let took = arrivals[999].1 - arrivals[0].1;
    // 228 bytes with the headers.
    let asked = Duration::from_secs_f64(999.0 * 228.0 / 1_250_000.0);
    let share = took.as_secs_f64() / asked.as_secs_f64();
    assert!((0.97..1.03).contains(&share), "{took:?}, not {asked:?}");
}

#[test]
fn full_queue_drops_the_tail() {
    let Some(scene) = Scene::open_alone(Link::default()) else {
        return;
    };
    let narrow = Link::default().with_rate(125_000, 10 * 228);
    scene.stranger.uplink().set_link(narrow);
    let arrived = arrivals(&scene, 100, 200).len();
    assert!((10..30).contains(&arrived), "{arrived} with room for ten");
}

#[test]
fn some_are_overtaken_where_asked() {
    let Some(scene) = Scene::open_alone(Link::default()) else {
        return;
    };
    let by = Duration::from_millis(20);
    scene
        .stranger
        .uplink()
        .set_link(paced().with_reorder(0.1, by));
    let arrivals = arrivals(&scene, 500, 100);
    assert_eq!(arrivals.len(), 500);
    let overtaken = arrivals.windows(2).filter(|it| it[0].0 > it[1].0).count();
    assert!(overtaken > 0);
}

#[test]
fn jitter_spreads_and_does_not_reorder() {
    let Some(scene) = Scene::open_alone(Link::default()) else {
        return;
    };
    let jitter = Duration::from_millis(20);
    scene
        .stranger
        .uplink()
        .set_link(paced().with_jitter(jitter));
    let probe = udp::Probe::new(&scene);
    let client = udp::client(&scene.stranger);
    let mut times: Vec<_> = (0..41).map(|_| rtt(&client, &probe.servers()[0])).collect();
    assert!(times.iter().max().unwrap() > &jitter);
    times.sort();
    assert!(times[40] - times[0] > jitter, "{times:?}");
    drop(probe);
    let numbers = arrivals(&scene, 500, 100);
    assert!(numbers.is_sorted_by_key(|(number, _)| *number));
}

const LAST: u16 = u16::MAX;
/// Longer than any packet here is held back.
const BEHIND: Duration = Duration::from_millis(50);
