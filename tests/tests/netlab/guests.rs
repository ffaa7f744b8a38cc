//! What runs on hosts: threads, runtimes, processes; and that nothing else does.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, TcpListener, UdpSocket},
    process::Command,
};

use crust_tests::netlab::Lab;

use crate::{scene::Scene, tcp, udp};

#[test]
fn runtime_made_on_a_host_has_its_threads_there() {
    let Some(scene) = Scene::open() else { return };
    let router = scene.lab.router("22.0.0.1").build();
    let host = router.host();
    let runtime = host.run(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).build().unwrap()
    });
    let bind = async { UdpSocket::bind("0.0.0.0:0").unwrap() };
    let client = runtime.block_on(runtime.spawn(bind)).unwrap();
    let probe = udp::Probe::new(&scene);
    assert_eq!(udp::seen(&client, &probe.servers()[0]).ip(), router.wan());
}

#[test]
fn process_is_on_the_host_that_started_it() {
    let Some(scene) = Scene::open() else { return };
    let host = scene.lab.router("22.0.0.1").build().host();
    let output = host.output(Command::new("ip").args(["-brief", "address"]));
    let interfaces = String::from_utf8(output.stdout).unwrap();
    assert!(interfaces.contains("192.168.1.2/24"), "{interfaces}");
    assert_eq!(interfaces.lines().count(), 2, "{interfaces}");
}

#[test]
fn process_of_a_host_reads_its_own_proc_net() {
    let Some(scene) = Scene::open() else { return };
    let host = scene.lab.router("22.0.0.1").build().host();
    let output = host.output(Command::new("cat").arg("/proc/net/dev"));
    let interfaces = String::from_utf8(output.stdout).unwrap();
    assert!(interfaces.contains("eth0:"), "{interfaces}");
    assert_eq!(interfaces.lines().count(), 4, "{interfaces}");
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
fn labs_with_the_same_addresses_do_not_meet() {
    let Some(scene) = Scene::open() else { return };
    let Some(other) = Lab::open() else { return };
    let [addr, ..] = scene.server_addrs();
    let server = udp::bind(&scene.server, addr);
    let hosts = [addr.ip(), scene.stranger.ip()].map(|ip| other.public(&[&ip.to_string()]));
    udp::seen(&udp::client(&hosts[1]), &udp::bind(&hosts[0], addr));
    server.set_nonblocking(true).unwrap();
    assert_eq!(udp::receive(&server), None);
}
