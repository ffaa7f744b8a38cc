//! Nodes learn how far they can be reached: peers dial them back.

use std::{
    io::{BufRead, BufReader, Lines, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
    time::Duration,
};

use crust_core::rt;
use crust_tests::netlab::{Host, IgdConfig, Lab, Link, MINIUPNPD, Nat, Router, RouterBuilder};

/// A node in a process of its own, asked by words. Dropping it kills it.
struct Node {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    id: String,
}

impl Node {
    fn start(host: &Host, args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crust-host"));
        command
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = host.spawn(&mut command);
        let stdin = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut node = Self {
            child,
            stdin,
            lines,
            id: String::new(),
        };
        node.hear("ready");
        node.say("go");
        node.id = node.hear("id");
        node
    }

    fn ask(&mut self, word: &str) -> String {
        self.say(word);
        self.hear(word)
    }

    /// Asks until the answer is right, and gives the last one.
    fn ask_until(&mut self, word: &str, is_right: impl Fn(&str) -> bool) -> String {
        let since = rt::now();
        loop {
            let answer = self.ask(word);
            if is_right(&answer) || since.elapsed() > PATIENCE {
                return answer;
            }
            thread::yield_now();
        }
    }

    fn say(&mut self, word: &str) {
        writeln!(self.stdin, "{word}").unwrap();
    }

    fn hear(&mut self, word: &str) -> String {
        let line = self.lines.next().unwrap().unwrap();
        line.strip_prefix(word).expect(&line).trim().to_owned()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

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
fn full_cone_is_public_over_utp() {
    let Some(scene) = Scene::open() else { return };
    let (_router, _host, mut node) =
        Scene::behind(scene.lab.router("22.0.0.1").with_nat(Nat::FULL_CONE));
    assert_reached(&mut node, "utp", "public");
}

#[test]
fn port_restricted_is_punchable_over_utp() {
    let Some(scene) = Scene::open() else { return };
    let (_router, _host, mut node) =
        Scene::behind(scene.lab.router("22.0.0.1").with_nat(Nat::PORT_RESTRICTED));
    assert_reached(&mut node, "utp", "punchable");
}

/// Two dial-backs in vain take five seconds each.
const PATIENCE: Duration = Duration::from_secs(30);
const CONTACT: &str = "contact=tcp://11.0.0.1:5483";
const ARGS: [&str; 5] = ["gossip", "nat", "port=5483", "keep=8..16", CONTACT];
