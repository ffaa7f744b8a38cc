//! Gossip.

mod breach;
mod bucket;
mod candidate;
mod dice;
mod digest;
mod gate;
mod hash;
mod ignored;
mod machine;
mod moment;
mod renewal;
mod session;
mod stats;
mod table;
#[cfg(test)]
mod toy;
mod wire;

pub use self::{
    breach::Breach,
    digest::Digest,
    ignored::Ignored,
    machine::{Input, Known, Machine, Output},
    moment::Moment,
    stats::Stats,
    wire::{Message, WireError},
};
