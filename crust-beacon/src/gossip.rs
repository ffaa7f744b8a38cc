//! Gossip: peers tell each other who is where, and the news goes from hop to hop.
//!
//! What travels are records that each peer has signed about itself (`PeerRecord` of `crust-core`). A [`Gossip`] runs
//! over the sessions there are, through a `ControlChannel` that its node hands it, and is a `Discovery` to that node:
//! what is announced is told to all, and a search finds all that was told.
//!
//! - **News goes at once.** A new record is sent on a tenth of a second after it came, the latest first, to those who
//!   do not have it. Every five seconds on average, a few random peers are asked for what was missed, by a short digest
//!   of what is known. A chain of 101 nodes knows all in 20 s.
//! - **A record that is unsigned, expired, over-long, or older than one that is known is never handed on.** Its peer
//!   renews it sixty times in its lifetime, which is 15 minutes in a network of a hundred and grows with it, to 25 hours
//!   in one of ten thousand. A peer of which three renewals are missing is held to be dead and not talked of any more:
//!   after 45 s in a network of a hundred, 75 minutes in one of ten thousand. A node for which a peer is dead forgets it
//!   earlier, when dials to it fail or [`forget`](Gossip::forget) says so.
//! - **All is bounded.** Each way of a session carries 32 KiB and 2 KiB/s; a node knows 10,000 records, of which one
//!   peer can have told 500, and 256 can be in one /24 or /48; it checks 700 signatures a second.
//! - **Who lies drives nobody out.** While the peer that told a record is connected, the record gives way only to
//!   those of peers that told less. A peer that breaks the rules is not heard any more, and reported.
//!
//! What one finds is a rumour until a handshake proves it.
//!
//! [`Gossip`] is a task around [`Machine`], which has no clock, socket or task, and can be run as here:
//!
//! ```
//! use std::sync::Arc;
//!
//! use crust_beacon::gossip::{Input, Machine, Moment, Output};
//! use crust_core::{PeerId, PeerRecord, SIGNATURE_LEN, Signer, Verifier};
//!
//! /// In earnest: `Identity` and `Ed25519Verifier` of `crust-crypto`.
//! struct Key(PeerId);
//! # impl Signer for Key {
//! #     fn peer_id(&self) -> PeerId {
//! #         self.0
//! #     }
//! #     fn sign(&self, _: &[u8]) -> [u8; SIGNATURE_LEN] {
//! #         [7; SIGNATURE_LEN]
//! #     }
//! # }
//! # struct AnyKey;
//! # impl Verifier for AnyKey {
//! #     fn verify(&self, _: &PeerId, _: &[u8], signature: &[u8; SIGNATURE_LEN]) -> bool {
//! #         *signature == [7; SIGNATURE_LEN]
//! #     }
//! # }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let [alice, bob] = [[1; 32], [2; 32]].map(PeerId::from_bytes);
//! let at = Moment::current();
//! let mut near = Machine::new(alice, Arc::new(AnyKey), [1; 32], at);
//! let mut far = Machine::new(bob, Arc::new(AnyKey), [2; 32], at);
//!
//! let record = PeerRecord {
//!     peer: alice,
//!     addrs: vec!["tcp://192.0.2.7:5483".parse()?],
//!     seq: near.next_seq(at),
//!     expires: at.unix_ms + 900_000,
//! };
//! near.set_local(record.sign(&Key(alice))?, at)?;
//!
//! // A session begins; what one says, the other hears.
//! far.handle_input(at, Input::Up(alice));
//! near.handle_input(at, Input::Up(bob));
//! while let Some(output) = near.poll_output() {
//!     if let Output::Send { message, .. } = output {
//!         let bytes = &message;
//!         far.handle_input(at, Input::Message { peer: alice, bytes });
//!     }
//! }
//! let found = far.next_after(0, at).expect("its own record goes first");
//! assert_eq!(found.record, record);
//! # Ok(())
//! # }
//! ```
//!
//! The messages, byte by byte, are in `docs/gossip.md` of the repository.

mod breach;
mod bucket;
mod candidate;
mod dice;
mod digest;
mod driver;
mod exchange;
mod gate;
mod hash;
mod ignored;
mod machine;
mod moment;
mod renewal;
mod search;
mod session;
mod stats;
mod table;
#[cfg(test)]
mod toy;
mod wire;

pub use self::{
    breach::Breach,
    digest::Digest,
    driver::Gossip,
    exchange::{Input, Known, Output},
    ignored::Ignored,
    machine::Machine,
    moment::Moment,
    stats::Stats,
    wire::{Message, Told, WireError},
};
