//! Each kind of NAT is what it says it is, over UDP and over TCP.

use crust_tests::netlab::{
    Allocation::{self, Preserving, Random, Sequential},
    Filtering as F, Mapping as M, Nat,
};

use crate::{scene::Scene, tcp, udp, words::Findings};

/// Makes a router of this kind and looks at it from behind.
fn assert_is(nat: Nat) {
    let Some(scene) = Scene::open() else { return };
    let host = scene.lab.router("22.0.0.1").with_nat(nat).build().host();
    let found = [
        udp::Probe::new(&scene).classify(&host),
        tcp::Probe::new(&scene).classify(&host),
    ];
    assert_eq!(found, [Findings::from(nat); 2], "UDP, TCP");
}

macro_rules! kinds {
    ($($name:ident: $mapping:ident $filtering:ident $allocation:ident;)*) => {
        $(
            #[test]
            fn $name() {
                assert_is(Nat::new(M::$mapping, F::$filtering, $allocation));
            }
        )*
    };
}

kinds! {
    eim_eif_is_that: EndpointIndependent EndpointIndependent Random;
    eim_adf_is_that: EndpointIndependent AddressDependent Random;
    eim_apdf_is_that: EndpointIndependent AddressAndPortDependent Random;
    adm_eif_is_that: AddressDependent EndpointIndependent Random;
    adm_adf_is_that: AddressDependent AddressDependent Random;
    adm_apdf_is_that: AddressDependent AddressAndPortDependent Random;
    apdm_eif_is_that: AddressAndPortDependent EndpointIndependent Random;
    apdm_adf_is_that: AddressAndPortDependent AddressDependent Random;
    apdm_apdf_is_that: AddressAndPortDependent AddressAndPortDependent Random;
    eim_in_sequence_is_that: EndpointIndependent AddressAndPortDependent Sequential;
    adm_in_sequence_is_that: AddressDependent AddressAndPortDependent Sequential;
    apdm_that_preserves_first_ports_is_that: AddressAndPortDependent AddressAndPortDependent Preserving;
}

#[test]
fn each_named_kind_is_what_it_says() {
    for (name, nat) in Nat::NAMED {
        eprintln!("{name}");
        assert_is(nat);
    }
}

/// What one internal endpoint looks like to four servers.
fn ports_of(nat: Nat) -> Vec<u16> {
    let Some(scene) = Scene::open() else {
        return Vec::new();
    };
    let host = scene.lab.router("22.0.0.1").with_nat(nat).build().host();
    let client = udp::client(&host);
    let probe = udp::Probe::new(&scene);
    let seen = probe
        .servers()
        .each_ref()
        .map(|server| udp::seen(&client, server));
    seen.map(|addr| addr.port()).to_vec()
}

#[test]
fn sequence_counts_through_the_ports() {
    let ports = ports_of(Nat::SYMMETRIC_SEQUENTIAL);
    assert!(
        ports.is_empty() || ports == [40_000, 40_001, 40_002, 40_003],
        "{ports:?}"
    );
}

/// Two hosts with sockets on one port, who speak to different servers first and then to the same ones.
fn seen_on_one_port(nat: Nat) -> Option<[Vec<u16>; 2]> {
    let scene = Scene::open()?;
    let router = scene.lab.router("22.0.0.1").with_nat(nat).build();
    let probe = udp::Probe::new(&scene);
    let hosts = [router.host(), router.host()];
    let clients = hosts
        .each_ref()
        .map(|host| udp::bind(host, ([0, 0, 0, 0], PORT).into()));
    let [first, second] = clients.each_ref();
    let servers = probe.servers();
    let orders = [(first, 0), (second, 1), (second, 0), (first, 1)];
    let mut ports = [Vec::new(), Vec::new()];
    for (client, server) in orders {
        let owner = usize::from(std::ptr::eq(client, second));
        ports[owner].push(udp::seen(client, &servers[server]).port());
    }
    Some(ports)
}

#[test]
fn eim_gives_two_hosts_on_one_port_different_ports_and_keeps_them() {
    let Some([first, second]) = seen_on_one_port(Nat::PORT_RESTRICTED) else {
        return;
    };
    assert_eq!(first, [PORT, PORT]);
    assert_eq!(second[0], second[1]);
    assert_ne!(second[0], PORT);
}

#[test]
fn linux_shares_a_port_between_hosts_until_they_meet_at_a_server() {
    let Some([first, second]) = seen_on_one_port(Nat::LINUX) else {
        return;
    };
    assert_eq!([first[0], second[0]], [PORT, PORT]);
    assert_ne!([first[1], second[1]], [PORT, PORT]);
}

#[test]
fn names_of_kinds_are_read() {
    assert_eq!("symmetric".parse(), Ok(Nat::SYMMETRIC));
    assert!("cone".parse::<Nat>().is_err());
    let all: Vec<Allocation> = Nat::NAMED.iter().map(|(_, nat)| nat.allocation).collect();
    assert!(all.contains(&Preserving) && all.contains(&Sequential) && all.contains(&Random));
}

const PORT: u16 = 5_000;
