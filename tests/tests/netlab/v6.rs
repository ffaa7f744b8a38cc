//! IPv6 is not translated, and lets in only what was asked for.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};

use crust_tests::netlab::{Egress, Host};

use crate::{scene::Scene, tcp, udp};

/// The last address of a host, which is its IPv6 one.
fn v6(host: &Host) -> IpAddr {
    let ip = *host.ips().last().unwrap();
    assert!(ip.is_ipv6());
    ip
}

/// A host behind a router with a prefix.
fn home(scene: &Scene) -> Host {
    let router = scene.lab.router("22.0.0.1");
    router.with_v6("2d00:a::/64").build().host()
}

fn socket(host: &Host) -> UdpSocket {
    udp::bind(host, (v6(host), 0).into())
}

fn addr(socket: &UdpSocket) -> SocketAddr {
    socket.local_addr().unwrap()
}

#[test]
fn address_is_the_same_outside() {
    let Some(scene) = Scene::open() else { return };
    let host = home(&scene);
    let (client, server) = (socket(&host), socket(&scene.server));
    assert_eq!(udp::seen(&client, &server), addr(&client));
    assert_eq!(addr(&client).ip(), "2d00:a::2".parse::<Ipv6Addr>().unwrap());
}

#[test]
fn stranger_comes_through_once_it_was_sent_to() {
    let Some(scene) = Scene::open() else { return };
    let host = home(&scene);
    let client = socket(&host);
    let [server, stranger] = [&scene.server, &scene.stranger].map(socket);
    let outside = udp::seen(&client, &server);
    stranger.send_to(b"may I", outside).unwrap();
    assert_eq!(udp::before_the_fence(&client, &server, outside), []);
    udp::seen(&client, &stranger);
    stranger.send_to(b"may I", outside).unwrap();
    assert_eq!(
        udp::before_the_fence(&client, &server, outside),
        [addr(&stranger)]
    );
}

#[test]
fn connections_are_made_outward_alone() {
    let Some(scene) = Scene::open() else { return };
    let host = home(&scene);
    let [inside, outside] = [&host, &scene.server].map(|host| {
        let addr = (v6(host), 4_001).into();
        (addr, tcp::listen(host, addr))
    });
    let from = |host: &Host| (v6(host), 0).into();
    assert!(tcp::dial(&host, from(&host), outside.0).is_ok());
    assert!(tcp::dial(&scene.stranger, from(&scene.stranger), inside.0).is_err());
}

#[test]
fn egress_counts_for_it_too() {
    let Some(scene) = Scene::open() else { return };
    let router = scene.lab.router("22.0.0.1").with_v6("2d00:a::/64");
    let host = router.with_egress(Egress::NoUdp).build().host();
    let (client, server) = (socket(&host), socket(&scene.server));
    client.send_to(b"out", addr(&server)).unwrap();
    let web = (v6(&scene.server), 80).into();
    let _listener = tcp::listen(&scene.server, web);
    tcp::dial(&host, (v6(&host), 0).into(), web).unwrap();
    server.set_nonblocking(true).unwrap();
    assert_eq!(udp::receive(&server), None);
}
