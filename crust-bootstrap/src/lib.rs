//! Remembers the peers of earlier sessions, so that a node finds its network again by itself.
//!
//! A node that was part of a network yesterday needs nobody's help today: it dials those it knew, the most promising
//! first. [`PeerCache`] is a [`Discovery`] that a node takes as a value. It gives the peers in its file and then the
//! fallback contacts, and learns from each dial how that went.
//!
//! ```
//! # use crust_core::{PeerId, SIGNATURE_LEN, Verifier};
//! # struct Ed25519Verifier;
//! # impl Verifier for Ed25519Verifier {
//! #     fn verify(&self, _: &PeerId, _: &[u8], _: &[u8; SIGNATURE_LEN]) -> bool { false }
//! # }
//! use std::{sync::Arc, time::Duration};
//!
//! use crust_bootstrap::PeerCache;
//! use crust_core::{DialOutcome, Discovery};
//! use futures::StreamExt;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let own_id = PeerId::from_bytes([1; 32]);
//! # let peer = PeerId::from_bytes([2; 32]);
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("peers");
//! # crust_core::rt::block_on(async {
//! let cache = PeerCache::builder(own_id, Arc::new(Ed25519Verifier))
//!     .file(&path)
//!     .contacts(["tcp://bootstrap.example.org:5483".parse()?])
//!     .open()
//!     .await;
//!
//! // Nobody is known yet: the search gives the fallback contact alone.
//! let mut search = cache.discover();
//! let found = search.next().await.expect("there is a contact")?;
//! let elapsed = Duration::from_millis(25);
//! cache.report(&found.addrs[0], &DialOutcome::Connected { peer, elapsed });
//! cache.shutdown().await;
//!
//! // The next time it gives the peer that was reached there, and then whatever else there is to try.
//! # let verifier = Arc::new(Ed25519Verifier);
//! let cache = PeerCache::builder(own_id, verifier).file(&path).open().await;
//! let found = cache.discover().next().await.expect("it was reached")?;
//! assert_eq!(found.peer, Some(peer));
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! # The file
//!
//! It is where the program says. [`default_path`] is a place in the user's data directory, one file for each network.
//! Without a file the cache lasts as long as the process. It holds at most 1,500 peers and 512 KiB.
//!
//! - **Whole.** It is written to a temporary file, synced and renamed: whatever is killed when, the file is one whole
//!   version. Changes are saved after a second, then at most every 30 s, and at [`PeerCache::shutdown`].
//! - **Shared.** Several processes may have it open. Each merges what it knows with what the file says, under a lock,
//!   so that nobody's peers are lost.
//! - **Salvaged.** Each entry has its own checksum. A file that is damaged, cut short, far too long, or by a later
//!   version gives every entry that is whole; it is set aside under a new name, and one warning says where. What was
//!   set aside is never overwritten; there are eight at most.
//! - **Never in the way.** A full or read-only disk is a warning, once, and the cache runs on in memory.
//!
//! `docs/cache-file.md` of the repository has the format, byte by byte.
//!
//! # Who comes first
//!
//! | | |
//! |---|---|
//! | 1 | peers that an ordinary dial reached |
//! | 2 | peers that were reached with the help of others (`relay://`) |
//! | 3 | peers that were only heard of: records, imports |
//! | 4 | whoever failed three times in a row of late |
//!
//! Among equals the one reached last comes first. A failure counts like a day without contact, and half of all failures
//! are forgiven every six hours. Ten in a row remove an address, and with its last one the peer; it comes back when it
//! is reached, imported, or has signed a newer record. While the node reaches nobody at all
//! ([`PeerCache::set_online`]) failures demote and do not remove.
//!
//! When there are too many, whoever was never reached goes first: no flood of rumours drives out a peer that is known
//! to be one.
//!
//! # What is private
//!
//! A private address (RFC 1918, RFC 4193, RFC 6598, loopback, `name.local`) is kept with the LAN in which it was met,
//! which is the prefix of this node's own address there, and is offered only while the node is in that prefix again.
//! [`PeerCache::set_lans`] says which those are; without any, no private address is kept. One beyond a router is kept
//! once it was reached, for as long as all private prefixes are what they were. None is exported, and a record with
//! somebody else's private addresses is not kept as such. Two LANs with the same prefix look the same: a dial to the
//! wrong one fails, for the peer must prove itself. Link-local addresses are not kept: they name no LAN.
//!
//! A program that is no node looks at the file with [`PeerCacheBuilder::read`], which never writes, and changes it with
//! [`PeerCacheBuilder::edit`], where what fails is an error and no warning.
//!
//! The file has mode 0600. Its name does not reveal the network, and the node's own entry is never in it.
//!
//! # Clocks
//!
//! A clock that is years off loses nobody. Times in the future are moved to now, in their order, and age from there.
//!
//! [`Discovery`]: crust_core::Discovery

mod builder;
mod cache;
mod cached;
mod entry;
mod file;
mod folder;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzz;
mod imported;
mod keeper;
mod known;
mod lans;
mod rank;
mod settle;
mod stored;
mod table;
#[cfg(test)]
mod testing;
mod wire;

pub use self::{
    builder::{PeerCacheBuilder, default_path},
    cache::PeerCache,
    cached::{CachedAddr, CachedPeer, ImportError},
    file::CacheError,
    imported::{Imported, NotKept},
};
