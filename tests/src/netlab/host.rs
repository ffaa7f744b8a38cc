//! A host: a namespace in which tests and their processes run.

use std::{
    net::IpAddr,
    process::{Child, Command, Output},
    sync::{Arc, OnceLock},
};

use super::{lan::Lan, netns::Netns, shell, uplink::Uplink};

/// A host of the lab: a public one with addresses of its own, or one behind a router.
#[derive(Debug)]
pub struct Host {
    netns: Netns,
    place: Place,
    ips: Vec<IpAddr>,
    is_running: OnceLock<()>,
}

#[derive(Debug)]
enum Place {
    Public(Arc<Uplink>),
    Lan(Arc<Lan>),
}

impl Host {
    pub(super) fn public(netns: Netns, uplink: Uplink, ips: Vec<IpAddr>) -> Self {
        let lines = format!("link set lo up\n{}", Uplink::ip_lines(&ips));
        netns.run(|| shell::ip(lines));
        Self::new(netns, Place::Public(Arc::new(uplink)), ips)
    }

    pub(super) fn behind(lan: &Arc<Lan>) -> Self {
        let netns = Netns::new();
        let plug = lan.plug(&netns, "eth0");
        let ips = plug.ips();
        netns.run(|| shell::ip(format!("link set lo up\n{}", plug.lines)));
        Self::new(netns, Place::Lan(lan.clone()), ips)
    }

    fn new(netns: Netns, place: Place, ips: Vec<IpAddr>) -> Self {
        Self {
            netns,
            place,
            ips,
            is_running: OnceLock::new(),
        }
    }

    /// Pulls its cable and plugs it into another LAN. Addresses change, sockets stay open.
    ///
    /// # Panics
    ///
    /// Where it is a public host.
    pub(super) fn move_to(&mut self, lan: &Arc<Lan>) {
        let is_public = matches!(self.place, Place::Public(_));
        assert!(!is_public, "a public host has no cable");
        self.netns.run(|| shell::ip("link del eth0\n"));
        let plug = lan.plug(&self.netns, "eth0");
        self.ips = plug.ips();
        self.netns.run(|| shell::ip(plug.lines));
        self.place = Place::Lan(lan.clone());
        self.is_running = OnceLock::new();
    }

    /// Runs `body` in a thread of its own on this host, once packets can come and go. The sockets it makes stay there
    /// wherever they are used; so do the processes and threads it starts. It panics where `body` does.
    pub fn run<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        self.is_running.get_or_init(|| self.wait_running());
        self.netns.run(body)
    }

    /// Starts a process on this host.
    ///
    /// # Panics
    ///
    /// Where there is no such program.
    pub fn spawn(&self, command: &mut Command) -> Child {
        let child = self.run(|| command.spawn());
        child.unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    /// Runs a process on this host to its end.
    ///
    /// # Panics
    ///
    /// Where there is no such program.
    pub fn output(&self, command: &mut Command) -> Output {
        let output = self.run(|| command.output());
        output.unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    /// Its first address.
    pub fn ip(&self) -> IpAddr {
        self.ips[0]
    }

    /// All its addresses, IPv4 before IPv6 behind a router, and else as they were given.
    pub fn ips(&self) -> &[IpAddr] {
        &self.ips
    }

    /// Its way to the lab's internet, which it may share with others.
    pub fn uplink(&self) -> &Uplink {
        match &self.place {
            Place::Public(uplink) => uplink,
            Place::Lan(lan) => &lan.uplink,
        }
    }

    /// The file by which other programs enter it while this process lives: `nsenter --net=PATH sh`.
    pub fn netns_path(&self) -> String {
        self.netns.path()
    }

    fn wait_running(&self) {
        self.netns.wait_running();
        if let Place::Lan(lan) = &self.place {
            lan.wait_running();
        }
    }
}
