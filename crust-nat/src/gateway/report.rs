//! What is mapped, and what each gateway had to say.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use super::{
    address::Gateway, external_scope::ExternalScope, failure::MappingFailure, port::InternalPort,
};

/// A protocol by which gateways are asked for ports; the better ones are less.
///
/// PCP is the best: its answer has address and port at once, is known by a nonce, works for IPv6, and its epoch tells when the
/// gateway forgot. NAT-PMP lacks the nonce and IPv6. UPnP-IGD lacks the epoch as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MappingProtocol {
    /// PCP (RFC 6887).
    Pcp,
    /// NAT-PMP (RFC 6886).
    NatPmp,
    /// UPnP-IGD, 1 and 2; for IPv6 its firewall control.
    Upnp,
}

impl MappingProtocol {
    /// All of them, the best first.
    pub const ALL: [Self; 3] = [Self::Pcp, Self::NatPmp, Self::Upnp];
}

impl fmt::Display for MappingProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pcp => "PCP",
            Self::NatPmp => "NAT-PMP",
            Self::Upnp => "UPnP",
        })
    }
}

/// A lease of a port on a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PortMapping {
    /// The port of this host.
    pub port: InternalPort,
    /// Its address towards the gateway.
    pub internal: SocketAddr,
    /// Where the gateway says that it is reached from outside.
    pub external: SocketAddr,
    /// The gateway.
    pub gateway: Gateway,
    /// By which protocol.
    pub protocol: MappingProtocol,
    /// When it runs out, unless it is renewed, as it is at half its life; `None` where it lasts until it is deleted.
    pub expires_at: Option<Instant>,
    /// How far the external address reaches.
    pub external_scope: ExternalScope,
    /// Whether peers see this host at that address.
    pub agreement: Agreement,
}

impl PortMapping {
    /// Whether it is worth telling others: its address is global, and peers see no other.
    pub fn is_credible(&self) -> bool {
        self.external_scope == ExternalScope::Global && self.agreement != Agreement::Contradicted
    }
}

/// Whether what a gateway calls its external address is where peers see this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agreement {
    /// Peers see this host there.
    Confirmed,
    /// Peers see this host at another address of the family: the gateway lies, or is behind another NAT. A host with several
    /// gateways is also seen at the address of another one.
    Contradicted,
    /// Nobody has told.
    Unknown,
}

/// What came of asking one gateway by one protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProtocolReport {
    /// The gateway.
    pub gateway: Gateway,
    /// The protocol.
    pub protocol: MappingProtocol,
    /// Whether it speaks it.
    pub status: ProtocolStatus,
    /// The ports that it did not map, and why not.
    pub refusals: Vec<(InternalPort, MappingFailure)>,
}

/// Whether a gateway speaks a protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolStatus {
    /// It is being asked for the first time.
    Asking,
    /// It does not, or cannot map anything now.
    Failed(MappingFailure),
    /// It does.
    #[non_exhaustive]
    Speaks {
        /// 2 for PCP, 0 for NAT-PMP; for UPnP that of the service.
        version: u8,
        /// The external address it claims; PCP tells none without a mapping.
        external_ip: Option<IpAddr>,
        /// Seconds since its table was empty; UPnP does not tell.
        epoch_s: Option<u32>,
    },
}

/// All of it at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MappingReport {
    /// One for each port at each gateway that maps it, by the best protocol.
    pub mappings: Vec<PortMapping>,
    /// One for each protocol of each gateway, the best first.
    pub protocols: Vec<ProtocolReport>,
    /// Whether the gateways were listed, and each was heard or has been silent for two seconds.
    pub is_complete: bool,
}

impl MappingReport {
    /// The mappings of one port.
    pub fn of(&self, port: InternalPort) -> impl Iterator<Item = &PortMapping> {
        self.mappings
            .iter()
            .filter(move |mapping| mapping.port == port)
    }
}
