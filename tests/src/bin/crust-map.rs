//! Mapped ports on a host of the lab: `NAME [only=PROTOCOL,…] tcp:PORT… udp:PORT… utp:PORT…`. Whoever says something there is
//! told the name. Each report is a line of JSON. `refresh` and `observe IP` on its input are what they are in `PortMapper`;
//! with its end the mappings are deleted.

use std::{
    error::Error,
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    num::NonZeroU16,
    time::{Duration, Instant},
};

use async_io::Async;
use crust_core::rt;
use crust_nat::gateway::{
    InternalPort, MappingFailure, MappingProtocol, MappingReport, PortMapper, PortMapperConfig,
    PortMapping, PortRequest, ProtocolReport, ProtocolStatus,
};
use crust_tests::input_lines;
use crust_utp::UtpSocket;
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use serde_json::{Value, json};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    rt::block_on(run())
}

async fn run() -> Outcome<()> {
    let mut args = std::env::args().skip(1);
    let name = args.next().ok_or("NAME PORT…")?;
    let (mut config, mut requests) = (PortMapperConfig::default(), Vec::new());
    for arg in args {
        match arg.strip_prefix("only=") {
            Some(names) => config = config.with_protocols(&protocols(names)?),
            None => requests.push(PortRequest::new(serve(&name, &arg)?)),
        }
    }
    let start = rt::now();
    let mapper = PortMapper::start(config);
    for request in requests {
        mapper.add(request)?;
    }
    let mut reports = mapper.reports();
    rt::detach(async move {
        while let Some(report) = reports.next().await {
            say(&told(&report, start));
        }
    });
    obey(&mapper).await?;
    mapper.shutdown().await;
    Ok(())
}

async fn obey(mapper: &PortMapper) -> Outcome<()> {
    let mut lines = input_lines();
    while let Some(line) = lines.next().await {
        match line.split_once(' ') {
            None if line == "refresh" => mapper.refresh(),
            Some(("observe", ip)) => mapper.observe(ip.parse()?),
            _ => return Err(format!("what is {line}?").into()),
        }
    }
    Ok(())
}

fn protocols(names: &str) -> Outcome<Vec<MappingProtocol>> {
    let protocol = |name| match name {
        "pcp" => Ok(MappingProtocol::Pcp),
        "nat-pmp" => Ok(MappingProtocol::NatPmp),
        "upnp" => Ok(MappingProtocol::Upnp),
        _ => Err(format!("what is {name}?").into()),
    };
    names.split(',').map(protocol).collect()
}

/// Listens on a port, which is to be mapped.
fn serve(name: &str, scheme_and_port: &str) -> Outcome<InternalPort> {
    let (scheme, number) = scheme_and_port.split_once(':').ok_or("SCHEME:PORT")?;
    let number: NonZeroU16 = number.parse()?;
    let addr = SocketAddr::from((Ipv4Addr::UNSPECIFIED, number.get()));
    let name = name.to_owned();
    match scheme {
        "tcp" => {
            let listener = Async::<TcpListener>::bind(addr)?;
            rt::detach(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    rt::detach(introduce(stream, name.clone()));
                }
            });
            Ok(InternalPort::tcp(number))
        }
        "udp" => {
            let socket = Async::<UdpSocket>::bind(addr)?;
            rt::detach(async move {
                while let Ok((_, from)) = socket.recv_from(&mut [0; 16]).await {
                    let _ = socket.send_to(name.as_bytes(), from).await;
                }
            });
            Ok(InternalPort::udp(number))
        }
        "utp" => {
            let socket = UtpSocket::bind(addr)?;
            socket.listen();
            rt::detach(async move {
                loop {
                    let (stream, _) = socket.accept().await;
                    rt::detach(introduce(stream, name.clone()));
                }
            });
            Ok(InternalPort::udp(number))
        }
        _ => Err(format!("what is {scheme}?").into()),
    }
}

/// Says the name to whoever says something first, as uTP wants it.
async fn introduce(mut stream: impl AsyncRead + AsyncWrite + Unpin, name: String) {
    if stream.read_exact(&mut [0; 4]).await.is_ok() {
        let _ = stream.write_all(name.as_bytes()).await;
        let _ = stream.close().await;
    }
}

/// A report, with times in milliseconds since the start.
fn told(report: &MappingReport, start: Instant) -> Value {
    let since = |at: Instant| millis(at - start);
    let mapping = |mapping: &PortMapping| {
        json!({
            "port": mapping.port.to_string(),
            "external": mapping.external,
            "gateway": mapping.gateway.addr,
            "protocol": mapping.protocol.to_string(),
            "scope": mapping.external_scope.to_string(),
            "agreement": format!("{:?}", mapping.agreement),
            "is_credible": mapping.is_credible(),
            "expires_at_ms": mapping.expires_at.map(since),
        })
    };
    json!({
        "at_ms": since(rt::now()),
        "is_complete": report.is_complete,
        "mappings": report.mappings.iter().map(mapping).collect::<Vec<_>>(),
        "protocols": report.protocols.iter().map(protocol).collect::<Vec<_>>(),
    })
}

fn protocol(report: &ProtocolReport) -> Value {
    let refusal = |(port, failure): &(InternalPort, MappingFailure)| json!({ "port": port.to_string(), "why": why(failure) });
    let (status, external_ip, epoch_s, failure) = match &report.status {
        ProtocolStatus::Asking => ("asking", None, None, None),
        ProtocolStatus::Failed(failure) => ("failed", None, None, Some(why(failure))),
        ProtocolStatus::Speaks {
            external_ip,
            epoch_s,
            ..
        } => ("speaks", *external_ip, *epoch_s, None),
        other => panic!("{other:?} is new"),
    };
    json!({
        "gateway": report.gateway.addr,
        "protocol": report.protocol.to_string(),
        "status": status,
        "external_ip": external_ip,
        "epoch_s": epoch_s,
        "why": failure,
        "refusals": report.refusals.iter().map(refusal).collect::<Vec<_>>(),
    })
}

/// The failure and its cause, as a person reads them.
fn why(failure: &MappingFailure) -> String {
    match failure.source() {
        Some(source) => format!("{failure}: {source}"),
        None => failure.to_string(),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Nobody may be reading any more.
fn say(value: &Value) {
    let mut stdout = io::stdout().lock();
    let _ = writeln!(stdout, "{value}");
    let _ = stdout.flush();
}
