//! The traits and types that every part of Crust shares.
//!
//! Write a transport or a discovery against this crate alone; a node of the `crust` crate takes it as a value:
//!
//! - [`Transport`] dials and listens; [`Listener`], [`Incoming`] and [`Connection`] are what it gives.
//! - [`Discovery`] announces this node and finds others.
//! - [`PeerId`] names a peer, [`Addr`] a place to dial, [`Contact`] both; [`PeerRecord`] is what a peer signs about
//!   itself.
//! - [`ControlChannel`] carries what parts of a node say to the same part of connected peers.
//! - [`rt`] is tasks, time and blocking work, the same under each runtime.
//! - [`codec`], [`FrameCodec`] and [`varint`] turn values into bytes and back.
//!
//! Feature `udp` adds the module `udp`: one UDP port shared by several protocols.
//! Feature `test-util` adds an in-memory transport, a simulated network, and the suites that every implementer runs.
//!
//! # A transport in short
//!
//! ```
//! use crust_core::{Addr, Connection, DialOpts, Incoming, Listener, Transport, TransportError, async_trait};
//!
//! #[derive(Debug)]
//! struct Nowhere;
//!
//! #[async_trait]
//! impl Transport for Nowhere {
//!     fn schemes(&self) -> &[&'static str] {
//!         &["nowhere"]
//!     }
//!
//!     async fn dial(&self, addr: &Addr, _: &DialOpts) -> Result<Connection, TransportError> {
//!         Err(TransportError::Unreachable { addr: addr.clone() })
//!     }
//!
//!     async fn listen(&self, addr: &Addr) -> Result<Listener, TransportError> {
//!         Ok(Listener::from_accept(addr.clone(), (), |()| std::future::pending()))
//!     }
//! }
//! ```

mod addr;
pub mod codec;
mod connection;
mod control;
mod datagram_sealer;
mod discovery;
mod frame;
mod host_port;
mod listener;
mod live_port;
mod notify;
mod peer_id;
mod reach;
mod record;
pub mod rt;
mod source;
mod split_mix;
#[cfg(feature = "test-util")]
mod test_util;
mod transport;
#[cfg(feature = "udp")]
pub mod udp;
pub mod varint;

pub use async_trait::async_trait;

#[cfg(feature = "test-util")]
pub use self::test_util::{MemoryDiscovery, MemoryTransport, conformance, simnet};
pub use self::{
    addr::{Addr, AddrError, Contact, ContactError},
    connection::Connection,
    control::{CONTROL_MAX_LEN, ControlChannel, ControlError, ControlEvent, ControlEvents},
    datagram_sealer::DatagramSealer,
    discovery::{Announcement, DialOutcome, Discovery, DiscoveryError, FoundPeer, FoundPeers},
    frame::{FrameCodec, FrameError},
    host_port::HostPort,
    listener::{Incoming, Listener},
    live_port::listen_live,
    notify::Notify,
    peer_id::{PeerId, PeerIdError},
    reach::Reach,
    record::{PeerRecord, RecordError, SIGNATURE_LEN, SignedRecord, Signer, Verifier},
    source::source_towards,
    split_mix::SplitMix64,
    transport::{DialOpts, Role, Transport, TransportError},
};
