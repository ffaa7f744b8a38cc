//! Finds peers on the LAN.

mod beacon;
mod builder;
mod contacts;
mod counters;
mod driver;
mod ear;
mod freshness;
mod interface;
mod interfaces;
mod limit;
mod link;
mod machine;
mod neighbours;
mod notify;
mod reader;
mod replay;
mod replies;
mod rng;
mod schedule;
mod search;
mod shared;
mod sockets;
mod voice;
mod wire;

pub use self::{
    beacon::Beacon,
    builder::BeaconBuilder,
    contacts::{ContactSource, MAX_CONTACTS},
    counters::Counters,
    neighbours::Neighbour,
};

/// The name of this discovery.
pub(crate) const NAME: &str = "lan";
