//! Nodes learn how far they can be reached: peers dial them back.

use std::time::Duration;

use crust_tests::netlab::{Host, IgdConfig, Lab, Link, MINIUPNPD, Nat, Router, RouterBuilder};

use crate::program::Node;

/// A lab with three public nodes that know each other.
struct Scene {
    lab: Lab,
    _helpers: Vec<(Host, Node)>,
}

impl Scene {
    fn open() -> Option<Self> {
        let mut lab = Lab::open_with(&[MINIUPNPD])?;
        lab.set_link(Link::default().with_delay(Duration::from_millis(10)));
        let helpers = ["11.0.0.1", "21.0.0.1", "26.0.0.1"].map(|ip| {
            let host = lab.public(&[ip]);
            let node = Node::start(&host, &["gossip", "port=5483", "keep=8..16", CONTACT]);
            (host, node)
        });
        Some(Self {
            lab,
            _helpers: helpers.into(),
        })
    }

    /// A node behind such a router, which asks its gateway.
    fn behind(router: RouterBuilder) -> (Router, Host, Node) {
        let router = router.build();
        let host = router.host();
        let node = Node::start(&host, &ARGS);
        (router, host, node)
    }
}

fn assert_reached(node: &mut Node, scheme: &str, word: &str) {
    let expected = format!("{scheme}={word}");
    let found = node.ask_until("reachability", |all| {
        all.split(' ').any(|one| one == expected)
    });
    let external = node.ask("external");
    assert!(found.contains(&expected), "{found}; external: {external}");
}

#[test]
fn public_node_is_public() {
    let Some(scene) = Scene::open() else { return };
    let host = scene.lab.public(&["28.0.0.1"]);
    let mut node = Node::start(&host, &ARGS);
    assert_reached(&mut node, "tcp", "public");
    assert_reached(&mut node, "utp", "public");
}

#[test]
fn node_behind_a_gateway_that_maps_ports_is_mapped() {
    let Some(scene) = Scene::open() else { return };
    let router = scene.lab.router("22.0.0.1").with_nat(Nat::SYMMETRIC);
    let (_router, _host, mut node) = Scene::behind(router.with_igd(IgdConfig::default()));
    assert_reached(&mut node, "tcp", "mapped");
    assert_reached(&mut node, "utp", "mapped");
}

#[test]
fn mapped_node_is_found_and_dialed_by_one_that_never_heard_of_it_before() {
    let Some(scene) = Scene::open() else { return };
    let router = scene.lab.router("22.0.0.1").with_nat(Nat::SYMMETRIC);
    let (_router, _host, mut mapped) = Scene::behind(router.with_igd(IgdConfig::default()));
    assert_reached(&mut mapped, "tcp", "mapped");
    let router = scene.lab.router("33.0.0.1").with_nat(Nat::SYMMETRIC);
    let (_other_router, _other_host, mut stranger) = Scene::behind(router);
    let sessions = stranger.ask_until("sessions", |peers| peers.contains(&mapped.id));
    assert!(sessions.contains(&mapped.id), "{sessions}");
}

#[test]
fn node_that_moves_to_another_network_is_mapped_there() {
    let Some(scene) = Scene::open() else { return };
    let router = scene.lab.router("22.0.0.1");
    let (_router, mut host, mut node) = Scene::behind(router.with_igd(IgdConfig::default()));
    assert_reached(&mut node, "tcp", "mapped");
    let other = scene.lab.router("33.0.0.1");
    let other = other.with_igd(IgdConfig::default()).build();
    other.take_over(&mut host);
    let moved_at = crust_core::rt::now();
    let external = node.ask_until("external", |all| all.contains("tcp://33.0.0.1:"));
    assert!(external.contains("tcp://33.0.0.1:"), "{external}");
    eprintln!("mapped there after {:?}", moved_at.elapsed());
    assert_reached(&mut node, "tcp", "mapped");
}

#[test]
fn full_cone_is_public_over_utp() {
    let Some(scene) = Scene::open() else { return };
    let (_router, _host, mut node) =
        Scene::behind(scene.lab.router("22.0.0.1").with_nat(Nat::FULL_CONE));
    assert_reached(&mut node, "utp", "public");
}

#[test]
fn address_restricted_is_no_more_than_punchable_over_utp() {
    let Some(scene) = Scene::open() else { return };
    let router = scene.lab.router("22.0.0.1");
    let router = router.with_nat(Nat::ADDRESS_RESTRICTED);
    let (_router, _host, mut node) = Scene::behind(router);
    assert_reached(&mut node, "utp", "punchable");
    let words = node.ask_for(DIALED_BACK, "reachability", |all| {
        all.contains("utp=public")
    });
    assert!(!words.contains("utp=public"), "{words}");
}

#[test]
fn port_restricted_is_punchable_over_utp() {
    let Some(scene) = Scene::open() else { return };
    let (_router, _host, mut node) =
        Scene::behind(scene.lab.router("22.0.0.1").with_nat(Nat::PORT_RESTRICTED));
    assert_reached(&mut node, "utp", "punchable");
}

/// Longer than it takes until a stranger is found, asked, and has dialed in vain.
const DIALED_BACK: Duration = Duration::from_secs(12);
const CONTACT: &str = "contact=tcp://11.0.0.1:5483";
const ARGS: [&str; 5] = ["gossip", "nat", "port=5483", "keep=8..16", CONTACT];
