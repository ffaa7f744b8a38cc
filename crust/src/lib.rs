//! Reliable, encrypted peer-to-peer connections by public key.
//!
//! A [`Node`] listens and connects; a [`Session`] is the conversation with one peer, named by its [`PeerId`]; an
//! [`Event`] is what happens.
//!
//! ```
//! # #[cfg(feature = "tcp")]
//! # crust::rt::block_on(async {
//! let node = crust::Node::builder().network("example").start().await?;
//! # let other = crust::Node::builder().network("example").start().await?;
//! # let contact = other.contact().unwrap();
//! let session = node.connect(&contact).await?;
//! session.send("hello").await?;
//! node.shutdown().await;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! # What a session promises
//!
//! - There is at most one between any two nodes, whoever dialed, and however often.
//! - The peer has proven the key that it is named by. Nobody else can read, change, cut or repeat what is said.
//! - Messages arrive whole, once, and in the order of their [`Priority`]; more urgent ones overtake the rest.
//! - [`Session::send`] waits while the peer is slow. A peer whose application does not read holds up itself alone.
//! - [`Event::Connected`] comes first, then messages, then [`Event::Disconnected`] with the reason.
//! - A peer that vanishes is noticed within [`Timeouts::lost`].
//!
//! # Bounds
//!
//! Everything that others can fill has a limit in [`Limits`]. A session holds at most its receive window, its send queue
//! and 272 KiB of buffers; idle it holds about 5 KiB. Whoever makes work for nothing is told of in [`Event::Abuse`],
//! and refused for a while before any cryptography.
//!
//! # Finding peers
//!
//! A node looks where it is told to: [`NodeBuilder::lan`] on the networks that this machine is in, [`NodeBuilder::cache`] at
//! the peers of earlier runs, [`NodeBuilder::contacts`] at addresses known beforehand, [`NodeBuilder::gossip`] at what its
//! peers know, and [`NodeBuilder::discovery`] wherever you like. With [`NodeBuilder::keep`] it stays connected by itself;
//! [`Node::bootstrap`] waits for the first session, and tells what was tried where there is none. What is found is a rumour
//! until the peer has proven its key.
//!
//! # Behind a NAT
//!
//! With [`NodeBuilder::nat`] a node asks the gateways for the ports that it listens on. Peers tell each node where they see it and
//! dial it back: [`Event::Reachability`] and [`Node::endpoints`] say how far it can be reached, and only what was proven is told
//! to others. `crust nat` and `docs/nat.md` of the repository say what a NAT does, and what that means.
//!
//! # Transports
//!
//! Feature `tcp` (default) brings TCP. A transport of your own implements [`core::Transport`] and goes to
//! [`NodeBuilder::transport`]; `examples/custom_transport.rs` shows one.
//!
//! # Runtimes
//!
//! [`rt`] runs on async-std (default), on smol, or with neither on a small thread pool. Futures of this crate run on any
//! executor.

mod clock;
#[cfg_attr(
    not(feature = "gossip"),
    allow(dead_code, reason = "gossip alone has a channel so far")
)]
mod control;
mod error;
mod event;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzz;
mod message;
mod node;
mod pool;
mod reason;
mod recent;
mod session;
mod sync;
mod wire;

pub use bytes::Bytes;
pub use crust_core::{self as core, Addr, Contact, PeerId, Role, rt};
pub use crust_crypto::{Cipher, Identity, NetworkKey};
pub use ipnet::IpNet;

#[cfg(feature = "beacon")]
pub use crust_beacon::Neighbour;

#[cfg(feature = "beacon")]
pub use self::node::finders::Lan;
#[cfg(feature = "nat")]
pub use crust_nat as nat;

#[cfg(feature = "nat")]
pub use self::node::{outside::Nat, reach::Reachability};
pub use self::{
    error::{Attempt, AttemptError, BootstrapError, ConnectError, SearchReport, StartError},
    event::{AbuseKind, Event},
    message::{Message, Priority},
    node::{
        Blocked, Node, NodeStats,
        builder::NodeBuilder,
        config::{Limits, Timeouts},
        dial::Target,
        endpoints::Endpoint,
    },
    reason::DisconnectReason,
    session::{SendError, Session, SessionStats},
};

#[cfg(all(doctest, feature = "tcp"))]
#[doc = include_str!("../../README.md")]
mod readme {}
