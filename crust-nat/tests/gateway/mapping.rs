//! Ports mapped by NAT-PMP and PCP, and what is told where they are not.

use std::{
    net::UdpSocket,
    num::NonZeroU16,
    time::{Duration, Instant},
};

use crust_core::rt;
use crust_nat::gateway::{
    Agreement, ExternalScope, Gateway, MappingFailure, MappingProtocol, PortMapper,
    PortMapperConfig, PortRequest, ProtocolStatus, discover, nat_pmp, pcp,
};
use futures::StreamExt;

use crate::{
    LOOPBACK, closed_port, config,
    datagrams::{Server, pcp_answer},
    failure, mapped, mapper, port, report, run,
};

const PCP: MappingProtocol = MappingProtocol::Pcp;
const NAT_PMP: MappingProtocol = MappingProtocol::NatPmp;

#[test]
fn port_is_mapped_by_pcp_and_deleted_at_shutdown() {
    run(async {
        let server = Server::pcp();
        let mapper = mapper(config(PCP, server.port));
        let report = mapped(&mapper).await;
        let mapping = &report.mappings[0];
        assert_eq!(mapping.external, ([22, 0, 0, 1], 4_000).into());
        assert_eq!(mapping.internal, (LOOPBACK, 4_000).into());
        assert_eq!(mapping.external_scope, ExternalScope::Global);
        assert_eq!((mapping.port, mapping.protocol), (port(), PCP));
        mapper.shutdown().await;
        let lifetimes: Vec<u32> = server
            .maps()
            .iter()
            .map(|(lifetime, _)| *lifetime)
            .collect();
        assert_eq!(lifetimes, [7_200, 0]);
    });
}

#[test]
fn port_is_mapped_by_nat_pmp_and_deleted_when_it_is_removed() {
    run(async {
        let server = Server::nat_pmp();
        let mapper = mapper(config(NAT_PMP, server.port));
        let external = mapped(&mapper).await.mappings[0].external;
        assert_eq!(external, ([22, 0, 0, 1], 4_000).into());
        mapper.remove(port());
        report(&mapper, |report| report.mappings.is_empty()).await;
        mapper.shutdown().await;
        let delete = nat_pmp::Request::Map {
            port: port(),
            external_port: 0,
            lifetime_s: 0,
        };
        assert_eq!(server.requests().last(), Some(&delete));
    });
}

#[test]
fn external_port_of_an_earlier_session_is_asked_for() {
    run(async {
        let server = Server::pcp();
        let mapper = PortMapper::start(config(PCP, server.port));
        let external_port = NonZeroU16::new(9).unwrap();
        let request = PortRequest::new(port()).with_external_port(external_port);
        mapper.add(request).unwrap();
        assert_eq!(mapped(&mapper).await.mappings[0].external.port(), 9);
    });
}

#[test]
fn nonce_is_the_same_in_each_session_of_a_key_and_of_no_other() {
    run(async {
        let server = Server::pcp();
        for key in [[1; 32], [1; 32], [2; 32]] {
            let mapper = mapper(config(PCP, server.port).with_nonce_key(key));
            mapped(&mapper).await;
        }
        let nonces: Vec<[u8; 12]> = server.maps().iter().map(|(_, map)| map.nonce).collect();
        assert_eq!(nonces[0], nonces[1]);
        assert_ne!(nonces[0], nonces[2]);
    });
}

#[test]
fn answers_from_another_port_change_nothing() {
    run(async {
        let stranger = UdpSocket::bind((LOOPBACK, 0)).unwrap();
        let mut is_first = true;
        // What the port asks from is only known by asking, so the server lets the stranger answer first.
        let socket = UdpSocket::bind((LOOPBACK, 0)).unwrap();
        let server_port = socket.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let mut buffer = [0; 2_048];
            while let Ok((len, from)) = socket.recv_from(&mut buffer) {
                let bytes = &buffer[..len];
                let mut spoofed = pcp_answer(bytes);
                let last = spoofed.len() - 1;
                spoofed[last] = 66;
                stranger.send_to(&spoofed, from).unwrap();
                if !std::mem::take(&mut is_first) {
                    socket.send_to(&pcp_answer(bytes), from).unwrap();
                }
            }
        });
        let mapper = mapper(config(PCP, server_port));
        let external = mapped(&mapper).await.mappings[0].external;
        assert_eq!(external, ([22, 0, 0, 1], 4_000).into());
    });
}

#[test]
fn refusal_is_told_with_code_and_meaning() {
    run(async {
        let server = Server::new(|bytes| {
            let request = pcp::Request::decode(bytes).unwrap();
            let pcp::RequestBody::Map { map, .. } = request.body else {
                return Some(pcp_answer(bytes));
            };
            let answer = pcp::Answer::Refused {
                opcode: Some(pcp::Opcode::Map),
                map: Some(map),
                code: pcp::ResultCode::NO_RESOURCES,
            };
            let (epoch_s, lifetime_s) = (77, 1_800);
            let response = pcp::Response {
                epoch_s,
                lifetime_s,
                answer,
            };
            Some(response.encode())
        });
        let mapper = mapper(config(PCP, server.port));
        let report = report(&mapper, |report| {
            !report.protocols.is_empty() && !report.protocols[0].refusals.is_empty()
        })
        .await;
        let code = pcp::ResultCode::NO_RESOURCES;
        let refusal = (port(), MappingFailure::Pcp { code });
        assert_eq!(report.protocols[0].refusals, [refusal]);
        assert!(
            code.to_string().contains("8: the gateway has no room"),
            "{code}"
        );
    });
}

#[test]
fn gateway_that_does_not_listen_is_told() {
    for protocol in [PCP, NAT_PMP] {
        let told = run(failure(config(protocol, closed_port())));
        // Not every system tells that a port is closed.
        let expected = match cfg!(target_os = "linux") {
            true => MappingFailure::Closed.to_string(),
            false => told.clone(),
        };
        assert_eq!(told, expected);
    }
}

#[test]
fn silent_gateway_is_told() {
    let server = Server::new(|_| None);
    let told = run(failure(config(PCP, server.port)));
    assert_eq!(told, MappingFailure::NoAnswer.to_string());
}

#[test]
fn shutdown_waits_two_seconds_for_a_gateway_that_fell_silent() {
    run(async {
        let server = Server::new(|bytes| {
            let request = pcp::Request::decode(bytes).unwrap();
            let is_deletion =
                matches!(request.body, pcp::RequestBody::Map { .. }) && request.lifetime_s == 0;
            (!is_deletion).then(|| pcp_answer(bytes))
        });
        let mapper = mapper(config(PCP, server.port));
        mapped(&mapper).await;
        let before = rt::now();
        mapper.shutdown().await;
        assert!(elapsed(before) < Duration::from_secs(4));
        let deletions = server
            .maps()
            .into_iter()
            .filter(|(lifetime, _)| *lifetime == 0);
        assert!(deletions.count() >= 2);
    });
}

#[test]
fn start_waits_for_nothing_and_host_without_gateway_is_told() {
    run(async {
        let before = rt::now();
        let mapper = mapper(PortMapperConfig::default().with_gateways(&[]));
        assert!(elapsed(before) < Duration::from_millis(50));
        let report = report(&mapper, |report| report.is_complete).await;
        assert_eq!(report.protocols, []);
        mapper.shutdown().await;
    });
}

#[test]
fn gateway_is_found_out_by_what_peers_see() {
    run(async {
        let server = Server::pcp();
        let mapper = mapper(config(PCP, server.port));
        assert_eq!(
            mapped(&mapper).await.mappings[0].agreement,
            Agreement::Unknown
        );
        mapper.observe([23, 0, 0, 1].into());
        let report = report(&mapper, |report| {
            report.mappings[0].agreement != Agreement::Unknown
        })
        .await;
        assert_eq!(report.mappings[0].agreement, Agreement::Contradicted);
        assert!(!report.mappings[0].is_credible());
    });
}

#[test]
fn discovery_tells_each_protocol_and_maps_nothing() {
    run(async {
        let (pcp, nat_pmp) = (Server::pcp(), Server::nat_pmp());
        let gateway = Gateway::new(LOOPBACK, LOOPBACK);
        let gateways = [pcp.port, nat_pmp.port].map(|port| gateway.with_ports(port, closed_port()));
        let config = PortMapperConfig::default();
        for (gateway, protocol, version) in [(gateways[0], PCP, 2), (gateways[1], NAT_PMP, 0)] {
            let config = config
                .clone()
                .with_gateways(&[gateway])
                .with_protocols(&[protocol]);
            let found = discover(config, Duration::from_secs(5)).await;
            let ProtocolStatus::Speaks {
                version: told,
                epoch_s,
                external_ip,
                ..
            } = &found[0].status
            else {
                panic!("{found:?}");
            };
            assert_eq!((*told, *epoch_s), (version, Some(77)));
            assert_eq!(external_ip.is_some(), protocol == NAT_PMP);
        }
        assert_eq!(pcp.maps(), []);
        assert_eq!(nat_pmp.requests(), [nat_pmp::Request::ExternalAddress]);
    });
}

#[test]
fn reports_end_with_the_mapper() {
    run(async {
        let mapper = mapper(PortMapperConfig::default().with_gateways(&[]));
        let reports = mapper.reports();
        drop(mapper);
        assert!(!reports.collect::<Vec<_>>().await.is_empty());
    });
}

fn elapsed(since: Instant) -> Duration {
    rt::now().saturating_duration_since(since)
}
