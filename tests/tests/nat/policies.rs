//! A report tells what stands in the way besides one NAT: a second one, firewalls, blocks, and what the gateway speaks.

use std::time::Duration;

use crust_nat::{
    NatReport,
    behaviour::{Filtering, Mapping},
    report::{Advice, Allocation, GatewayReport, NatCount, Verdict},
};
use crust_tests::netlab::{Egress, IgdConfig, Nat, Unsolicited};

use crate::{
    program::Node,
    scene::{SERVERS, Scene, WEB_SERVER, lifetime, lifetime_by_peer, report, report_of},
};

#[test]
fn host_without_a_nat_is_public() {
    let Some(scene) = Scene::open() else { return };
    let host = scene.lab.public(&["29.0.0.1", "2d00:9::1"]);
    let report = report(&host);
    for path in [&report.udp, &report.tcp, &report.udp_v6, &report.tcp_v6] {
        assert_eq!(path.is_translated, Some(false), "{report:#?}");
        assert_eq!(path.filtering, Some(Filtering::EndpointIndependent));
    }
    assert_eq!(report.nats, Some(NatCount::Exactly(0)));
    assert_eq!(report.verdict(), Verdict::Public);
}

#[test]
fn firewall_of_ipv6_is_told_and_is_no_nat() {
    let Some(scene) = Scene::open() else { return };
    let router = scene.lab.router("22.0.0.1").with_v6("2d00:a::/64").build();
    let report = report(&router.host());
    for path in [&report.udp_v6, &report.tcp_v6] {
        assert_eq!(path.is_translated, Some(false), "{report:#?}");
        assert_eq!(path.filtering, Some(Filtering::AddressAndPortDependent));
        assert_eq!(path.mapping, None);
    }
    assert!(report.advice().contains(&Advice::OpenFirewallV6));
}

#[test]
fn two_nats_behave_as_the_stricter_of_each() {
    let Some(scene) = Scene::open() else { return };
    for (outer, inner, mapping) in [
        (
            Nat::PORT_RESTRICTED,
            Nat::FULL_CONE,
            Mapping::EndpointIndependent,
        ),
        (
            Nat::FULL_CONE,
            Nat::SYMMETRIC,
            Mapping::AddressAndPortDependent,
        ),
    ] {
        let provider = scene.lab.router("22.0.0.1").with_nat(outer);
        let provider = provider.with_lan("100.64.1.0/24").build();
        let home = scene.lab.router_behind(&provider).with_nat(inner).build();
        let report = report(&home.host());
        for path in [&report.udp, &report.tcp] {
            assert_eq!(path.mapping, Some(mapping), "{report:#?}");
            let filtering = Some(Filtering::AddressAndPortDependent);
            assert_eq!(path.filtering, filtering, "{report:#?}");
        }
        assert_eq!(report.nats, Some(NatCount::AtLeast(1)));
    }
}

#[test]
fn gateway_that_disagrees_with_what_servers_see_is_behind_another_nat() {
    let Some(scene) = Scene::open() else { return };
    let provider = scene.lab.router("22.0.0.1");
    let provider = provider.with_lan("100.64.1.0/24").build();
    let home = scene.lab.router_behind(&provider);
    let home = home.with_igd(IgdConfig::default()).build();
    let report = report(&home.host());
    let protocols = &only_gateway(&report).protocols;
    assert!(
        protocols.iter().any(|protocol| protocol.refusal.is_some()),
        "{report:#?}"
    );
    assert!(!report.advice().contains(&Advice::MapPort));
}

#[test]
fn gateway_that_gives_ports_is_the_only_nat() {
    let Some(scene) = Scene::open() else { return };
    let router = scene.lab.router("22.0.0.1").with_igd(IgdConfig::default());
    let router = router.build();
    let report = report(&router.host());
    let spoken = only_gateway(&report).protocols.iter();
    let spoken = spoken.filter(|protocol| protocol.is_spoken);
    let names: Vec<_> = spoken.map(|protocol| protocol.name.as_str()).collect();
    assert_eq!(names, ["PCP", "NAT-PMP", "UPnP"], "{report:#?}");
    assert_eq!(report.nats, Some(NatCount::Exactly(1)));
    assert!(report.advice().contains(&Advice::MapPort));
}

#[test]
fn udp_that_is_blocked_is_told_and_tcp_measured() {
    let Some(scene) = Scene::open() else { return };
    let router = scene
        .lab
        .router("22.0.0.1")
        .with_egress(Egress::NoUdp)
        .build();
    let report = report(&router.host());
    assert_eq!(report.udp.is_blocked, Some(true), "{report:#?}");
    assert_eq!(report.udp.mapping, None);
    assert_eq!(report.tcp.mapping, Some(Mapping::EndpointIndependent));
    assert!(report.advice().contains(&Advice::AllowUdp));
}

#[test]
fn network_for_the_web_alone_is_seen_by_a_server_that_is_there() {
    let Some(scene) = Scene::open() else { return };
    let router = scene.lab.router("22.0.0.1");
    let router = router.with_egress(Egress::WebOnly).build();
    let report = report_of(&router.host(), &[WEB_SERVER, SERVERS[0]]);
    assert_eq!(report.udp.is_blocked, Some(true), "{report:#?}");
    assert_eq!(report.tcp.is_blocked, Some(false));
    let silent = report.servers.iter().filter(|it| it.rtt.is_none());
    assert_eq!(silent.count(), 3);
}

#[test]
fn router_that_resets_the_unsolicited_filters_all_the_same() {
    let Some(scene) = Scene::open() else { return };
    let router = scene.lab.router("22.0.0.1");
    let router = router.with_unsolicited(Unsolicited::Reset).build();
    let report = report(&router.host());
    for path in [&report.udp, &report.tcp] {
        let filtering = Some(Filtering::AddressAndPortDependent);
        assert_eq!(path.filtering, filtering, "{report:#?}");
        assert_eq!(path.allocation, Some(Allocation::Preserving));
    }
}

#[test]
fn lifetime_of_a_mapping_is_measured() {
    let Some(scene) = Scene::open() else { return };
    let router = scene.lab.router("22.0.0.1");
    let lived = Duration::from_secs(7);
    let router = router.with_mapping_lifetime(lived).build();
    let lifetime = lifetime(&router.host()).unwrap();
    assert!(lifetime.at_least_s <= 7, "{lifetime:?}");
    assert!(
        lifetime
            .under_s
            .is_some_and(|under_s| (7..=9).contains(&under_s)),
        "{lifetime:?}"
    );
}

#[test]
fn peers_help_to_measure_the_lifetime_of_a_mapping() {
    let Some(scene) = Scene::open() else { return };
    let router = scene.lab.router("22.0.0.1");
    let router = router.with_mapping_lifetime(Duration::from_secs(3)).build();
    let peer = scene.lab.public(&["29.0.0.1"]);
    let _node = Node::start(&peer, &["port=5483"]);
    let lifetime = lifetime_by_peer(&router.host(), "29.0.0.1:5483").unwrap();
    assert_eq!(lifetime.at_least_s, 2, "{lifetime:?}");
    assert!(
        lifetime.under_s.is_some_and(|under_s| under_s <= 4),
        "{lifetime:?}"
    );
}

fn only_gateway(report: &NatReport) -> &GatewayReport {
    assert_eq!(report.gateways.len(), 1, "{report:#?}");
    &report.gateways[0]
}
