//! Mappings are kept as long as asked for, and no longer.

use std::{
    io::{Read, Write},
    thread,
    time::Duration,
};

use crust_tests::netlab::{Allocation, Filtering, Host, Mapping, Nat};

use crate::{scene::Scene, tcp, udp};

/// Ports tell whether a mapping is a new one.
const NAT: Nat = Nat::new(
    Mapping::EndpointIndependent,
    Filtering::AddressAndPortDependent,
    Allocation::Random,
);
const LIFETIME: Duration = Duration::from_secs(2);
/// Within the lifetime, and beyond it. Time itself is what is tested here.
const SHORT: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_millis(3_500);

fn host(scene: &Scene) -> Host {
    let router = scene.lab.router("22.0.0.1").with_nat(NAT);
    router.with_mapping_lifetime(LIFETIME).build().host()
}

#[test]
fn idle_udp_mapping_ends_with_its_lifetime() {
    let Some(scene) = Scene::open() else { return };
    let host = host(&scene);
    let probe = udp::Probe::new(&scene);
    let server = &probe.servers()[0];
    let client = udp::client(&host);
    let outside = udp::seen(&client, server);

    thread::sleep(SHORT);
    server.send_to(b"still there", outside).unwrap();
    assert_eq!(udp::receive(&client), server.local_addr().ok());

    thread::sleep(LONG);
    server.send_to(b"too late", outside).unwrap();
    let again = udp::seen(&client, server);
    assert_ne!(again, outside);
    assert_eq!(udp::before_the_fence(&client, server, again), []);
    server.send_to(b"hello", again).unwrap();
    let mut last = [0; 16];
    let (len, _) = client.recv_from(&mut last).unwrap();
    assert_eq!(&last[..len], b"hello");
}

#[test]
fn used_udp_mapping_outlives_its_lifetime() {
    let Some(scene) = Scene::open() else { return };
    let host = host(&scene);
    let probe = udp::Probe::new(&scene);
    let client = udp::client(&host);
    let outside = udp::seen(&client, &probe.servers()[0]);
    for _ in 0..4 {
        thread::sleep(SHORT);
        assert_eq!(udp::seen(&client, &probe.servers()[0]), outside);
    }
    // The mapping is kept for others too.
    assert_eq!(udp::seen(&client, &probe.servers()[3]), outside);
}

#[test]
fn idle_connection_ends_with_its_lifetime() {
    let Some(scene) = Scene::open() else { return };
    let host = host(&scene);
    let probe = tcp::Probe::new(&scene);
    let mut link = tcp::Link::dial(&host, tcp::free_addr(&host), probe.server());

    thread::sleep(SHORT);
    link.server.write_all(b"!").unwrap();
    link.client.read_exact(&mut [0]).unwrap();

    thread::sleep(LONG);
    link.server.write_all(b"!").unwrap();
    // What is sent on another connection afterwards comes.
    let mut other = tcp::Link::dial(&host, tcp::free_addr(&host), probe.server());
    other.server.write_all(b"!").unwrap();
    other.client.read_exact(&mut [0]).unwrap();
    link.client.set_nonblocking(true).unwrap();
    assert!(link.client.read(&mut [0]).is_err());
}
