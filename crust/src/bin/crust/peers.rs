//! `crust peers`: the peers of earlier runs, in their file.

use std::{
    io::{self, Read},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use clap::{Args, Subcommand};
use crust::{NetworkKey, PeerId, rt};
use crust_bootstrap::{CachedAddr, CachedPeer, PeerCache, default_path};
use crust_crypto::Ed25519Verifier;
use serde::Serialize;

use crate::{
    exit::{Failure, sentence},
    out, units,
};

#[derive(Debug, Args)]
pub(crate) struct PeersArgs {
    #[command(subcommand)]
    what: Option<What>,
    /// The network of this name
    #[arg(long, global = true, value_name = "NAME", default_value = "crust")]
    network: String,
    /// This file, not that of the network in the user's data directory
    #[arg(long, global = true, value_name = "FILE")]
    cache: Option<PathBuf>,
    /// Prints JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Lists them, the one most worth keeping first (the default)
    List,
    /// Prints those that others can use, one PEER@ADDRESS a line
    Export,
    /// Takes what export printed, from a file or the input
    Import {
        /// The file; - is the input
        #[arg(default_value = "-")]
        file: PathBuf,
    },
    /// Forgets them all
    Clear,
}

pub(crate) async fn peers(args: PeersArgs) -> Result<(), Failure> {
    let network = NetworkKey::from_name(&args.network);
    let path = args
        .cache
        .or_else(|| default_path(&network.id()))
        .ok_or_else(|| {
            Failure::not_started("there is no home directory; name a file with --cache")
        })?;
    // Nobody's id: this is no node, so that there is nobody to leave out.
    let nobody = PeerId::from_bytes([0; 32]);
    let cache = PeerCache::builder(nobody, Arc::new(Ed25519Verifier))
        .file(&path)
        .open()
        .await;
    let done = match args.what.unwrap_or(What::List) {
        What::List => {
            list(&cache, &path, args.json);
            Ok(())
        }
        What::Export => {
            let text = cache.export();
            if !text.is_empty() {
                out::line(text.trim_end());
            }
            Ok(())
        }
        What::Import { file } => import(&cache, file).await,
        What::Clear => cache
            .clear()
            .await
            .map(|()| out::talk("They are forgotten."))
            .map_err(|error| Failure::new(sentence(&error))),
    };
    cache.shutdown().await;
    done
}

async fn import(cache: &PeerCache, file: PathBuf) -> Result<(), Failure> {
    let name = file.display().to_string();
    let text = rt::unblock(move || read(&file)).await;
    let text = text
        .map_err(|_| Failure::new("reading broke off: this is a bug"))?
        .map_err(|error| Failure::new(format!("{name} cannot be read: {}", sentence(&error))))?;
    let news = cache
        .import(&text)
        .map_err(|error| Failure::new(format!("nothing was taken: {}", sentence(&error))))?;
    cache
        .flush()
        .await
        .map_err(|error| Failure::new(sentence(&error)))?;
    out::talk(match news {
        1 => "1 address was new.".into(),
        news => format!("{news} addresses were new."),
    });
    Ok(())
}

fn read(file: &std::path::Path) -> io::Result<String> {
    let mut text = String::new();
    if file.as_os_str() == "-" {
        io::stdin().take(MAX_TEXT + 1).read_to_string(&mut text)?;
    } else {
        std::fs::File::open(file)?
            .take(MAX_TEXT + 1)
            .read_to_string(&mut text)?;
    }
    if text.len() as u64 > MAX_TEXT {
        let limit = format!(
            "it is longer than {} MiB, which no list of peers is",
            MAX_TEXT >> 20
        );
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, limit));
    }
    Ok(text)
}

/// A peer, for programs.
#[derive(Debug, Serialize)]
struct Line<'a> {
    peer: PeerId,
    direct: bool,
    signed: bool,
    heard_s_ago: u64,
    addrs: Vec<Address<'a>>,
}

#[derive(Debug, Serialize)]
struct Address<'a> {
    addr: &'a str,
    reached_s_ago: Option<u64>,
    rtt_ms: Option<f64>,
    failures: u8,
    lan: Option<String>,
}

fn list(cache: &PeerCache, path: &std::path::Path, json: bool) {
    let peers = cache.list();
    let now = rt::unix_time();
    for peer in &peers {
        if json {
            out::json(&line(peer, now));
        } else {
            show(peer, now);
        }
    }
    if !json {
        let path = out::paint(out::DIM, path.display());
        out::talk(match peers.len() {
            0 => format!("No peers are known in {path}"),
            1 => format!("1 peer, in {path}"),
            count => format!("{count} peers, in {path}"),
        });
    }
}

fn line(peer: &CachedPeer, now: Duration) -> Line<'_> {
    Line {
        peer: peer.peer,
        direct: peer.direct,
        signed: peer.signed,
        heard_s_ago: now.saturating_sub(peer.heard).as_secs(),
        addrs: peer.addrs.iter().map(|addr| address(addr, now)).collect(),
    }
}

fn address(addr: &CachedAddr, now: Duration) -> Address<'_> {
    Address {
        addr: addr.addr.as_str(),
        reached_s_ago: addr.reached.map(|at| now.saturating_sub(at).as_secs()),
        rtt_ms: addr.rtt.map(|rtt| rtt.as_secs_f64() * 1e3),
        failures: addr.failures,
        lan: addr.lan.map(|lan| lan.to_string()),
    }
}

fn show(peer: &CachedPeer, now: Duration) {
    let style = if peer.direct { out::GOOD } else { out::PLAIN };
    out::line(out::paint(style, peer.peer));
    for addr in &peer.addrs {
        let mut words = vec![match addr.reached {
            Some(at) => format!("reached {} ago", units::age(now.saturating_sub(at))),
            None => "never reached".into(),
        }];
        words.extend(addr.rtt.map(|rtt| units::micros(rtt.as_secs_f64() * 1e6)));
        words.extend(addr.lan.map(|lan| format!("in {lan}")));
        match addr.failures {
            0 => {}
            1 => words.push("1 failure since".into()),
            failures => words.push(format!("{failures} failures since")),
        }
        let detail = out::paint(out::DIM, words.join(", "));
        out::line(format!("  {:<32}  {detail}", addr.addr.as_str()));
    }
}

/// As much as any export has: 1,500 peers with all their addresses.
const MAX_TEXT: u64 = 8 << 20;
