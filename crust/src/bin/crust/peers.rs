//! `crust peers`: the peers of earlier runs, in their file.

mod import;

use std::{path::PathBuf, sync::Arc, time::Duration};

use clap::{Args, Subcommand};
use crust::{NetworkKey, PeerId, rt};
use crust_bootstrap::{CachedAddr, CachedPeer, PeerCache, default_path};
use crust_crypto::Ed25519Verifier;
use serde::Serialize;

use self::import::{import, read};
use crate::{exit::Failure, out, prefixes::prefixes, units};

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
    /// Prints JSON: an object for each peer, or one for what was done
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
            Failure::not_started(
                "there is no home directory with an absolute path; name a file with --cache",
            )
        })?;
    // Nobody's id: this is no node, so that there is nobody to leave out.
    let nobody = PeerId::from_bytes([0; 32]);
    let builder = PeerCache::builder(nobody, Arc::new(Ed25519Verifier))
        .file(&path)
        .lans(prefixes());
    match args.what.unwrap_or(What::List) {
        What::List => list(&builder.read().await?, &path, args.json),
        What::Export => export(&builder.read().await?, args.json),
        What::Import { file } => {
            let text = read(file).await?;
            import(&builder.edit().await?, &text, args.json).await?;
        }
        What::Clear => clear(&builder.edit().await?, args.json).await?,
    }
    Ok(())
}

fn export(cache: &PeerCache, json: bool) {
    let text = cache.export();
    if json {
        let contacts = text.lines().collect();
        out::json(&Exported { contacts });
    } else if !text.is_empty() {
        out::line(text.trim_end());
    }
}

async fn clear(cache: &PeerCache, json: bool) -> Result<(), Failure> {
    let forgotten = cache.list().len();
    let damaged_files = cache.clear().await?;
    if json {
        out::json(&Cleared {
            forgotten,
            damaged_files,
        });
        return Ok(());
    }
    let forgotten = match forgotten {
        0 => "There was nobody to forget".to_owned(),
        1 => "1 peer is forgotten".to_owned(),
        count => format!("{count} peers are forgotten"),
    };
    out::talk(match damaged_files {
        0 => format!("{forgotten}."),
        1 => format!("{forgotten}, and 1 damaged version of the file is removed."),
        count => format!("{forgotten}, and {count} damaged versions of the file are removed."),
    });
    Ok(())
}

/// What `export` prints for programs.
#[derive(Debug, Serialize)]
struct Exported<'a> {
    contacts: Vec<&'a str>,
}

/// What `clear` prints for programs.
#[derive(Debug, Serialize)]
struct Cleared {
    forgotten: usize,
    damaged_files: usize,
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
