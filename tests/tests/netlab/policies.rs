//! What routers do besides translating: hairpin, answers to the unsolicited, what they let out, and one behind another.

use std::{io, net::Ipv4Addr};

use crust_tests::netlab::{Drops, Egress, Filtering as F, Host, Mapping as M, Nat, Unsolicited};

use crate::{scene::Scene, tcp, udp};

const WAN: Ipv4Addr = Ipv4Addr::new(22, 0, 0, 1);

/// Two hosts behind one router.
fn neighbours(scene: &Scene, nat: Nat) -> [Host; 2] {
    let router = scene.lab.router("22.0.0.1").with_nat(nat).build();
    [router.host(), router.host()]
}

#[test]
fn hairpin_shows_neighbours_their_external_address() {
    let Some(scene) = Scene::open() else { return };
    for (name, nat) in Nat::NAMED {
        let [a, b] = neighbours(&scene, nat.with_hairpin());
        let probe = udp::Probe::new(&scene);
        let (dialer, listener) = (udp::client(&a), udp::client(&b));
        let outside = udp::seen(&listener, &probe.servers()[0]);
        dialer.send_to(b"over here", outside).unwrap();
        let from = udp::receive(&listener).expect(name);
        assert_eq!(from.ip(), WAN, "{name}");
        // And back.
        listener.send_to(b"heard", from).unwrap();
        assert_eq!(udp::receive(&dialer), Some(outside), "{name}");
    }
}

#[test]
fn hairpin_shows_those_outside_as_they_are() {
    let Some(scene) = Scene::open() else { return };
    let [host, _] = neighbours(&scene, Nat::FULL_CONE.with_hairpin());
    let probe = udp::Probe::new(&scene);
    let client = udp::client(&host);
    let outside = udp::seen(&client, &probe.servers()[0]);
    probe.stranger().send_to(b"hello", outside).unwrap();
    assert_eq!(udp::receive(&client), Some(scene.stranger_addr()));
}

#[test]
fn hairpin_carries_tcp() {
    let Some(scene) = Scene::open() else { return };
    for (name, nat) in Nat::NAMED {
        let [a, b] = neighbours(&scene, nat.with_hairpin());
        let probe = tcp::Probe::new(&scene);
        let inside = tcp::free_addr(&b);
        let listener = tcp::listen(&b, inside);
        let link = tcp::Link::dial(&b, inside, probe.server());
        tcp::dial(&a, tcp::free_addr(&a), link.seen).expect(name);
        assert_eq!(listener.accept().unwrap().1.ip(), WAN, "{name}");
    }
}

#[test]
fn without_hairpin_neighbours_do_not_meet_outside() {
    let Some(scene) = Scene::open() else { return };
    let [a, b] = neighbours(&scene, Nat::FULL_CONE);
    let probe = udp::Probe::new(&scene);
    let (dialer, listener) = (udp::client(&a), udp::client(&b));
    let server = &probe.servers()[0];
    let outside = udp::seen(&listener, server);
    dialer.send_to(b"over here", outside).unwrap();
    // It has passed the router once the server has heard of its sender.
    udp::seen(&dialer, server);
    assert_eq!(udp::before_the_fence(&listener, server, outside), []);
}

/// How a stranger's TCP and UDP to a closed port of a router end.
fn outcomes(unsolicited: Unsolicited) -> Option<[io::ErrorKind; 2]> {
    let scene = Scene::open()?;
    let router = scene
        .lab
        .router("22.0.0.1")
        .with_unsolicited(unsolicited)
        .build();
    // One that has waited for nothing has not seen that the lab is up.
    let _host = router.host();
    let target = (router.wan(), 7_777).into();
    let tcp = tcp::dial(&scene.stranger, scene.stranger_addr(), target).unwrap_err();
    let socket = udp::client(&scene.stranger);
    socket.set_read_timeout(Some(udp::SILENCE)).unwrap();
    socket.connect(target).unwrap();
    socket.send(b"anybody").unwrap();
    let udp = socket.recv(&mut [0; 8]).unwrap_err();
    Some([tcp.kind(), udp.kind()])
}

#[test]
fn unsolicited_is_dropped_in_silence() {
    let Some(outcomes) = outcomes(Unsolicited::Drop) else {
        return;
    };
    assert_eq!(
        outcomes,
        [io::ErrorKind::TimedOut, io::ErrorKind::WouldBlock]
    );
}

#[test]
fn unsolicited_is_refused_where_asked_for() {
    let Some(outcomes) = outcomes(Unsolicited::Reset) else {
        return;
    };
    assert_eq!(outcomes, [io::ErrorKind::ConnectionRefused; 2]);
}

#[test]
fn two_nats_are_as_strict_as_the_stricter() {
    let Some(scene) = Scene::open() else { return };
    let pairs = [
        (
            Nat::PORT_RESTRICTED,
            Nat::FULL_CONE,
            M::EndpointIndependent,
            F::AddressAndPortDependent,
        ),
        (
            Nat::FULL_CONE,
            Nat::FULL_CONE,
            M::EndpointIndependent,
            F::EndpointIndependent,
        ),
        (
            Nat::FULL_CONE,
            Nat::SYMMETRIC,
            M::AddressAndPortDependent,
            F::AddressAndPortDependent,
        ),
        (
            Nat::SYMMETRIC,
            Nat::ADDRESS_RESTRICTED,
            M::AddressAndPortDependent,
            F::AddressAndPortDependent,
        ),
    ];
    for (inner, outer, mapping, filtering) in pairs {
        let outer = scene
            .lab
            .router("22.0.0.1")
            .with_lan("100.64.1.0/24")
            .with_nat(outer)
            .build();
        let inner = scene.lab.router_behind(&outer).with_nat(inner).build();
        assert_eq!(inner.wan(), Ipv4Addr::new(100, 64, 1, 2));
        let host = inner.host();
        let udp = udp::Probe::new(&scene).classify(&host);
        let tcp = tcp::Probe::new(&scene).classify(&host);
        for found in [udp, tcp] {
            assert_eq!((found.mapping, found.filtering), (mapping, filtering));
        }
        let seen = udp::seen(&udp::client(&host), &udp::Probe::new(&scene).servers()[0]);
        assert_eq!(seen.ip(), WAN);
    }
}

/// Whether UDP, and TCP to each of these ports, gets out.
fn gets_out(scene: &Scene, host: &Host, ports: [u16; 3]) -> (bool, [bool; 3]) {
    let server = udp::bind(&scene.server, scene.server_addrs()[0]);
    let client = udp::client(host);
    client
        .send_to(b"out", server.local_addr().unwrap())
        .unwrap();
    let tcp = ports.map(|port| {
        let addr = (scene.server.ip(), port).into();
        let _listener = tcp::listen(&scene.server, addr);
        tcp::dial(host, tcp::free_addr(host), addr).is_ok()
    });
    assert!(
        tcp.contains(&true),
        "nothing tells that the datagram has had its time"
    );
    server.set_nonblocking(true).unwrap();
    (udp::receive(&server).is_some(), tcp)
}

#[test]
fn each_egress_lets_out_what_it_says() {
    let Some(scene) = Scene::open() else { return };
    let mut router = scene
        .lab
        .router("22.0.0.1")
        .with_egress(Egress::NoUdp)
        .build();
    let host = router.host();
    let ports = [80, 443, 4_001];
    assert_eq!(gets_out(&scene, &host, ports), (false, [true; 3]));
    router.set_egress(Egress::WebOnly);
    assert_eq!(gets_out(&scene, &host, ports), (false, [true, true, false]));
    router.set_egress(Egress::All);
    assert_eq!(gets_out(&scene, &host, ports), (true, [true; 3]));
}

#[test]
fn router_lets_no_inner_address_out() {
    let Some(scene) = Scene::open() else { return };
    let host = scene.lab.router("22.0.0.1").build().host();
    udp::Probe::new(&scene).classify(&host);
    tcp::Probe::new(&scene).classify(&host);
    let traffic = scene.lab.traffic();
    assert!(traffic.links.delivered > 0);
    assert_eq!(traffic.drops, Drops::default());
}
