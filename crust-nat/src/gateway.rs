//! Ports on the gateway, by UPnP-IGD, NAT-PMP and PCP.
//!
//! A [`PortMapper`] asks every default gateway of this host by all three protocols at once, and keeps what is mapped:
//!
//! ```
//! use std::num::NonZeroU16;
//!
//! use crust_core::rt;
//! use crust_nat::gateway::{InternalPort, PortMapper, PortMapperConfig, PortRequest};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # rt::block_on(async {
//! # let config = PortMapperConfig::default().with_gateways(&[]);
//! # let port = NonZeroU16::MAX;
//! let mapper = PortMapper::start(config); // returns at once
//! mapper.add(PortRequest::new(InternalPort::udp(port)))?;
//! for mapping in &mapper.report().mappings {
//!     println!("{} is reached at {}", mapping.port, mapping.external);
//! }
//! mapper.shutdown().await; // deletes what was mapped
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! [`PortMapper::reports`] tells each change: what is mapped where, and for each gateway and protocol what came of it, with the
//! protocol's own error code and its meaning. [`discover`] asks who speaks what and maps nothing.
//!
//! # What is believed
//!
//! Only what comes from the gateway's own address and answers what was asked. Leases longer than a day are taken for a day, and
//! port 0, no time at all and addresses that are none for refusals. An external address that is private or a carrier's is told
//! as such ([`PortMapping::external_scope`]), and one that peers contradict too: tell them by [`PortMapper::observe`].
//!
//! # What it does not do
//!
//! It does not listen to announcements on port 5350: a gateway that was started again is found out by asking it once a minute.
//! A port that another program of this host mapped by UPnP, to the same external port, is overwritten, as that standard has it.
//!
//! # How it is built
//!
//! Bytes to types and back is `wire` of [`nat_pmp`] and [`pcp`], and the files of [`upnp`]. `leases` knows what is wanted and when
//! to ask for it, for all three; `client` speaks NAT-PMP and PCP, `upnp/client` UPnP, and `mapper` decides which of them maps a
//! port. None of those does I/O or knows the time; `driver` gives them sockets and tasks.

mod address;
mod client;
mod dialect;
mod driver;
mod epoch;
mod event;
mod external_scope;
mod failure;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzz;
mod leases;
mod mapper;
pub mod nat_pmp;
pub mod pcp;
mod port;
mod port_mapper;
mod report;
mod retry;
mod rng;
mod routes;
mod seconds;
pub mod upnp;
mod watch;

pub use self::{
    address::Gateway,
    external_scope::ExternalScope,
    failure::MappingFailure,
    port::{InternalPort, PortRequest},
    port_mapper::{AddError, MappingReports, PortMapper, PortMapperConfig, discover},
    report::{
        Agreement, MappingProtocol, MappingReport, PortMapping, ProtocolReport, ProtocolStatus,
    },
    routes::gateways,
};
