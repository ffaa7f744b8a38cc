//! A lab with a STUN server of two addresses, and what hosts report of themselves there.

use std::{
    env,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use crust_nat::{NatReport, report::Lifetime};
use crust_tests::netlab::{Host, Lab, Link, Loss, MINIUPNPD, RouterBuilder};
use serde::de::DeserializeOwned;

/// The lab and its server.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) lab: Lab,
    _servers: Vec<Server>,
}

/// A server in a process of its own; it ends when this is dropped.
#[derive(Debug)]
struct Server {
    _host: Host,
    process: Child,
}

impl Scene {
    /// With 20 ms and 2 % of loss from leaf to leaf, each way. `None` where the test is skipped.
    pub(crate) fn open() -> Option<Self> {
        let mut lab = Lab::open_with(&[MINIUPNPD])?;
        lab.set_link(
            Link::default()
                .with_delay(Duration::from_millis(10))
                .with_loss(Loss::Random(0.01)),
        );
        let servers = vec![
            Server::start(&lab, ["11.0.0.10", "21.0.0.10"], ["3478", "3479"]),
            Server::start(&lab, ["2d00:1::10", "2d00:2::10"], ["3478", "3479"]),
            Server::start(&lab, ["26.0.0.10", "28.0.0.10"], ["443", "80"]),
        ];
        Some(Self {
            lab,
            _servers: servers,
        })
    }

    /// As many reports of a host behind such a router as `NETLAB_RUNS` says, or one: each has a router of its own, in another
    /// network.
    pub(crate) fn reports(&self, router: impl Fn(&Lab, &str) -> RouterBuilder) -> Vec<NatReport> {
        let runs: usize = env::var("NETLAB_RUNS").map_or(1, |runs| runs.parse().unwrap());
        let places = (0..runs).map(|run| {
            let router = router(&self.lab, &format!("22.0.{run}.1")).build();
            let host = router.host();
            (router, host)
        });
        let places: Vec<_> = places.collect();
        thread::scope(|scope| {
            let reports: Vec<_> = places
                .iter()
                .map(|(_, host)| scope.spawn(|| report(host)))
                .collect();
            let reports = reports.into_iter().map(|report| report.join().unwrap());
            reports.collect()
        })
    }
}

/// What a host reports of itself.
pub(crate) fn report(host: &Host) -> NatReport {
    report_of(host, &SERVERS)
}

/// What these servers tell it.
pub(crate) fn report_of(host: &Host, servers: &[&str]) -> NatReport {
    ask(host, "report", servers)
}

/// For how long a mapping lives, looked at for a minute at most.
pub(crate) fn lifetime(host: &Host) -> Option<Lifetime> {
    ask(host, "lifetime", &["60", SERVERS[0]])
}

/// The same, with a node's help.
pub(crate) fn lifetime_by_peer(host: &Host, peer: &str) -> Option<Lifetime> {
    ask(host, "lifetime", &["60", "--peer", peer])
}

fn ask<T: DeserializeOwned>(host: &Host, word: &str, args: &[&str]) -> T {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crust-stun"));
    let output = host.output(command.arg(word).args(args));
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

impl Server {
    fn start(lab: &Lab, ips: [&str; 2], ports: [&str; 2]) -> Self {
        let host = lab.public(&ips);
        let mut command = Command::new(env!("CARGO_BIN_EXE_crust-stun"));
        command
            .arg("serve")
            .args(ips)
            .args(ports)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = host.spawn(&mut command);
        let mut line = String::new();
        let stdout = process.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "ready");
        Self {
            _host: host,
            process,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// The first places of the two servers.
pub(crate) const SERVERS: [&str; 2] = ["11.0.0.10:3478", "[2d00:1::10]:3478"];
/// The server that is where the web is.
pub(crate) const WEB_SERVER: &str = "26.0.0.10:443";
