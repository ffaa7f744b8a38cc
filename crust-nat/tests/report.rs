//! Reports without a NAT: servers on loopback.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

use std::{net::SocketAddr, sync::Arc, time::Duration};

use crust_core::{Transport, rt};
use crust_nat::{
    NatReport, Prober,
    behaviour::Filtering,
    report::{NatCount, Verdict},
    stun::{ServerConfig, StunServer},
};
use crust_tcp::TcpTransport;

fn tcp() -> Arc<dyn Transport> {
    Arc::new(TcpTransport::new())
}

/// A server of two addresses, over UDP and TCP.
async fn server() -> StunServer {
    let ips = ["127.0.0.1", "127.0.0.2"].map(|ip| ip.parse().unwrap());
    let mut server = StunServer::bind_places(ips, [0, 0], ServerConfig::default()).unwrap();
    server.listen(&tcp(), "tcp").await.unwrap();
    server
}

fn report(servers: Vec<SocketAddr>) -> NatReport {
    let prober = Prober::new(servers).with_tcp(tcp()).with_gateways(None);
    rt::block_on(prober.report())
}

#[test]
fn machine_without_a_nat_is_public_over_both_protocols() {
    let server = rt::block_on(server());
    let report = report(vec![server.local_addr()]);
    for path in [&report.udp, &report.tcp] {
        assert_eq!(path.is_blocked, Some(false), "{report:#?}");
        assert_eq!(path.is_translated, Some(false));
        assert_eq!(path.filtering, Some(Filtering::EndpointIndependent));
        assert_eq!(
            (path.mapping, path.allocation, path.hairpin),
            (None, None, None)
        );
    }
    assert_eq!(report.nats, Some(NatCount::Exactly(0)));
    assert_eq!(report.verdict(), Verdict::Public);
    assert!(report.servers.iter().all(|server| server.rtt.is_some()));
    assert!(report.elapsed < Duration::from_secs(1));
}

#[test]
fn silence_is_unknown_and_takes_less_than_three_seconds() {
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let report = report(vec![silent.local_addr().unwrap()]);
    assert_eq!(report.udp, Default::default());
    assert_eq!(report.verdict(), Verdict::Unknown);
    assert_eq!(report.servers[0].rtt, None);
    assert!(report.elapsed < Duration::from_secs(3));
}
