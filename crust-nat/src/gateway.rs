//! Ports on the gateway, by UPnP-IGD, NAT-PMP and PCP.

mod address;
mod client;
mod dialect;
mod epoch;
mod event;
mod external_scope;
mod failure;
mod leases;
pub mod nat_pmp;
pub mod pcp;
mod port;
mod retry;
mod rng;
mod seconds;
pub mod upnp;

pub use self::{
    address::Gateway,
    external_scope::ExternalScope,
    failure::MappingFailure,
    port::{InternalPort, IpProtocol, PortRequest},
};
