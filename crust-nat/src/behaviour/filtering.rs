//! Whose datagrams a NAT or a firewall lets in.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Whose datagrams a NAT, or a firewall, lets in to a port that has sent something (RFC 4787 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Filtering {
    /// Everybody's.
    EndpointIndependent,
    /// Those from IP addresses that the port has sent to.
    AddressDependent,
    /// Those from IP addresses and ports that the port has sent to.
    AddressAndPortDependent,
}

impl fmt::Display for Filtering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::EndpointIndependent => "endpoint-independent",
            Self::AddressDependent => "address-dependent",
            Self::AddressAndPortDependent => "address-and-port-dependent",
        })
    }
}
