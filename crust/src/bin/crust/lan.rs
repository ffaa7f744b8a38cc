//! `crust lan`: who is on the networks that this machine is in.

use std::{collections::BTreeMap, time::Duration};

use clap::Args;
use crust::{Addr, Lan, Neighbour, PeerId, rt};
use futures::{FutureExt, StreamExt, select_biased};
use serde::Serialize;

use crate::{exit::Failure, identity::IdentityArgs, out, prefixes::prefixes, signal, target};

#[derive(Debug, Args)]
pub(crate) struct LanArgs {
    #[command(flatten)]
    identity: IdentityArgs,
    /// Ends after so many seconds; without it, with Ctrl-C
    #[arg(long, value_name = "SECONDS", value_parser = target::seconds)]
    seconds: Option<Duration>,
    /// Asks on this UDP port
    #[arg(long, value_name = "PORT", default_value_t = Lan::default().port)]
    beacon_port: u16,
    /// Prints one JSON object for each peer that comes, moves or goes, and for each warning
    #[arg(long)]
    pub(crate) json: bool,
}

/// Lists who is there, and then who comes and goes.
pub(crate) async fn lan(args: LanArgs) -> Result<(), Failure> {
    let mut lan = Lan::default();
    lan.port = args.beacon_port;
    let node = args
        .identity
        .builder()?
        .dial_only()
        .lan(lan)
        .start()
        .await?;
    let mut board = Board::new(args.json);
    let mut changes = node.watch_neighbours();
    let over = async {
        match args.seconds {
            Some(seconds) => rt::sleep(seconds).await,
            None => std::future::pending().await,
        }
    };
    board.heading();
    if is_off_line() {
        tracing::warn!("this machine is in no network now");
    }
    let mut over = Box::pin(over.fuse());
    let mut interrupted = Box::pin(signal::interrupted().fuse());
    loop {
        select_biased! {
            () = interrupted => break,
            () = over => break,
            now = changes.next().fuse() => match now {
                Some(now) => board.show(now),
                None => break,
            }
        }
    }
    board.summary();
    node.shutdown().await;
    Ok(())
}

/// Whether this machine has no address but those that it talks to itself with.
fn is_off_line() -> bool {
    let prefixes = prefixes();
    prefixes.iter().all(|prefix| prefix.addr().is_loopback())
}

/// What is on the screen.
#[derive(Debug)]
struct Board {
    json: bool,
    shown: BTreeMap<(PeerId, String), Vec<Addr>>,
}

/// One line for programs.
#[derive(Debug, Serialize)]
struct Line<'a> {
    event: &'static str,
    peer: PeerId,
    addrs: &'a [Addr],
    interface: &'a str,
}

impl Board {
    const fn new(json: bool) -> Self {
        Self {
            json,
            shown: BTreeMap::new(),
        }
    }

    fn heading(&self) {
        if !self.json {
            out::talk("Who is on the LAN (Ctrl-C ends):");
        }
    }

    fn show(&mut self, now: Vec<Neighbour>) {
        let now: BTreeMap<_, _> = now
            .into_iter()
            .map(|it| ((it.peer, it.interface), it.addrs))
            .collect();
        for ((peer, interface), addrs) in &self.shown {
            if !now.contains_key(&(*peer, interface.clone())) {
                self.line("gone", *peer, interface, addrs);
            }
        }
        for (key, addrs) in &now {
            match self.shown.get(key) {
                None => self.line("here", key.0, &key.1, addrs),
                Some(before) if before != addrs => self.line("moved", key.0, &key.1, addrs),
                Some(_) => {}
            }
        }
        self.shown = now;
    }

    fn line(&self, event: &'static str, peer: PeerId, interface: &str, addrs: &[Addr]) {
        if self.json {
            return out::json(&Line {
                event,
                peer,
                addrs,
                interface,
            });
        }
        let style = match event {
            "gone" => out::BAD,
            "moved" => out::KEY,
            _ => out::GOOD,
        };
        let event = out::paint(style, format!("{event:<6}"));
        let addrs: Vec<String> = addrs.iter().map(ToString::to_string).collect();
        let detail = out::paint(out::DIM, format!("{interface}  {}", addrs.join("  ")));
        out::line(format!("{event}{peer}  {detail}"));
    }

    fn summary(&self) {
        if self.json {
            return;
        }
        let peers: std::collections::BTreeSet<_> =
            self.shown.keys().map(|(peer, _)| peer).collect();
        out::talk(match peers.len() {
            0 => "Nobody. A node with --no-beacon, of another network, or behind a filter is not seen.".into(),
            1 => "1 peer is here.".into(),
            count => format!("{count} peers are here."),
        });
    }
}
