//! Finds peers on the LAN and, by gossip among peers, beyond it.
//!
//! **Of this crate, gossip works so far;** what is said of the beacon is what it will be.
//!
//! Two nodes on one LAN should find each other with no server, no name service and no configuration. Nodes that are
//! connected should tell each other of further ones. Both will be a `Discovery` of `crust-core` that a node takes as a
//! value.
//!
//! # The beacon
//!
//! - Announces this node and asks for others on every interface that is up: IPv4 broadcast and IPv6 multicast, port
//!   5483, each interface with its own addresses only. Interfaces that come and go are followed.
//! - Datagrams are sealed with a key of the network: to others they look random, and two networks on one LAN do not
//!   see each other. Old ones that somebody sends again are refused.
//! - Quiet and of no use for attacks: a bounded number of datagrams per second, answers no larger than three times the
//!   question, and only to addresses on the link.
//!
//! # Gossip
//!
//! Module `gossip`, of the feature with that name: peers tell each other signed records of who is where, over the
//! sessions they have. Memory, bandwidth and trust are bounded, so that one that lies does not drive out those that do not.
//!
//! What a discovery yields is a rumour until a handshake proves it; that holds for both.
//!
//! Until then a node is told whom to dial.
//!
//! [`Discovery`]: https://docs.rs/crust-core/latest/crust_core/trait.Discovery.html

#[cfg(feature = "gossip")]
pub mod gossip;
