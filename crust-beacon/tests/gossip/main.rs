//! Gossip among whole networks in virtual time.
#![cfg(feature = "gossip")]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

mod chain;
mod keys;
mod poison;
mod random;
mod world;
