//! What a client tells.

use std::net::IpAddr;

use super::{failure::MappingFailure, leases::Grant, port::InternalPort};

/// What a client tells of its gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// The protocol is not spoken, or not now.
    Failed(MappingFailure),
    Found(Found),
    /// A mapping is there no more; it is asked for again.
    Lost {
        port: InternalPort,
    },
    Mapped {
        port: InternalPort,
        grant: Grant,
    },
    Refused {
        port: InternalPort,
        failure: MappingFailure,
    },
}

/// The protocol is spoken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Where the protocol alone does not tell it.
    pub(crate) version: Option<u8>,
    pub(crate) external_ip: Option<IpAddr>,
    pub(crate) epoch_s: Option<u32>,
}
