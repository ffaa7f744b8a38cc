//! What goes wrong while hosts talk.

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, TcpListener},
};

use crust_tests::netlab::{Allocation, Filtering, Link, Loss, Mapping, Nat};

use crate::{scene::Scene, tcp, udp};

/// Ports tell whether a mapping is a new one.
const NAT: Nat = Nat::new(
    Mapping::EndpointIndependent,
    Filtering::AddressAndPortDependent,
    Allocation::Random,
);

#[test]
fn cut_is_between_two_and_can_be_mended() {
    let Some(scene) = Scene::open() else { return };
    let probe = udp::Probe::new(&scene);
    let host = scene.lab.router("22.0.0.1").build().host();
    let (client, server) = (udp::client(&host), &probe.servers()[0]);
    host.uplink().cut(scene.server.uplink());
    client
        .send_to(b"lost", server.local_addr().unwrap())
        .unwrap();
    udp::seen(&client, probe.stranger());
    assert_eq!(scene.lab.traffic().drops.cut, 1);
    host.uplink().mend(scene.server.uplink());
    udp::seen(&client, server);
    server.set_nonblocking(true).unwrap();
    assert_eq!(udp::receive(server), None);
}

#[test]
fn link_that_loses_all_is_dead_until_it_is_changed() {
    let Some(scene) = Scene::open() else { return };
    let probe = udp::Probe::new(&scene);
    let client = udp::client(&scene.stranger);
    let server = &probe.servers()[0];
    let dead = Link::default().with_loss(Loss::Random(1.0));
    scene.stranger.uplink().set_links(dead, Link::default());
    client
        .send_to(b"lost", server.local_addr().unwrap())
        .unwrap();
    // The other direction is alive.
    server
        .send_to(b"hello", client_addr(&scene, &client))
        .unwrap();
    udp::receive(&client).unwrap();
    scene.stranger.uplink().set_link(Link::default());
    udp::seen(&client, server);
    assert_eq!(scene.lab.traffic().links.lost, 1);
}

fn client_addr(scene: &Scene, client: &std::net::UdpSocket) -> std::net::SocketAddr {
    (scene.stranger.ip(), client.local_addr().unwrap().port()).into()
}

#[test]
fn rebooted_router_has_forgotten_mappings() {
    let Some(scene) = Scene::open() else { return };
    let mut router = scene.lab.router("22.0.0.1").with_nat(NAT).build();
    let host = router.host();
    let probe = udp::Probe::new(&scene);
    let (client, server) = (udp::client(&host), &probe.servers()[0]);
    let outside = udp::seen(&client, server);
    assert_eq!(udp::seen(&client, server), outside);
    router.reboot();
    server.send_to(b"gone", outside).unwrap();
    let again = udp::seen(&client, server);
    assert_ne!(again, outside);
    server.send_to(b"hello", again).unwrap();
    let mut buffer = [0; 16];
    let (len, _) = client.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..len], b"hello");
}

#[test]
fn rebooted_router_breaks_connections() {
    let Some(scene) = Scene::open() else { return };
    let mut router = scene.lab.router("22.0.0.1").with_nat(NAT).build();
    let host = router.host();
    let probe = tcp::Probe::new(&scene);
    let mut link = tcp::Link::dial(&host, tcp::free_addr(&host), probe.server());
    router.reboot();
    // It comes from another port now, where the server knows of no connection.
    link.client.write_all(b"!").unwrap();
    let error = link.client.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn changed_external_address_is_the_one_that_is_seen() {
    let Some(scene) = Scene::open() else { return };
    let mut router = scene.lab.router("22.0.0.1").build();
    let host = router.host();
    let probe = udp::Probe::new(&scene);
    let (client, server) = (udp::client(&host), &probe.servers()[0]);
    let outside = udp::seen(&client, server);
    assert_eq!(outside.ip(), Ipv4Addr::new(22, 0, 0, 1));
    router.set_wan(Ipv4Addr::new(22, 9, 9, 9));
    server.send_to(b"gone", outside).unwrap();
    assert_eq!(udp::seen(&client, server).ip(), router.wan());
    assert_eq!(router.wan(), Ipv4Addr::new(22, 9, 9, 9));
    assert_eq!(scene.lab.traffic().drops.unrouted, 1);
}

#[test]
fn moved_host_keeps_its_sockets_and_is_seen_elsewhere() {
    let Some(scene) = Scene::open() else { return };
    let home = scene.lab.router("22.0.0.1").build();
    let cafe = scene
        .lab
        .router("33.0.0.1")
        .with_lan("10.0.0.0/24")
        .with_v6("2d00:a::/64");
    let cafe = cafe.build();
    let mut host = home.host();
    let probe = udp::Probe::new(&scene);
    let (client, server) = (udp::client(&host), &probe.servers()[0]);
    assert_eq!(udp::seen(&client, server).ip(), home.wan());
    cafe.take_over(&mut host);
    assert_eq!(host.ip(), Ipv4Addr::new(10, 0, 0, 2));
    assert_eq!(host.ips().len(), 2);
    host.run(|| ());
    assert_eq!(udp::seen(&client, server).ip(), cafe.wan());
}

#[test]
fn changed_kind_is_the_one_that_is_found() {
    let Some(scene) = Scene::open() else { return };
    let mut router = scene
        .lab
        .router("22.0.0.1")
        .with_nat(Nat::FULL_CONE)
        .build();
    let host = router.host();
    let probe = udp::Probe::new(&scene);
    assert_eq!(probe.classify(&host), Nat::FULL_CONE.into());
    router.set_nat(Nat::SYMMETRIC);
    assert_eq!(probe.classify(&host), Nat::SYMMETRIC.into());
}

#[test]
fn hops_run_out_in_the_middle() {
    let Some(scene) = Scene::open() else { return };
    let host = scene.lab.router("22.0.0.1").build().host();
    let probe = udp::Probe::new(&scene);
    let (client, server) = (udp::client(&host), &probe.servers()[0]);
    // One hop is the router's, the next the core's.
    client.set_ttl(2).unwrap();
    client
        .send_to(b"short", server.local_addr().unwrap())
        .unwrap();
    client.set_ttl(3).unwrap();
    udp::seen(&client, server);
    assert_eq!(scene.lab.traffic().drops.expired, 1);
    server.set_nonblocking(true).unwrap();
    assert_eq!(udp::receive(server), None);
}

#[test]
fn capture_has_what_was_sent() {
    let Some(scene) = Scene::open() else { return };
    let host = scene.lab.router("22.0.0.1").build().host();
    let probe = udp::Probe::new(&scene);
    let client = udp::client(&host);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lab.pcap");
    scene.lab.capture(&path).unwrap();
    udp::seen(&client, &probe.servers()[0]);
    scene.lab.end_capture().unwrap();
    udp::seen(&client, &probe.servers()[1]);
    let capture = fs::read(&path).unwrap();
    assert_eq!(&capture[..4], 0xa1b2_3c4d_u32.to_ne_bytes());
    // The file's head, the packet's, those of IPv4 and UDP, and the text.
    assert_eq!(capture.len(), 24 + 16 + 20 + 8 + 8);
    assert!(capture.ends_with(b"who am I"));
}

#[test]
fn host_does_not_reach_the_machine_it_is_on() {
    let Some(scene) = Scene::open() else { return };
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let addr = (Ipv4Addr::LOCALHOST, listener.local_addr().unwrap().port()).into();
    let error = tcp::dial(&scene.server, (Ipv4Addr::UNSPECIFIED, 0).into(), addr).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn processes_are_on_the_host_that_started_them() {
    let Some(scene) = Scene::open() else { return };
    let host = scene.lab.router("22.0.0.1").build().host();
    let output = host.output(std::process::Command::new("ip").args(["-brief", "address"]));
    let interfaces = String::from_utf8(output.stdout).unwrap();
    assert!(interfaces.contains("192.168.1.2/24"), "{interfaces}");
    assert_eq!(interfaces.lines().count(), 2, "{interfaces}");
}
