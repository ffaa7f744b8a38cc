//! A port mapper and gateways on loopback.
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

mod datagrams;
mod igd;
mod mapping;
mod upnp;

use std::{
    net::{IpAddr, Ipv4Addr, UdpSocket},
    num::NonZeroU16,
    sync::Arc,
    time::Duration,
};

use crust_core::rt;
use crust_nat::gateway::{
    Gateway, InternalPort, MappingProtocol, MappingReport, PortMapper, PortMapperConfig,
    PortRequest, ProtocolStatus,
};
use futures::StreamExt;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn run<F: Future>(future: F) -> F::Output {
    rt::block_on(async { rt::timeout(Duration::from_secs(30), future).await.unwrap() })
}

/// A gateway on loopback with these ports, spoken to by one protocol.
fn config(protocol: MappingProtocol, port: u16) -> PortMapperConfig {
    let gateway = Gateway::new(LOOPBACK, LOOPBACK).with_ports(port, port);
    PortMapperConfig::default()
        .with_gateways(&[gateway])
        .with_protocols(&[protocol])
}

fn port() -> InternalPort {
    InternalPort::udp(NonZeroU16::new(4_000).unwrap())
}

/// A mapper with [`port`] to map.
fn mapper(config: PortMapperConfig) -> PortMapper {
    let mapper = PortMapper::start(config);
    mapper.add(PortRequest::new(port())).unwrap();
    mapper
}

/// The first report of which `is_it` is true.
async fn report(mapper: &PortMapper, is_it: impl Fn(&MappingReport) -> bool) -> Arc<MappingReport> {
    let mut reports = mapper.reports();
    loop {
        let report = reports.next().await.unwrap();
        if is_it(&report) {
            return report;
        }
    }
}

async fn mapped(mapper: &PortMapper) -> Arc<MappingReport> {
    report(mapper, |report| !report.mappings.is_empty()).await
}

/// What comes of the one protocol that is spoken.
async fn failure(config: PortMapperConfig) -> String {
    let mapper = mapper(config);
    let has_failed = |report: &MappingReport| {
        let mut protocols = report.protocols.iter();
        protocols.any(|protocol| matches!(protocol.status, ProtocolStatus::Failed(_)))
    };
    let report = report(&mapper, has_failed).await;
    match &report.protocols[0].status {
        ProtocolStatus::Failed(failure) => match std::error::Error::source(failure) {
            Some(source) => source.to_string(),
            None => failure.to_string(),
        },
        status => panic!("{status:?}"),
    }
}

/// A port where nobody listens.
fn closed_port() -> u16 {
    let socket = UdpSocket::bind((LOOPBACK, 0)).unwrap();
    socket.local_addr().unwrap().port()
}
