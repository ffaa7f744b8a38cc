//! Why a gateway maps nothing.

use std::{io, net::IpAddr};

use thiserror::Error;

use super::{nat_pmp, pcp, upnp};

/// Why a gateway maps nothing by one of the protocols. None of them is fatal: each is tried again, later and later.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MappingFailure {
    /// The gateway's device description, or its answer to an action, cannot be used.
    #[error("the gateway's answer cannot be used")]
    Answer {
        /// What is wrong with it.
        #[source]
        source: upnp::AnswerError,
    },
    /// The host is there, and nobody listens for the protocol.
    #[error("the gateway does not listen for it")]
    Closed,
    /// The gateway gave an external address that cannot be one.
    #[error("the gateway gave {ip} as the external address")]
    ExternalAddress {
        /// The address.
        ip: IpAddr,
    },
    /// The gateway gave 0 as the external port.
    #[error("the gateway gave 0 as the external port")]
    ExternalPortZero,
    /// The system, or the connection, said no.
    #[error("the gateway could not be spoken to: {kind}")]
    Io {
        /// What it said.
        kind: io::ErrorKind,
    },
    /// The gateway granted a mapping for no time at all.
    #[error("the gateway granted a mapping for 0 seconds")]
    LeaseZero,
    /// The gateway refused by NAT-PMP.
    #[error("refused")]
    NatPmp {
        /// Why.
        #[source]
        code: nat_pmp::ResultCode,
    },
    /// No answer yet. The gateway is asked on.
    #[error("no answer")]
    NoAnswer,
    /// The gateway has none itself: its line is down, or it is behind another NAT and says so.
    #[error("the gateway has no external address")]
    NoExternalAddress,
    /// The gateway refused by PCP.
    #[error("refused")]
    Pcp {
        /// Why.
        #[source]
        code: pcp::ResultCode,
    },
    /// The gateway refused by UPnP.
    #[error("refused")]
    Upnp {
        /// Why.
        #[source]
        code: upnp::ErrorCode,
    },
    /// The gateway has a UPnP device without the service that maps ports.
    #[error("the gateway's UPnP device maps no ports of this kind")]
    UpnpService,
    /// The gateway speaks another version of the protocol.
    #[error("the gateway speaks version {version}")]
    Version {
        /// The version.
        version: u8,
    },
}

impl MappingFailure {
    /// Whether nobody there speaks the protocol, as far as one can hear.
    pub const fn is_silence(&self) -> bool {
        matches!(self, Self::Closed | Self::NoAnswer)
    }

    pub(crate) fn from_io(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Closed,
            kind => Self::Io { kind },
        }
    }
}
