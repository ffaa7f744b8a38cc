//! A lab of real NATs: hosts and routers in network namespaces, the kernel's own translation, and an internet between them that
//! delays and loses as asked. On Linux, as root; `unshare --user --map-root-user --net cargo test …` is root enough.
//!
//! ```no_run
//! use std::{net::UdpSocket, process::Command, time::Duration};
//!
//! use crust_tests::netlab::{Lab, Link, Nat};
//!
//! # fn test() {
//! let Some(mut lab) = Lab::open() else { return };
//! lab.set_link(Link::default().with_delay(Duration::from_millis(10)));
//! let server = lab.public(&["11.0.0.10", "21.0.0.10", "2d00:1::10"]);
//! let mut router = lab.router("22.0.0.1").with_nat(Nat::SYMMETRIC).build();
//! let host = router.host();
//!
//! let listener = server.run(|| UdpSocket::bind("11.0.0.10:3478")).unwrap();
//! let client = host.run(|| UdpSocket::bind("0.0.0.0:0")).unwrap();
//! client.send_to(b"hello", "11.0.0.10:3478").unwrap();
//! let (_, from) = listener.recv_from(&mut [0; 16]).unwrap();
//! assert_eq!(from.ip(), router.wan());
//!
//! let mut node = host.spawn(Command::new("crust").args(["node", "--json"]));
//! router.reboot();
//! host.uplink().cut(server.uplink());
//! node.kill().unwrap();
//! # }
//! ```
//!
//! [`Lab::open`] gives `None` where there can be no lab, after a line that says why; with `NETLAB_REQUIRED` set it fails. Labs
//! are independent, so tests run side by side with the same addresses, as threads or as processes. Nothing has a name on the
//! machine, and nothing is left of a lab whose process is gone.
//!
//! # What there is
//!
//! ```text
//!  Host 192.168.1.2 ─┐
//!  Host 192.168.1.3 ─┴ bridge, Router 22.0.0.1 ── Uplink ─┐
//!  Host ── Router 192.168.1.1, wan 100.64.1.2 ─┐          ├ the core
//!           Router 22.0.0.2 (the outer one)  ──┴─ Uplink ─┤
//!           public Host 11.0.0.10 21.0.0.10 ───── Uplink ─┘
//! ```
//!
//! - [`Lab::public`] makes a host that everybody can reach; [`Lab::router`] a router, [`Lab::router_behind`] one on another's LAN,
//!   [`Router::host`] a host behind one.
//! - [`Nat`] is any pair of mapping and filtering with any allocation of ports, with or without hairpin. [`Unsolicited`], [`Egress`],
//!   lifetimes, an IPv6 prefix behind a firewall and a port mapping server ([`IgdConfig`]) are up to [`RouterBuilder`].
//! - Each [`Uplink`] has a [`Link`] in each direction: delay, jitter, loss, reordering, rate and queue. A packet between two leaves
//!   passes two of them, so that 12.5 ms on each are a round trip of 50 ms. The core takes a hop of each packet, and drops
//!   those that have none left without a word.
//! - Faults while running: [`Uplink::cut`], [`Uplink::set_link`], [`Router::reboot`], [`Router::set_wan`], [`Router::set_nat`],
//!   [`Router::set_egress`], [`Router::take_over`], [`Igd::kill`] and [`Igd::restart`]. [`Lab::capture`] writes a pcap file,
//!   [`Lab::traffic`] and [`Uplink::up_counters`] count.
//!
//! # Good to know
//!
//! - Take addresses that are global but nobody's: 11, 21, 22, 26, 28 to 30 and 33 of IPv4's first bytes, `2d00::/8` of IPv6.
//!   Those for documentation and benchmarks do not count as public, to programs under test and to miniupnpd alike. A
//!   provider's NAT has 100.64.0.0/10 inside ([`RouterBuilder::with_lan`]).
//! - Links need a delay of some milliseconds where two packets are to cross on their way, as those that punch holes do.
//! - [`Host::run`] is a thread in the namespace. Its sockets can be used from any thread, also as friends of both sides: a test
//!   that holds all of them needs no protocol, and sees with [`Lab::traffic`] what was dropped where.
//! - A runtime that is built in [`Host::run`] has its threads there. One that the whole process shares, as async-std's, has them on
//!   the machine: what it spawns is not on the host. Nodes are best run as processes ([`Host::spawn`]).
//! - In a thread of [`Host::run`], `/proc/net` is the machine's; `/proc/thread-self/net` is the host's. In a process of
//!   [`Host::spawn`] both are. `/sys/class/net` is the machine's everywhere. There is no DNS.
//! - To show that nothing came, let something come behind it: what is sent later from the same host arrives later.
//! - Many hosts are made faster by four threads ([`Lab`] can be shared), because the kernel makes each wait.
//!
//! The lab takes care of what is easily forgotten: packets before a cable runs ([`Host::run`] waits for that), bridged frames that
//! would be translated, duplicate address detection, redirects, and routers that confirm what comes unasked, which breaks the
//! punching of holes for a reason that has nothing to do with NAT.
//!
//! By hand: `cargo run -p crust-tests --example lab -- --nat port-restricted --nat symmetric`.

mod behaviour;
mod fabric;
mod host;
mod igd;
mod internet;
mod lab;
mod lan;
mod nat;
mod netns;
mod packet;
mod pcap;
mod router;
mod router_builder;
mod routes;
mod rules;
mod shell;
mod uplink;

pub use crust_core::simnet::{Counters, Link, Loss};

pub use self::{
    host::Host,
    igd::{Igd, IgdConfig},
    internet::{Drops, Traffic},
    lab::{Lab, MINIUPNPD},
    nat::{Allocation, Egress, Filtering, Mapping, Nat, UnknownNat, Unsolicited},
    router::Router,
    router_builder::RouterBuilder,
    uplink::Uplink,
};
