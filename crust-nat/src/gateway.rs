//! Ports on the gateway, by UPnP-IGD, NAT-PMP and PCP.

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
mod notify;
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
    port::{InternalPort, IpProtocol, PortRequest},
    port_mapper::{AddError, MappingReports, PortMapper, PortMapperConfig, discover},
    report::{
        Agreement, MappingProtocol, MappingReport, PortMapping, ProtocolReport, ProtocolStatus,
    },
    routes::gateways,
};
