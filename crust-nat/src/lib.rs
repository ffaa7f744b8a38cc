//! What stands between this machine and the world, and a way through it.
//!
//! Most machines sit behind a NAT, many behind two. Whether a peer can reach them depends on what those do, so the
//! first thing is to know it, and the second to use the mildest means that works. Each part is of use without the rest of
//! Crust, and none has a server of its own built in: STUN servers are named, or peers are asked.
//!
//! | to | take |
//! |---|---|
//! | know what this machine is from outside | [`Prober`], which gives a [`NatReport`] |
//! | have a port reached through the gateway | [`gateway::PortMapper`]: PCP, NAT-PMP and UPnP-IGD |
//! | ask or be a STUN server, on a UDP port that others share | [`stun`] |
//! | know how one server sees a NAT behave | [`behaviour`] |
//! | decide which external address to believe | [`ExternalAddrs`] |
//! | notice that the machine is in another network | [`network_changes`] |
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::num::NonZeroU16;
//!
//! use crust_nat::{
//!     Prober,
//!     gateway::{InternalPort, PortMapper, PortMapperConfig, PortRequest},
//! };
//!
//! # crust_core::rt::block_on(async {
//! let report = Prober::new(["192.0.2.1:3478".parse()?]).report().await;
//! println!("{report}");
//!
//! let mapper = PortMapper::start(PortMapperConfig::default());
//! let port = NonZeroU16::new(5483).ok_or("a port is not 0")?;
//! mapper.add(PortRequest::new(InternalPort::udp(port)))?;
//! // … while it is wanted …
//! mapper.shutdown().await;
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! `docs/nat.md` of the repository says what each word of a report means, and which technique works between whom.
//!
//! # Not there yet
//!
//! Hole punching and relay: until then a node behind a NAT is reached where its gateway gives it a port, or where the NAT
//! lets in whoever knows its address.

pub mod behaviour;
mod external;
pub mod gateway;
mod network;
mod protocol;
pub mod report;
pub mod stun;

pub use self::{
    external::{ExternalAddrs, ExternalChange, ExternalObservation, LocalPort},
    network::{NetworkChange, NetworkLook, network_changes},
    protocol::Protocol,
    report::{NatReport, Prober},
};
