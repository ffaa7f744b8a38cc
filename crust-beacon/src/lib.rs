//! Finds peers on the LAN and, by gossip among peers, beyond it.
//!
//! Two nodes on one LAN find each other in a fraction of a second, with no server, no name service, no default route
//! and no configuration. A [`Beacon`] is a `Discovery` of `crust-core` that a node takes as a value; what it yields is a
//! rumour until a handshake proves it.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use crust_beacon::Beacon;
//! use crust_core::{Announcement, Discovery};
//! use crust_crypto::{Ed25519Verifier, Identity, NetworkKey, NetworkSealer};
//! use futures::StreamExt;
//!
//! # async fn example() -> Result<(), crust_core::DiscoveryError> {
//! let identity = Identity::generate();
//! let beacon = Beacon::builder(Arc::new(NetworkSealer::new(&NetworkKey::default())))
//!     .with_signer(Arc::new(identity.clone()))
//!     .with_verifier(Arc::new(Ed25519Verifier))
//!     .start();
//!
//! // `[::]` stands for whatever address each link has, now and later.
//! let addrs = vec!["tcp://[::]:5483".parse().expect("it is an address")];
//! let peer = identity.peer_id();
//! beacon.announce(&Announcement { peer, addrs }).await?;
//!
//! let mut search = beacon.discover();
//! if let Some(found) = search.next().await {
//!     let found = found?;
//!     println!("{:?} can be dialed at {:?}", found.peer, found.addrs);
//! }
//! beacon.shutdown().await; // says goodbye
//! # Ok(())
//! # }
//! ```
//!
//! # How it works
//!
//! - On every interface that is up and not loopback it sends by IPv4 broadcast and by IPv6 multicast, to port 5483 and
//!   the group `ff12::8000:5483`; each interface announces its own addresses only. Interfaces that come, go or change
//!   address are followed within a second or two. Several nodes of one host share the port.
//! - It announces at once and then at growing intervals up to a minute, answers questions after a random delay of up
//!   to 200 ms unless eight others did, and says goodbye.
//! - Where broadcast is filtered, [`Beacon::probe`] asks hosts one by one. Where another program has the port, it says
//!   so once and finds others by asking; they answer to the port that the question came from.
//! - A question tells who asks, and an answer may offer bootstrap contacts ([`Neighbour::offers_contacts`]). Those are
//!   never in a datagram: whoever wants them asks over a connection to that neighbour.
//!
//! # What strangers see and can do
//!
//! Datagrams are sealed by a [`DatagramSealer`](crust_core::DatagramSealer), such as the `NetworkSealer` of
//! `crust-crypto`: without the network's key they are random bytes of one of three lengths, two networks on one LAN do
//! not see each other, and nothing tells one announcement of a node from another's. The source address of a datagram is
//! as on any LAN.
//!
//! | somebody | gets |
//! |---|---|
//! | sends junk | nothing: it is refused by one ChaCha20 block, at most 50,000 a second and socket are looked at, and 46,000 a second cost less than a tenth of a core |
//! | sends recorded datagrams again | nothing within two minutes; later, four questions a second at most, and nothing is believed |
//! | has the network key, and lies about another peer | nothing, where there is a verifier; an old record of it is a rumour where nothing newer is known |
//! | has the network key, and talks without end | 20 datagrams a second and link are believed, 64 neighbours of one host |
//! | asks with a false source address | some 16 answers if it asks all, one if it asks one host; each no longer than three times the question, and to addresses on the link only |
//! | points at others | nothing: addresses that are not on the link are left out |
//!
//! A node sends at most 20 datagrams a second on a link, and believes as many.
//!
//! # Clocks
//!
//! A datagram whose time is more than a minute from ours is not believed. But a node with a wrong clock is to be found
//! too: a question carries a random token, and whatever repeats a token of the last five seconds was made just now. So
//! an announcement that looks old is answered by a question, by one of all who heard it, and the answer to that is
//! believed.
//!
//! Of two records of a peer the one with the higher number holds, whatever the time. A node whose clock is set back while
//! it runs goes on counting; one that crashed and starts again with such a clock is not taken again until its old entry
//! expires, within 255 s.
//!
//! # Gossip
//!
//! Module `gossip`, of the feature with that name: peers tell each other signed records of who is where, over the
//! sessions they have. Memory, bandwidth and trust are bounded, so that one that lies does not drive out those that do
//! not.
//!
//! # Without I/O
//!
//! All of that is a machine that is told the time and the interfaces; a thin driver has the sockets. What is in a
//! datagram, byte by byte, is in `docs/beacon.md` of the repository.

mod beacon;
mod builder;
mod counters;
mod driver;
mod ear;
mod freshness;
#[cfg(fuzzing)]
pub mod fuzz;
#[cfg(feature = "gossip")]
pub mod gossip;
mod interface;
mod interfaces;
mod limit;
mod link;
mod machine;
mod neighbours;
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

pub use self::{beacon::Beacon, builder::BeaconBuilder, counters::Counters, neighbours::Neighbour};

/// The name of this discovery.
pub(crate) const NAME: &str = "lan";
