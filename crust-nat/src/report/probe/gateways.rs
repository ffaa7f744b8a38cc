//! What the gateways of this machine speak.

use std::{collections::BTreeMap, error::Error, net::IpAddr, time::Duration};

use crate::{
    gateway::{self, PortMapperConfig, ProtocolReport, ProtocolStatus},
    report::{GatewayReport, MappingProtocolReport},
};

/// Asks them all, or nobody.
pub(super) async fn probe(config: Option<PortMapperConfig>) -> Vec<GatewayReport> {
    let Some(config) = config else {
        return Vec::new();
    };
    let mut gateways = BTreeMap::<(IpAddr, IpAddr), Vec<MappingProtocolReport>>::new();
    for report in gateway::discover(config, LONGEST).await {
        let place = (report.gateway.addr, report.gateway.local);
        let of_gateway = gateways.entry(place).or_default();
        of_gateway.push(told(&report));
    }
    let report = |((gateway, local), protocols)| GatewayReport {
        gateway,
        local,
        protocols,
    };
    gateways.into_iter().map(report).collect()
}

fn told(report: &ProtocolReport) -> MappingProtocolReport {
    let (is_spoken, external, refusal) = match &report.status {
        ProtocolStatus::Speaks { external_ip, .. } => (true, *external_ip, None),
        ProtocolStatus::Failed(failure) if failure.is_silence() => (false, None, None),
        ProtocolStatus::Failed(failure) => (true, None, Some(words(failure))),
        ProtocolStatus::Asking => (false, None, None),
    };
    MappingProtocolReport {
        name: report.protocol.to_string(),
        is_spoken,
        external,
        refusal,
    }
}

/// An error and what caused it, in one line.
fn words(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", words(source)),
        None => error.to_string(),
    }
}

/// A gateway that answers does so in milliseconds.
const LONGEST: Duration = Duration::from_millis(2_200);
