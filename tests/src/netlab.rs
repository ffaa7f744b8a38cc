//! A lab of real NATs: hosts and routers in network namespaces, the kernel's own translation, and an internet between them that
//! delays and loses as asked. Linux, as root.
//!
//! ```no_run
//! use std::{net::UdpSocket, time::Duration};
//!
//! use crust_tests::netlab::{Lab, Link, Nat};
//!
//! # fn test() {
//! let Some(mut lab) = Lab::open() else { return };
//! lab.set_link(Link::default().with_delay(Duration::from_millis(10)));
//! let server = lab.public(&["11.0.0.10", "2d00:1::10"]);
//! let router = lab.router("22.0.0.1").with_nat(Nat::SYMMETRIC).build();
//! let host = router.host();
//!
//! let echo = server.run(|| UdpSocket::bind("11.0.0.10:3478")).unwrap();
//! let client = host.run(|| UdpSocket::bind("0.0.0.0:0")).unwrap();
//! client.send_to(b"hello", "11.0.0.10:3478").unwrap();
//! let (_, from) = echo.recv_from(&mut [0; 16]).unwrap();
//! assert_eq!(from.ip(), router.wan());
//! # }
//! ```

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
