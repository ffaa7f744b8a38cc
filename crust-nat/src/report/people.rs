//! A report in words for people.

use std::{fmt, net::IpAddr};

use super::{
    Advice, Allocation, GatewayReport, Lifetime, MappingProtocolReport, NatCount, NatReport,
    PathReport, Verdict,
};
use crate::{
    Protocol,
    behaviour::{Filtering, Mapping},
};

/// A heading and what stands below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// What it is about.
    pub title: &'static str,
    /// What is said of it: a name, and its value in words.
    pub rows: Vec<(String, String)>,
}

impl NatReport {
    /// The report as a table, for whoever prints it in a way of their own. Paths on which nobody was asked are left out.
    pub fn sections(&self) -> Vec<Section> {
        let (udp, tcp) = (Protocol::Udp, Protocol::Tcp);
        let paths = [
            ("UDP over IPv4", &self.udp, udp, true),
            ("TCP over IPv4", &self.tcp, tcp, true),
            ("UDP over IPv6", &self.udp_v6, udp, false),
            ("TCP over IPv6", &self.tcp_v6, tcp, false),
        ];
        let is_asked = |protocol: Protocol, is_v4: bool| {
            let mut servers = self.servers.iter();
            servers.any(|it| it.protocol == protocol && it.server.is_ipv4() == is_v4)
        };
        let asked = paths
            .into_iter()
            .filter(|(_, _, protocol, is_v4)| is_asked(*protocol, *is_v4));
        let mut sections: Vec<_> = asked
            .map(|(title, path, ..)| Section {
                title,
                rows: path_rows(path),
            })
            .collect();
        sections.push(Section {
            title: "Router",
            rows: self.router_rows(),
        });
        sections
    }

    /// What the report means, in sentences.
    pub fn meaning(&self) -> Vec<String> {
        let mut sentences = vec![self.verdict().to_string()];
        sentences.extend(self.advice().iter().map(Advice::to_string));
        sentences
    }

    fn router_rows(&self) -> Vec<(String, String)> {
        let nats = self.nats.map_or_else(unknown, |nats| nats.to_string());
        let mut rows = vec![row("NATs on the way", nats)];
        if self.gateways.is_empty() {
            rows.push(row("gateway", "none found".into()));
        }
        for gateway in &self.gateways {
            rows.extend(gateway_rows(gateway));
        }
        rows
    }
}

impl fmt::Display for NatReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Section { title, rows } in self.sections() {
            writeln!(f, "{title}")?;
            for (name, value) in rows {
                writeln!(f, "  {name:<NAME_WIDTH$}{value}")?;
            }
        }
        for sentence in self.meaning() {
            writeln!(f, "{sentence}")?;
        }
        Ok(())
    }
}

fn path_rows(path: &PathReport) -> Vec<(String, String)> {
    match path.is_blocked {
        None => return vec![row("answers", "none, so nothing is known".into())],
        Some(true) => return vec![row("blocked", "yes: nothing comes back".into())],
        Some(false) => {}
    }
    let mut rows = vec![row("external address", addresses(path))];
    if path.is_translated != Some(false) {
        rows.push(row("mapping", mapping(path)));
        rows.push(row("ports", words(path.allocation.as_ref())));
        rows.push(row("lifetime", words(path.lifetime.as_ref())));
        rows.push(row("hairpin", path.hairpin.map_or_else(unknown, yes_or_no)));
    }
    rows.push(row(
        "filtering",
        path.filtering.map_or_else(unknown, filtering),
    ));
    rows
}

fn mapping(path: &PathReport) -> String {
    let Some(mapping) = path.mapping else {
        return match path.is_one_port {
            Some(false) => "depends on the destination: servers see different ports".into(),
            _ => unknown(),
        };
    };
    let meaning = match mapping {
        Mapping::EndpointIndependent => "all peers see one port",
        Mapping::AddressDependent => "each peer's address sees a port of its own",
        Mapping::AddressAndPortDependent => "each peer's port sees a port of its own",
    };
    format!("{mapping}: {meaning}")
}

fn filtering(filtering: Filtering) -> String {
    let meaning = match filtering {
        Filtering::EndpointIndependent => "everybody is let in",
        Filtering::AddressDependent => "addresses are let in that were sent to",
        Filtering::AddressAndPortDependent => "ports are let in that were sent to",
    };
    format!("{filtering}: {meaning}")
}

fn addresses(path: &PathReport) -> String {
    let external: Vec<_> = path.external.iter().map(IpAddr::to_string).collect();
    let external = external.join(", ");
    match (path.is_translated, path.local) {
        (Some(true), Some(local)) => format!("{external}, translated from {local}"),
        (Some(false), _) => format!("{external}, this machine's own"),
        _ => external,
    }
}

fn gateway_rows(gateway: &GatewayReport) -> Vec<(String, String)> {
    let name = |protocol: &MappingProtocolReport| format!("{} {}", gateway.gateway, protocol.name);
    let rows = gateway.protocols.iter();
    rows.map(|protocol| (name(protocol), says(protocol)))
        .collect()
}

fn says(protocol: &MappingProtocolReport) -> String {
    match (protocol.is_spoken, &protocol.refusal, protocol.external) {
        (false, None, _) => "no answer".into(),
        (_, Some(refusal), _) => format!("refuses: {refusal}"),
        (true, None, Some(ip)) => format!("yes, of {ip}"),
        (true, None, None) => "yes".into(),
    }
}

fn row(name: &str, value: String) -> (String, String) {
    (name.to_owned(), value)
}

fn words<T: fmt::Display>(value: Option<&T>) -> String {
    value.map_or_else(unknown, T::to_string)
}

fn unknown() -> String {
    "unknown".into()
}

fn yes_or_no(is_so: bool) -> String {
    if is_so { "yes" } else { "no" }.into()
}

impl fmt::Display for Allocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Preserving => f.write_str("preserved where free"),
            Self::Random => f.write_str("random"),
            Self::Sequential { step } => write!(f, "sequential, in steps of {step}"),
        }
    }
}

impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            at_least_s,
            under_s,
        } = self;
        match under_s {
            Some(under_s) => write!(f, "{at_least_s} to {under_s} s without a packet"),
            None => write!(f, "{at_least_s} s or more without a packet"),
        }
    }
}

impl fmt::Display for NatCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(count) => write!(f, "{count} or more"),
            Self::Exactly(0) => f.write_str("none"),
            Self::Exactly(count) => write!(f, "{count}"),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => {
                "Nobody answered, or too few to tell: name servers or peers that are surely there."
            }
            Self::Hard => {
                "Hard to reach: each peer sees another address of this machine. It gets through to peers that can be \
                 dialed or that let in whoever has their address; others need a relay."
            }
            Self::Punchable => {
                "Reachable with a little help: a peer gets in by hole punching, unless its own NAT gives it \
                 another address for each destination."
            }
            Self::Public => "Reachable: whoever knows the address of this machine can dial it.",
        })
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MapPort => {
                "The router gives ports away: a node that asks for one is reachable (`crust map PORT`; a node does so by itself)."
            }
            Self::EnableMapping => {
                "The router gives no port away: switch UPnP, NAT-PMP or PCP on in it, or forward a port by hand."
            }
            Self::AskProvider => {
                "There is a second NAT, most likely the provider's: nothing at home changes it. IPv6, or a public address from the \
                 provider, does."
            }
            Self::OpenFirewallV6 => {
                "IPv6 is there and a firewall lets nobody in: a rule for this machine in the router makes it reachable."
            }
            Self::AllowUdp => {
                "UDP is blocked: peers are met over TCP alone, more slowly and fewer of them, until the network lets UDP out."
            }
        })
    }
}

/// Wide enough for every name but those of gateways over IPv6.
const NAME_WIDTH: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> NatReport {
        let path = PathReport {
            is_blocked: Some(false),
            local: "192.168.1.2".parse().ok(),
            external: vec!["22.0.0.1".parse().unwrap()],
            is_translated: Some(true),
            is_one_port: Some(true),
            mapping: Some(Mapping::EndpointIndependent),
            filtering: Some(Filtering::AddressAndPortDependent),
            allocation: Some(Allocation::Sequential { step: 1 }),
            lifetime: Some(Lifetime {
                at_least_s: 120,
                under_s: Some(180),
            }),
            hairpin: Some(false),
        };
        NatReport {
            tcp: PathReport {
                lifetime: None,
                ..path.clone()
            },
            udp: path,
            nats: Some(NatCount::Exactly(1)),
            gateways: vec![GatewayReport {
                gateway: "192.168.1.1".parse().unwrap(),
                local: "192.168.1.2".parse().unwrap(),
                protocols: vec![MappingProtocolReport {
                    name: "NAT-PMP".into(),
                    is_spoken: true,
                    external: "22.0.0.1".parse().ok(),
                    refusal: None,
                }],
            }],
            servers: ["11.0.0.1:3478", "[2d00::1]:3478"]
                .map(|server| super::super::ServerReport {
                    server: server.parse().unwrap(),
                    protocol: Protocol::Udp,
                    rtt: Some(std::time::Duration::from_millis(50)),
                })
                .into(),
            ..NatReport::default()
        }
    }

    #[test]
    fn report_is_read_as_it_was_written() {
        let json = serde_json::to_string(&home()).unwrap();
        assert_eq!(serde_json::from_str::<NatReport>(&json).unwrap(), home());
        // What a later version adds, and what an earlier one did not have.
        let other = r#"{"udp":{"mapping":"address-dependent"},"news":1}"#;
        let other: NatReport = serde_json::from_str(other).unwrap();
        assert_eq!(other.udp.mapping, Some(Mapping::AddressDependent));
    }

    #[test]
    fn people_read_what_it_is_and_what_it_means() {
        let text = home().to_string();
        for words in [
            "22.0.0.1, translated from 192.168.1.2",
            "sequential, in steps of 1",
            "120 to 180 s without a packet",
            "192.168.1.1 NAT-PMP     yes, of 22.0.0.1",
            "Reachable with a little help",
            "The router gives ports away",
            "none, so nothing is known",
        ] {
            assert!(text.contains(words), "{words}\n{text}");
        }
        // Nobody was asked there.
        assert!(!text.contains("TCP over IPv6"), "{text}");
    }

    #[test]
    fn gateway_whose_address_nobody_sees_does_not_help() {
        let mut report = home();
        report.gateways[0].protocols[0].external = "100.64.1.2".parse().ok();
        report.nats = Some(NatCount::AtLeast(2));
        assert_eq!(report.advice(), [Advice::AskProvider]);
    }

    #[test]
    fn nothing_measured_is_nothing_claimed() {
        let report = NatReport::default();
        assert_eq!(report.verdict(), Verdict::Unknown);
        assert_eq!(report.advice(), []);
    }

    #[test]
    fn machine_that_anybody_can_dial_needs_no_advice() {
        let mut report = home();
        report.udp_v6 = PathReport {
            is_blocked: Some(false),
            is_translated: Some(false),
            filtering: Some(Filtering::EndpointIndependent),
            ..PathReport::default()
        };
        assert_eq!(report.verdict(), Verdict::Public);
        assert_eq!(report.advice(), []);
    }

    #[test]
    fn two_plain_servers_that_see_different_ports_tell_that_it_is_hard() {
        let mut report = home();
        for path in [&mut report.udp, &mut report.tcp] {
            path.mapping = None;
            path.filtering = None;
            path.is_one_port = Some(false);
        }
        assert_eq!(report.verdict(), Verdict::Hard);
        assert!(report.to_string().contains("servers see different ports"));
        report.udp.is_one_port = None;
        report.tcp.is_one_port = None;
        report.udp_v6 = PathReport::default();
        assert_eq!(report.verdict(), Verdict::Unknown);
    }

    #[test]
    fn nat_that_maps_by_destination_is_hard_unless_it_lets_everybody_in() {
        let mut path = home().udp;
        path.mapping = Some(Mapping::AddressAndPortDependent);
        assert_eq!(path.verdict(), Verdict::Hard);
        path.filtering = Some(Filtering::EndpointIndependent);
        assert_eq!(path.verdict(), Verdict::Punchable);
    }
}
