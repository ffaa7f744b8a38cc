//! What stands between this machine and the world, as far as it was measured.

mod judge;
mod people;
mod probe;
mod verdict;

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use serde::{Deserialize, Serialize};

pub use self::{
    people::Section,
    probe::Prober,
    verdict::{Advice, Verdict},
};
use crate::{
    Protocol,
    behaviour::{Filtering, Mapping},
};

/// What stands between this machine and the world.
///
/// `None` is what was not measured, or not surely: nothing here is a guess. As JSON each word is in kebab-case; fields may be
/// added, none will change its meaning. `Display` is for people, [`NatReport::verdict`] what it means for being reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct NatReport {
    /// UDP over IPv4.
    pub udp: PathReport,
    /// TCP over IPv4.
    pub tcp: PathReport,
    /// UDP over IPv6, which is not to be translated and often is filtered.
    pub udp_v6: PathReport,
    /// TCP over IPv6.
    pub tcp_v6: PathReport,
    /// Number of NATs between this machine and the world over IPv4, where that can be known.
    pub nats: Option<NatCount>,
    /// What the gateways speak.
    pub gateways: Vec<GatewayReport>,
    /// Whom was asked.
    pub servers: Vec<ServerReport>,
    /// How long it took.
    #[serde(with = "milliseconds", rename = "elapsed-ms")]
    pub elapsed: Duration,
}

/// One protocol over one version of IP.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct PathReport {
    /// Whether none of it gets out or comes back, while something else does.
    pub is_blocked: Option<bool>,
    /// The address of this machine from which packets to the world leave.
    pub local: Option<IpAddr>,
    /// As the world sees it; several, where a NAT has several.
    pub external: Vec<IpAddr>,
    /// Whether what leaves has another address or port when it arrives.
    pub is_translated: Option<bool>,
    /// Whether all who were asked from one port saw one external port. Two servers tell it, of whatever kind.
    pub is_one_port: Option<bool>,
    /// For what a NAT reuses an external port (RFC 4787 §4.1, RFC 5382 §4.1).
    pub mapping: Option<Mapping>,
    /// From whom packets to an external port are let in (RFC 4787 §5, RFC 5382 §4.2). A firewall without a NAT filters too.
    pub filtering: Option<Filtering>,
    /// How a NAT chooses an external port (RFC 4787 §4.2).
    pub allocation: Option<Allocation>,
    /// For how long a mapping lives that nothing is sent over. Measuring it takes minutes.
    pub lifetime: Option<Lifetime>,
    /// Whether two ports behind the NAT reach each other by their external addresses (RFC 4787 §6, RFC 5382 §4.3).
    pub hairpin: Option<bool>,
}

impl PathReport {
    /// Whether somebody outside answered.
    pub fn is_open(&self) -> bool {
        self.is_blocked == Some(false)
    }

    /// Whether whoever knows its address can dial this machine: nothing is filtered, and the address does not depend on who
    /// asks.
    pub fn is_reachable(&self) -> bool {
        let is_one_address =
            self.is_translated == Some(false) || self.mapping == Some(Mapping::EndpointIndependent);
        is_one_address && self.filtering == Some(Filtering::EndpointIndependent)
    }
}

/// How a NAT chooses the external port of a new mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Allocation {
    /// The same as the internal port, where it is free.
    Preserving,
    /// By chance, as far as one can see.
    Random,
    /// That of the mapping before and a step.
    Sequential {
        /// What is added; seldom another than 1.
        step: i16,
    },
}

/// For how long a mapping lives that nothing is sent over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Lifetime {
    /// It was still there after so many seconds.
    #[serde(rename = "at-least-s")]
    pub at_least_s: u32,
    /// It was gone after so many; `None` where none was seen to go.
    #[serde(rename = "under-s")]
    pub under_s: Option<u32>,
}

/// How many NATs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NatCount {
    /// So many and perhaps more.
    AtLeast(u8),
    /// So many.
    Exactly(u8),
}

/// What one gateway says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct GatewayReport {
    /// Its address on this machine's network.
    pub gateway: IpAddr,
    /// This machine's address towards it.
    pub local: IpAddr,
    /// The mapping protocols that it was asked for, and what came of it.
    pub protocols: Vec<MappingProtocolReport>,
}

/// What a gateway says in one mapping protocol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct MappingProtocolReport {
    /// `UPnP`, `NAT-PMP` or `PCP`.
    pub name: String,
    /// Whether it speaks it.
    pub is_spoken: bool,
    /// Its own external address, as it says. One that differs from what the world sees is behind another NAT, or a lie.
    pub external: Option<IpAddr>,
    /// Why it gives nothing: the protocol's own code and its meaning.
    pub refusal: Option<String>,
}

/// What came of asking one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct ServerReport {
    /// Whom.
    pub server: SocketAddr,
    /// Over what.
    pub protocol: Protocol,
    /// The shortest round trip; `None` where no answer came.
    #[serde(with = "optional_milliseconds", rename = "rtt-ms")]
    pub rtt: Option<Duration>,
}

/// A time as JSON has it.
mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        u64::try_from(time.as_millis())
            .unwrap_or(u64::MAX)
            .serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}

/// A time as JSON has it, where there is one.
mod optional_milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(
        time: &Option<Duration>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        time.map(|time| time.as_secs_f64() * 1e3).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        let millis = Option::<f64>::deserialize(from)?;
        let duration = |millis: f64| Duration::try_from_secs_f64(millis / 1e3).ok();
        Ok(millis.and_then(duration))
    }
}
