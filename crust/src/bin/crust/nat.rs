//! `crust nat`: what stands between this machine and the world.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use clap::Args;
use crust::Addr;
use crust_nat::{
    NatReport, Prober,
    report::{Section, Verdict},
};
use crust_tcp::TcpTransport;
use indicatif::{ProgressBar, ProgressStyle};

use crate::{exit::Failure, out};

#[derive(Debug, Args)]
pub(crate) struct NatArgs {
    /// A STUN server to ask, as IP:PORT; may be given several times. One with two addresses (RFC 5780) tells the most
    #[arg(long, value_name = "ADDR")]
    server: Vec<SocketAddr>,
    /// A Crust node to ask, as utp://IP:PORT; may be given several times
    #[arg(long, value_name = "ADDR", value_parser = peer)]
    peer: Vec<SocketAddr>,
    /// Measures too for how long a mapping lives that nothing is sent over, for so many seconds at most: some minutes
    #[arg(long, value_name = "SECONDS", value_parser = crate::target::seconds)]
    lifetime: Option<Duration>,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

/// The address of a node's UDP port.
fn peer(text: &str) -> Result<SocketAddr, String> {
    let addr: Addr = text.parse().map_err(|error| format!("{error}"))?;
    let socket = addr.socket_addr().filter(|_| addr.scheme() == "utp");
    socket.ok_or_else(|| "a node is asked over UDP, at utp://IP:PORT".into())
}

pub(crate) async fn nat(args: NatArgs) -> Result<(), Failure> {
    let prober = Prober::new(args.server.iter().copied())
        .with_peers(args.peer.iter().copied())
        .with_tcp(Arc::new(TcpTransport::new()));
    let mut report = beside_a_bar(args.json, prober.report()).await;
    if let Some(longest) = args.lifetime {
        report.udp.lifetime = measure_lifetime(&prober, longest, args.json).await;
    }
    if args.json {
        out::json(&report);
    } else {
        print(&report);
    }
    match report.verdict() {
        Verdict::Unknown => Err(Failure {
            exit: crate::exit::Exit::NotReached,
            text: why_unknown(&args).into(),
        }),
        _ => Ok(()),
    }
}

const fn why_unknown(args: &NatArgs) -> &'static str {
    if args.server.is_empty() && args.peer.is_empty() {
        "nobody outside was asked: name STUN servers with --server IP:PORT, or nodes with --peer utp://IP:PORT; none is built in"
    } else {
        "too little was answered to tell how this machine can be reached"
    }
}

/// A report takes up to three seconds; somebody waits.
async fn beside_a_bar(is_quiet: bool, report: impl Future<Output = NatReport>) -> NatReport {
    if is_quiet {
        return report.await;
    }
    let bar = bar("asking from outside");
    let report = report.await;
    bar.finish_and_clear();
    report
}

async fn measure_lifetime(
    prober: &Prober,
    longest: Duration,
    is_quiet: bool,
) -> Option<crust_nat::report::Lifetime> {
    let bar = (!is_quiet).then(|| bar("waiting for a mapping to be forgotten"));
    let lifetime = prober
        .lifetime(longest, |known| {
            if let Some(bar) = &bar {
                bar.set_message(format!("a mapping lives {known}"));
            }
        })
        .await;
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    lifetime
}

fn bar(message: &'static str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(message);
    let style = ProgressStyle::with_template("{spinner} {msg}, {elapsed}");
    bar.set_style(style.expect("the template is well-formed"));
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn print(report: &NatReport) {
    for Section { title, rows } in report.sections() {
        out::line(out::paint(out::BOLD, title));
        let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in rows {
            let style = match value.as_str() {
                "unknown" => out::DIM,
                _ if name == "blocked" => out::BAD,
                _ if name == "external address" => out::KEY,
                _ => out::PLAIN,
            };
            let name = out::paint(out::DIM, format!("{name:<width$}"));
            out::line(format!("  {name}  {}", out::paint(style, value)));
        }
    }
    let style = match report.verdict() {
        Verdict::Public | Verdict::Punchable => out::GOOD,
        Verdict::Hard => out::DOUBTFUL,
        _ => out::BAD,
    };
    let mut sentences = report.meaning().into_iter();
    for verdict in sentences.by_ref().take(1) {
        out::line(out::paint(style, verdict));
    }
    sentences.for_each(out::line);
}
