//! Gossip among whole networks in virtual time.
#![cfg(feature = "gossip")]

mod chain;
mod keys;
mod poison;
mod random;
mod world;
