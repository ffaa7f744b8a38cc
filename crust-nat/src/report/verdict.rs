//! What a report means: who can reach this machine, and what would help.

use std::net::IpAddr;

use crust_core::Reach;
use serde::{Deserialize, Serialize};

use super::{NatCount, NatReport, PathReport};
use crate::behaviour::{Filtering, Mapping};

/// Who can reach this machine, the best of its paths taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Verdict {
    /// Nothing was answered, or too little was measured to say.
    Unknown,
    /// Peers that can be dialed, and those whose NAT lets in whoever has an address; a relay for the rest.
    Hard,
    /// All peers but those behind a NAT that maps by destination, by hole punching.
    Punchable,
    /// Whoever knows its address.
    Public,
}

/// What would help this machine to be reached, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Advice {
    /// The gateway gives ports away: a program that asks for one is reachable.
    MapPort,
    /// The gateway gave none of its ports away: its owner can switch UPnP, NAT-PMP or PCP on, or forward a port by hand.
    EnableMapping,
    /// Behind a carrier's NAT: no setting at home helps over IPv4; IPv6, or a public address from the provider, does.
    AskProvider,
    /// IPv6 is there and lets nobody in: a rule in the router's firewall makes it reachable.
    OpenFirewallV6,
    /// UDP is blocked: what keeps it out is the network's owner to change.
    AllowUdp,
}

impl NatReport {
    /// Who can reach this machine as it is, by whatever protocol.
    pub fn verdict(&self) -> Verdict {
        let paths = [&self.udp, &self.tcp, &self.udp_v6, &self.tcp_v6];
        let best = paths.map(PathReport::verdict).into_iter().max();
        best.unwrap_or(Verdict::Unknown)
    }

    /// What would help, the best first; nothing where anybody can reach it.
    pub fn advice(&self) -> Vec<Advice> {
        if self.verdict() == Verdict::Public {
            return Vec::new();
        }
        let is_v6_closed = [&self.udp_v6, &self.tcp_v6]
            .iter()
            .any(|path| path.is_open() && !path.is_reachable());
        let is_behind_one = self.nats == Some(NatCount::Exactly(1)) || self.nats.is_none();
        let cases = [
            (self.is_mapping_offered(), Advice::MapPort),
            (self.is_behind_many(), Advice::AskProvider),
            (
                self.is_translated() && is_behind_one && !self.is_mapping_offered(),
                Advice::EnableMapping,
            ),
            (is_v6_closed, Advice::OpenFirewallV6),
            (self.udp.is_blocked == Some(true), Advice::AllowUdp),
        ];
        let holds = |(holds, advice): (bool, Advice)| holds.then_some(advice);
        cases.into_iter().filter_map(holds).collect()
    }

    /// Whether a gateway gives away ports of an address at which the world sees this machine.
    fn is_mapping_offered(&self) -> bool {
        let seen: Vec<IpAddr> = [&self.udp, &self.tcp]
            .iter()
            .flat_map(|path| path.external.iter().copied())
            .collect();
        let is_ours = |ip: IpAddr| match seen.is_empty() {
            true => Reach::of_ip(ip) == Reach::Everywhere,
            false => seen.contains(&ip),
        };
        self.gateways
            .iter()
            .flat_map(|gateway| &gateway.protocols)
            .any(|protocol| protocol.refusal.is_none() && protocol.external.is_some_and(is_ours))
    }

    fn is_behind_many(&self) -> bool {
        matches!(
            self.nats,
            Some(NatCount::AtLeast(2..) | NatCount::Exactly(2..))
        )
    }

    fn is_translated(&self) -> bool {
        [&self.udp, &self.tcp]
            .iter()
            .any(|path| path.is_translated == Some(true))
    }
}

impl PathReport {
    /// Who can reach this machine on this path.
    pub fn verdict(&self) -> Verdict {
        if !self.is_open() {
            return Verdict::Unknown;
        }
        if self.is_reachable() {
            return Verdict::Public;
        }
        let is_moving = match self.mapping {
            Some(Mapping::EndpointIndependent) => Some(false),
            Some(_) => Some(true),
            None => self.is_one_port.map(|is_one_port| !is_one_port),
        };
        match (self.is_translated, is_moving, self.filtering) {
            (Some(false), ..) | (_, Some(false), _) => Verdict::Punchable,
            // Whatever the port: who sends to it is let in.
            (_, Some(true), Some(Filtering::EndpointIndependent)) => Verdict::Punchable,
            (_, Some(true), _) => Verdict::Hard,
            (_, None, _) => Verdict::Unknown,
        }
    }
}
