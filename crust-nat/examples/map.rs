//! Maps a port while it runs: `cargo run -p crust-nat --example map -- 5483 [SECONDS [PROTOCOL…]]`.
//!
//! Prints what each gateway says and where the port is reached, as that changes, and deletes the mappings at the end.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{error::Error, num::NonZeroU16, time::Duration};

use crust_core::rt;
use crust_nat::gateway::{
    InternalPort, MappingProtocol, MappingReport, PortMapper, PortMapperConfig, PortRequest,
    ProtocolStatus,
};
use futures::StreamExt;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let port: NonZeroU16 = args.next().unwrap_or_else(|| "5483".to_owned()).parse()?;
    let seconds = args.next().map_or(Ok(10), |text| text.parse())?;
    let chosen: Vec<String> = args.collect();
    let mut protocols = MappingProtocol::ALL.to_vec();
    if !chosen.is_empty() {
        protocols.retain(|protocol| chosen.contains(&protocol.to_string()));
    }
    let config = PortMapperConfig::default().with_protocols(&protocols);
    rt::block_on(async {
        let mapper = PortMapper::start(config);
        mapper.add(PortRequest::new(InternalPort::tcp(port)))?;
        mapper.add(PortRequest::new(InternalPort::udp(port)))?;
        let started = rt::now();
        let mut reports = mapper.reports();
        let print_all = async {
            while let Some(report) = reports.next().await {
                println!("after {:?}", started.elapsed());
                print(&report);
            }
        };
        let _ = rt::timeout(Duration::from_secs(seconds), print_all).await;
        let closing = rt::now();
        mapper.shutdown().await;
        println!("deleted in {:?}", closing.elapsed());
        Ok(())
    })
}

fn print(report: &MappingReport) {
    for mapping in &report.mappings {
        println!(
            "  {} is {} by {} on {}, {}, {:?}, until {:?}",
            mapping.port,
            mapping.external,
            mapping.protocol,
            mapping.gateway,
            mapping.external_scope,
            mapping.agreement,
            mapping.expires_at.map(|at| at - rt::now()),
        );
    }
    for protocol in &report.protocols {
        print!("  {} on {}: ", protocol.protocol, protocol.gateway);
        match &protocol.status {
            ProtocolStatus::Failed(failure) => println!("{}", with_sources(failure)),
            status => println!("{status:?}"),
        }
        for (port, failure) in &protocol.refusals {
            println!("    {port}: {}", with_sources(failure));
        }
    }
}

fn with_sources(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", with_sources(source)),
        None => error.to_string(),
    }
}
