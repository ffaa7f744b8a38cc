//! `crust nat`: what stands between this machine and the world.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::Args;
use crust::{Addr, NetworkKey, PeerId, core::Reach};
use crust_bootstrap::{PeerCache, default_path};
use crust_crypto::Ed25519Verifier;
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
    /// Without any of the two, asks the peers of earlier runs in this file, not those in the user's data directory
    #[arg(long, value_name = "FILE")]
    cache: Option<PathBuf>,
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
    let peers = match args.server.is_empty() && args.peer.is_empty() {
        true => peers_of_earlier_runs(args.cache.as_deref()).await,
        false => args.peer.clone(),
    };
    let prober = Prober::new(args.server.iter().copied())
        .with_peers(peers.iter().copied())
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
            text: why_unknown(&args, &peers).into(),
        }),
        _ => Ok(()),
    }
}

const fn why_unknown(args: &NatArgs, peers: &[SocketAddr]) -> &'static str {
    if args.server.is_empty() && peers.is_empty() {
        "nobody outside was asked, for there are no peers of earlier runs: name STUN servers with --server IP:PORT, or nodes with \
         --peer utp://IP:PORT; none is built in"
    } else {
        "too little was answered to tell how this machine can be reached: name more servers with --server, best one with two \
         addresses (RFC 5780)"
    }
}

/// The UDP ports of the peers that are remembered, the best first. A file that cannot be read has none.
async fn peers_of_earlier_runs(file: Option<&Path>) -> Vec<SocketAddr> {
    let default = || default_path(&NetworkKey::from_name(NetworkKey::DEFAULT_NAME).id());
    let Some(path) = file.map(Path::to_owned).or_else(default) else {
        return Vec::new();
    };
    let nobody = PeerId::from_bytes([0; 32]);
    let cache = PeerCache::builder(nobody, Arc::new(Ed25519Verifier)).file(path);
    let Ok(cache) = cache.read().await else {
        return Vec::new();
    };
    let peers = cache.list();
    let addrs = peers.iter().flat_map(|peer| &peer.addrs);
    let of_world = addrs.filter(|known| {
        known.addr.scheme() == "utp" && Reach::of(&known.addr) == Reach::Everywhere
    });
    of_world
        .filter_map(|known| known.addr.socket_addr())
        .take(Prober::MAX_SERVERS)
        .collect()
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
