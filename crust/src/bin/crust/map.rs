//! `crust map`: a port of this machine, reached through its gateway while the command runs.

use std::{net::SocketAddr, num::NonZeroU16, sync::Arc, time::Duration};

use clap::{Args, ValueEnum};
use crust::rt;
use crust_nat::gateway::{
    InternalPort, MappingProtocol, MappingReport, PortMapper, PortMapperConfig, PortMapping,
    PortRequest, ProtocolReport, ProtocolStatus,
};
use futures::{FutureExt, StreamExt, select_biased};
use serde::Serialize;

use crate::{
    exit::{Failure, sentence},
    out, signal, target,
};

#[derive(Debug, Args)]
pub(crate) struct MapArgs {
    /// The port of this machine
    port: NonZeroU16,
    /// Maps it for this protocol
    #[arg(long, value_enum, value_name = "WHICH", default_value_t = Which::Both)]
    protocol: Which,
    /// Asks for this external port; the gateway may give another
    #[arg(long, value_name = "PORT")]
    external: Option<NonZeroU16>,
    /// Speaks only this with gateways; may be given several times
    #[arg(long, value_enum, value_name = "HOW")]
    by: Vec<How>,
    /// Ends after so many seconds; without it, with Ctrl-C
    #[arg(long, value_name = "SECONDS", value_parser = target::seconds)]
    seconds: Option<Duration>,
    /// Prints one JSON object for each change
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    Tcp,
    Udp,
    Both,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum How {
    Pcp,
    NatPmp,
    Upnp,
}

/// Holds the mapping, and deletes it at the end.
pub(crate) async fn map(args: MapArgs) -> Result<(), Failure> {
    let mapper = PortMapper::start(config(&args));
    for port in ports(&args) {
        let mut request = PortRequest::new(port);
        if let Some(external) = args.external {
            request = request.with_external_port(external);
        }
        let added = mapper.add(request);
        added.map_err(|error| Failure::new(error.to_string()))?;
    }
    if !args.json {
        out::talk("Asking the gateways (Ctrl-C ends, and takes the mappings back):");
    }
    let mut board = Board::new(args.json);
    let over = async {
        match args.seconds {
            Some(seconds) => rt::sleep(seconds).await,
            None => std::future::pending().await,
        }
    };
    let mut over = Box::pin(over.fuse());
    let mut interrupted = Box::pin(signal::interrupted().fuse());
    let mut reports = mapper.reports();
    loop {
        select_biased! {
            () = interrupted => break,
            () = over => break,
            report = reports.next().fuse() => match report {
                Some(report) => board.show(&report),
                None => break,
            }
        }
    }
    let was_mapped = !mapper.report().mappings.is_empty();
    mapper.shutdown().await;
    match was_mapped {
        true => Ok(()),
        false => Err(Failure::new(board.why_not())),
    }
}

fn config(args: &MapArgs) -> PortMapperConfig {
    let by = args.by.iter().map(|how| match how {
        How::Pcp => MappingProtocol::Pcp,
        How::NatPmp => MappingProtocol::NatPmp,
        How::Upnp => MappingProtocol::Upnp,
    });
    let by: Vec<_> = by.collect();
    match by.is_empty() {
        true => PortMapperConfig::default(),
        false => PortMapperConfig::default().with_protocols(&by),
    }
}

fn ports(args: &MapArgs) -> Vec<InternalPort> {
    let (tcp, udp) = (InternalPort::tcp(args.port), InternalPort::udp(args.port));
    match args.protocol {
        Which::Tcp => vec![tcp],
        Which::Udp => vec![udp],
        Which::Both => vec![tcp, udp],
    }
}

/// What is on the screen.
#[derive(Debug)]
struct Board {
    json: bool,
    lines: Vec<String>,
    last: Option<Arc<MappingReport>>,
}

/// One mapping for programs.
#[derive(Debug, Serialize)]
struct Line {
    event: &'static str,
    port: String,
    external: SocketAddr,
    gateway: String,
    by: String,
    scope: String,
    expires_in_s: Option<u64>,
}

impl Board {
    const fn new(json: bool) -> Self {
        Self {
            json,
            lines: Vec::new(),
            last: None,
        }
    }

    /// Prints what is new.
    fn show(&mut self, report: &Arc<MappingReport>) {
        self.last = Some(report.clone());
        let mappings = report.mappings.iter().map(|mapping| self.mapping(mapping));
        let failures = report.protocols.iter().filter_map(|it| self.failure(it));
        let lines: Vec<String> = mappings.chain(failures).collect();
        for line in &lines {
            if !self.lines.contains(line) {
                out::line(line);
            }
        }
        self.lines = lines;
    }

    fn mapping(&self, mapping: &PortMapping) -> String {
        let left = mapping
            .expires_at
            .map(|at| at.saturating_duration_since(rt::now()));
        if self.json {
            let line = Line {
                event: "mapped",
                port: mapping.port.to_string(),
                external: mapping.external,
                gateway: mapping.gateway.to_string(),
                by: mapping.protocol.to_string(),
                scope: mapping.external_scope.to_string(),
                expires_in_s: left.map(|left| left.as_secs()),
            };
            return serde_json::to_string(&line).expect("the objects printed here are plain");
        }
        let life = match left {
            Some(left) => format!(
                "for {} min, renewed at half of it",
                left.as_secs().div_ceil(60)
            ),
            None => "until it is deleted".into(),
        };
        let style = if mapping.is_credible() {
            out::GOOD
        } else {
            out::DOUBTFUL
        };
        let external = out::paint(style, mapping.external);
        let detail = format!(
            "by {} of {}, {}, {life}",
            mapping.protocol, mapping.gateway, mapping.external_scope
        );
        let detail = out::paint(out::DIM, detail);
        format!(
            "{:<10} is reached at {external}  {detail}",
            mapping.port.to_string()
        )
    }

    /// What a gateway says that gives nothing. Programs are told of mappings alone, and why there is none at the end.
    fn failure(&self, report: &ProtocolReport) -> Option<String> {
        let text = reason(report).filter(|_| !self.json)?;
        Some(format!(
            "{:<10} {}",
            report.protocol.to_string(),
            out::paint(out::DIM, text)
        ))
    }

    /// Why nothing was mapped.
    fn why_not(&self) -> String {
        let report = self.last.clone().unwrap_or_default();
        if report.protocols.is_empty() {
            return "nothing was mapped: this machine has no gateway".into();
        }
        let reasons = report.protocols.iter().filter_map(|it| {
            let reason = reason(it)?;
            Some(format!("{}: {reason}", it.protocol))
        });
        let reasons: Vec<_> = reasons.collect();
        format!(
            "nothing was mapped: {}. Switch UPnP, NAT-PMP or PCP on in the router, or forward the port by hand",
            reasons.join("; ")
        )
    }
}

fn reason(report: &ProtocolReport) -> Option<String> {
    let gateway = report.gateway;
    if let Some((_, failure)) = report.refusals.first() {
        return Some(format!("{gateway}: {}", sentence(failure)));
    }
    match &report.status {
        ProtocolStatus::Failed(failure) => Some(format!("{gateway}: {}", sentence(failure))),
        _ => None,
    }
}
