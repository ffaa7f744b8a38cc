//! The lab itself: makes hosts and routers, and sees what passes between them.

use std::{
    env,
    fs::OpenOptions,
    io,
    net::{IpAddr, Ipv4Addr},
    path::Path,
    process::Command,
    sync::Arc,
    thread,
};

use crust_core::simnet::Link;

use super::{
    fabric::Fabric,
    host::Host,
    internet::{Internet, Traffic},
    netns::{self, Netns},
    router::Router,
    router_builder::RouterBuilder,
    uplink::Uplink,
};
use crate::namespace::{Tool, is_unwanted, skip};

/// An internet of its own. Labs do not know of each other: several may have the same addresses at the same time.
///
/// It is there until it and all its hosts and routers are dropped, or the process ends, however it ends.
#[derive(Debug)]
pub struct Lab {
    fabric: Arc<Fabric>,
    link: Link,
}

impl Lab {
    /// A lab, or `None` where there can be none: then one line says why the calling test is skipped.
    ///
    /// Its dice fall as the variable `NETLAB_SEED` says, or as they always do.
    ///
    /// # Panics
    ///
    /// With `NETLAB_REQUIRED` set, instead of skipping. `NETLAB_SKIP` skips every such test, whatever is there.
    pub fn open() -> Option<Self> {
        Self::open_with(&[])
    }

    /// The same for a test that needs these tools too.
    ///
    /// # Panics
    ///
    /// As [`Lab::open`].
    pub fn open_with(tools: &[Tool<'_>]) -> Option<Self> {
        if is_unwanted() {
            return None;
        }
        if let Some(missing) = missing(tools) {
            let test = thread::current();
            skip(test.name().unwrap_or("a test"), missing);
            return None;
        }
        let seed = env::var("NETLAB_SEED")
            .ok()
            .and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or(SEED);
        eprintln!("a lab with NETLAB_SEED={seed}");
        let fabric = Fabric::start(seed).expect("the lab can start");
        Some(Self {
            fabric: Arc::new(fabric),
            link: Link::default(),
        })
    }

    /// Sets what the uplinks are like of hosts and routers that are made from now on, in each direction; before, they neither
    /// delay nor lose. A packet between two leaves passes two uplinks, its answer two more: 50 ms of round trip are
    /// `Duration::from_micros(12_500)`.
    pub fn set_link(&mut self, link: Link) {
        self.link = link;
    }

    /// A host with these addresses, IPv4 and IPv6, that everyone can reach.
    ///
    /// # Panics
    ///
    /// Where one is no address or another leaf has it.
    pub fn public(&self, ips: &[&str]) -> Host {
        let ips: Vec<IpAddr> = ips
            .iter()
            .map(|ip| ip.parse().expect("an address"))
            .collect();
        let netns = Netns::new();
        let uplink = Uplink::new(self.fabric.clone(), &netns, &ips, self.link.clone());
        Host::public(netns, uplink, ips)
    }

    /// A router with this external address.
    ///
    /// # Panics
    ///
    /// Where it is no IPv4 address.
    pub fn router(&self, wan: &str) -> RouterBuilder {
        let wan: Ipv4Addr = wan.parse().expect("an IPv4 address");
        RouterBuilder::at(self.fabric.clone(), wan, self.link.clone())
    }

    /// A router on the LAN of another, which gives it its external address: double NAT.
    pub fn router_behind(&self, outer: &Router) -> RouterBuilder {
        RouterBuilder::behind(outer)
    }

    /// What became of all packets so far.
    pub fn traffic(&self) -> Traffic {
        self.fabric.look(Internet::traffic)
    }

    /// Writes each packet that goes onto an uplink to a pcap file, until [`Lab::end_capture`], or into another. What links
    /// lose afterwards is in it too; what stays on a LAN is not.
    ///
    /// # Errors
    ///
    /// Those of making the file.
    pub fn capture(&self, path: &Path) -> io::Result<()> {
        self.fabric.capture(Some(path))
    }

    /// Ends a capture; the file is whole when this returns.
    ///
    /// # Errors
    ///
    /// Those of writing the file.
    pub fn end_capture(&self) -> io::Result<()> {
        self.fabric.capture(None)
    }
}

fn missing<'a>(tools: &[Tool<'a>]) -> Option<&'a str> {
    if !netns::is_possible() {
        return Some("network namespaces (root)");
    }
    let tun = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/net/tun");
    if tun.is_err() {
        return Some("/dev/net/tun");
    }
    let is_missing = |check: &str| {
        let output = Command::new("sh").args(["-c", check]).output();
        !output.is_ok_and(|output| output.status.success())
    };
    let mut all = TOOLS.iter().chain(tools);
    all.find(|(check, _)| is_missing(check))
        .map(|(_, name)| *name)
}

/// What [`RouterBuilder::with_igd`] needs.
pub const MINIUPNPD: Tool<'static> = ("command -v miniupnpd", "`miniupnpd`");
/// What every lab needs.
const TOOLS: [Tool<'static>; 3] = [
    ("command -v ip", "`ip` of iproute2"),
    ("command -v nft", "`nft` of nftables"),
    ("command -v conntrack", "`conntrack`"),
];
/// Any number does.
const SEED: u64 = 5_483;
