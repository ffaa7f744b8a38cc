//! Routers' port mapping servers, asked by other people's clients.

use std::{net::Ipv4Addr, process::Command};

use crust_tests::{
    Tool,
    netlab::{Host, IgdConfig, MINIUPNPD, Router},
};

use crate::{scene::Scene, tcp, udp};

const TOOLS: [Tool<'static>; 3] = [
    MINIUPNPD,
    ("command -v natpmpc", "`natpmpc`"),
    ("command -v upnpc", "`upnpc` of miniupnpc"),
];

fn scene() -> Option<Scene> {
    Scene::open_with(&TOOLS)
}

fn router(scene: &Scene, config: IgdConfig) -> Router {
    scene.lab.router("22.0.0.1").with_igd(config).build()
}

/// Asks for external port 7000 to be that of the host, by NAT-PMP; gives what the client says, and whether it got it.
fn nat_pmp(host: &Host, protocol: &str) -> (String, bool) {
    let mut command = Command::new("natpmpc");
    command.args(["-g", "192.168.1.1", "-a", "7000", "7000", protocol, "3600"]);
    said(host, &mut command)
}

/// The same by UPnP-IGD.
fn upnp(host: &Host, protocol: &str) -> (String, bool) {
    let ip = host.ip().to_string();
    let mut command = Command::new("upnpc");
    command.args(["-m", "eth0", "-a", &ip, "7000", "7000", protocol]);
    let (said, is_done) = said(host, &mut command);
    let is_mapped = is_done && said.contains("is redirected to internal");
    (said, is_mapped)
}

fn said(host: &Host, command: &mut Command) -> (String, bool) {
    let output = host.output(command);
    let said = [output.stdout, output.stderr].concat();
    (
        String::from_utf8_lossy(&said).into_owned(),
        output.status.success(),
    )
}

/// Whether a stranger reaches port 7000 over TCP and UDP.
fn reached(scene: &Scene, router: &Router, host: &Host) -> [bool; 2] {
    let inside = ([0, 0, 0, 0], 7_000).into();
    let outside = (router.wan(), 7_000).into();
    let _listener = tcp::listen(host, inside);
    let tcp = tcp::dial(&scene.stranger, ([0, 0, 0, 0], 0).into(), outside).is_ok();
    let (socket, stranger) = (udp::bind(host, inside), udp::client(&scene.stranger));
    socket.set_read_timeout(Some(udp::SILENCE)).unwrap();
    stranger.send_to(b"knock", outside).unwrap();
    [tcp, udp::receive(&socket).is_some()]
}

#[test]
fn port_mapped_by_nat_pmp_is_reached_by_a_stranger() {
    let Some(scene) = scene() else { return };
    let router = router(&scene, IgdConfig::default());
    let host = router.host();
    assert_eq!(reached(&scene, &router, &host), [false, false]);
    for protocol in ["tcp", "udp"] {
        let (said, is_mapped) = nat_pmp(&host, protocol);
        assert!(
            is_mapped && said.contains("Mapped public port 7000"),
            "{said}"
        );
    }
    assert_eq!(reached(&scene, &router, &host), [true, true]);
}

#[test]
fn port_mapped_by_upnp_is_reached_by_a_stranger() {
    let Some(scene) = scene() else { return };
    let router = router(&scene, IgdConfig::default());
    let host = router.host();
    for protocol in ["TCP", "UDP"] {
        let (said, is_mapped) = upnp(&host, protocol);
        assert!(is_mapped, "{said}");
        assert!(said.contains("ExternalIPAddress = 22.0.0.1"), "{said}");
    }
    assert_eq!(reached(&scene, &router, &host), [true, true]);
}

#[test]
fn what_is_switched_off_does_not_answer() {
    let Some(scene) = scene() else { return };
    let no_upnp = router(&scene, IgdConfig::default().without_upnp());
    let host = no_upnp.host();
    assert!(nat_pmp(&host, "udp").1);
    assert!(!upnp(&host, "UDP").1);
    drop((no_upnp, host));
    let no_nat_pmp = router(&scene, IgdConfig::default().without_nat_pmp());
    let host = no_nat_pmp.host();
    assert!(!nat_pmp(&host, "udp").1);
    assert!(upnp(&host, "UDP").1);
}

/// The lease in seconds that PCP gets for UDP port 7000 (RFC 6887 §7, §11.1).
fn pcp_lease_s(host: &Host) -> u32 {
    let socket = udp::client(host);
    socket.connect("192.168.1.1:5351").unwrap();
    let mut request = [0; 60];
    (request[0], request[1]) = (2, 1);
    request[4..8].copy_from_slice(&3_600_u32.to_be_bytes());
    let ip = host.ip().to_string().parse::<Ipv4Addr>().unwrap();
    request[8..24].copy_from_slice(&ip.to_ipv6_mapped().octets());
    request[36] = 17;
    request[40..42].copy_from_slice(&7_000_u16.to_be_bytes());
    socket.send(&request).unwrap();
    let mut answer = [0; 60];
    assert_eq!(socket.recv(&mut answer).unwrap(), 60);
    assert_eq!(answer[..4], [2, 0x81, 0, 0]);
    u32::from_be_bytes(answer[4..8].try_into().unwrap())
}

#[test]
fn pcp_lease_is_as_short_as_the_server_likes() {
    let Some(scene) = scene() else { return };
    for (max_s, lease_s) in [(7, 7), (86_400, 3_600)] {
        let config = IgdConfig::default().with_max_lifetime_s(max_s);
        let router = router(&scene, config);
        assert_eq!(pcp_lease_s(&router.host()), lease_s);
    }
}

#[test]
fn server_behind_another_nat_refuses() {
    let Some(scene) = scene() else { return };
    let outer = scene
        .lab
        .router("22.0.0.1")
        .with_lan("100.64.1.0/24")
        .build();
    let inner = scene
        .lab
        .router_behind(&outer)
        .with_igd(IgdConfig::default())
        .build();
    let host = inner.host();
    let (said, is_mapped) = nat_pmp(&host, "udp");
    assert!(!is_mapped, "{said}");
    let (said, is_mapped) = upnp(&host, "UDP");
    assert!(!is_mapped, "{said}");
}

#[test]
fn killed_server_leaves_mappings_and_answers_again_when_restarted() {
    let Some(scene) = scene() else { return };
    let mut router = router(&scene, IgdConfig::default());
    let host = router.host();
    assert!(nat_pmp(&host, "tcp").1 && nat_pmp(&host, "udp").1);
    assert!(router.igd().kill());
    assert!(!nat_pmp(&host, "udp").1);
    assert_eq!(reached(&scene, &router, &host), [true, true]);
    router.igd().restart();
    assert!(nat_pmp(&host, "udp").1);
}

#[test]
fn rebooted_router_has_forgotten_what_it_granted() {
    let Some(scene) = scene() else { return };
    let mut router = router(&scene, IgdConfig::default());
    let host = router.host();
    assert!(nat_pmp(&host, "tcp").1 && nat_pmp(&host, "udp").1);
    assert_eq!(reached(&scene, &router, &host), [true, true]);
    router.reboot();
    assert_eq!(reached(&scene, &router, &host), [false, false]);
    assert!(nat_pmp(&host, "tcp").1);
    assert_eq!(reached(&scene, &router, &host), [true, false]);
}

#[test]
fn pinhole_lets_a_stranger_in_over_ipv6() {
    let Some(scene) = scene() else { return };
    let router = scene.lab.router("22.0.0.1").with_v6("2d00:a::/64");
    let router = router.with_igd(IgdConfig::default()).build();
    let host = router.host();
    let inside = (host.ips()[1], 7_000).into();
    let from = (scene.stranger.ips()[1], 0).into();
    let _listener = tcp::listen(&host, inside);
    assert!(tcp::dial(&scene.stranger, from, inside).is_err());
    let ip = host.ips()[1].to_string();
    let mut command = Command::new("upnpc");
    command.args([
        "-6", "-m", "eth0", "-A", "", "0", &ip, "7000", "tcp", "3600",
    ]);
    let (said, _) = said(&host, &mut command);
    assert!(tcp::dial(&scene.stranger, from, inside).is_ok(), "{said}");
}
