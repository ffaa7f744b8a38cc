//! One host of a lab: a node that finds its network, held by lines on its input.
//!
//! It says `ready` at once and starts with `go`. Then it answers `sessions`, `found`, `known` and `connected` (a peer each
//! time that it was) with the word and peer ids, `got` with the bytes of messages that came, `push N` once it has N MiB of
//! messages to its first peer on their way,
//! `reachability` with `SCHEME=WORD` for each transport, `external` with the external addresses of its endpoints,
//! `most` with the highest number of sessions that it ever had, and ends with `stop` or the end of its input.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    io::{self, BufRead, Write},
    sync::{Arc, Mutex},
};

use crust::{Contact, Event, Lan, Nat, Node, NodeBuilder, PeerId, rt};
use crust_tests::input_lines;
use futures::StreamExt;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let builder = builder(std::env::args().skip(1))?;
    say("ready", &[])?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    if line.trim() == "go" {
        rt::block_on(rt::spawn(serve(builder)))??;
    }
    Ok(())
}

/// Reads `lan`, `gossip`, `nat`, `port=N`, `keep=A..B`, `cache=FILE`, `identity=FILE`, `contact=ADDR`, `network=NAME`, `only=SCHEME`.
fn builder(args: impl Iterator<Item = String>) -> Outcome<NodeBuilder> {
    let mut builder = Node::builder();
    for arg in args {
        let (name, value) = arg.split_once('=').unwrap_or((&arg, ""));
        builder = match name {
            "lan" => builder.lan(Lan::default()),
            "gossip" => builder.gossip(),
            "nat" => builder.nat(Nat::default()),
            "port" => builder.port(value.parse()?),
            "keep" => {
                let (least, most) = value.split_once("..").ok_or("keep=A..B")?;
                builder.keep(least.parse()?..=most.parse()?)
            }
            "cache" => builder.cache_file(value),
            "identity" => builder.identity_file(value),
            "contact" => builder.contacts([value.parse::<Contact>()?]),
            "network" => builder.network(value),
            "only" => builder.only_transport(value),
            _ => return Err(format!("what is {arg}?").into()),
        };
    }
    Ok(builder)
}

/// What was seen so far.
#[derive(Debug, Default)]
struct Seen {
    found: BTreeSet<PeerId>,
    connected: Vec<PeerId>,
    most: usize,
    got: usize,
    reachability: BTreeMap<String, &'static str>,
}

async fn serve(builder: NodeBuilder) -> Outcome<()> {
    let node = builder.start().await?;
    say("id", &[node.id().to_string()])?;
    let seen = Arc::<Mutex<Seen>>::default();
    rt::detach(watch(node.clone(), seen.clone()));
    let mut lines = input_lines();
    while let Some(line) = lines.next().await {
        let ids = |peers: Vec<PeerId>| peers.iter().map(ToString::to_string).collect::<Vec<_>>();
        match line.as_str() {
            "sessions" => {
                let peers = node
                    .sessions()
                    .iter()
                    .map(|session| session.peer())
                    .collect();
                say("sessions", &ids(peers))?;
            }
            "found" => {
                let found = lock(&seen).found.iter().copied().collect();
                say("found", &ids(found))?;
            }
            "connected" => {
                let connected = lock(&seen).connected.clone();
                say("connected", &ids(connected))?;
            }
            "known" => say("known", &ids(node.known_peers()))?,
            "most" => say("most", &[lock(&seen).most.to_string()])?,
            "got" => say("got", &[lock(&seen).got.to_string()])?,
            "reachability" => {
                let known = lock(&seen).reachability.clone();
                let words = known
                    .iter()
                    .map(|(scheme, word)| format!("{scheme}={word}"));
                say("reachability", &words.collect::<Vec<_>>())?;
            }
            "external" => {
                let endpoints = node.endpoints().into_iter();
                let external = endpoints.filter_map(|endpoint| endpoint.external);
                let texts: Vec<_> = external.map(|addr| addr.to_string()).collect();
                say("external", &texts)?;
            }
            "stop" => break,
            line if line.starts_with("push ") => {
                push(&node, line["push ".len()..].parse()?).await?
            }
            _ => return Err(format!("what is {line}?").into()),
        }
    }
    node.shutdown().await;
    say("stopped", &[])
}

async fn push(node: &Node, mebibytes: usize) -> Outcome<()> {
    let sessions = node.sessions();
    let session = sessions.first().ok_or("nobody to push to")?;
    for _ in 0..16 * mebibytes {
        session.send(vec![7; 64 * 1024]).await?;
    }
    say("push", &[])
}

async fn watch(node: Node, seen: Arc<Mutex<Seen>>) {
    while let Some(event) = node.next_event().await {
        let sessions = node.sessions().len();
        let mut seen = lock(&seen);
        seen.most = seen.most.max(sessions);
        match event {
            Event::Connected { session } => {
                seen.found.insert(session.peer());
                seen.connected.push(session.peer());
            }
            Event::Discovered { peer, .. } => {
                seen.found.insert(peer);
            }
            Event::Message { message, .. } => seen.got += message.data.len(),
            Event::Reachability {
                scheme,
                reachability,
            } => {
                seen.reachability.insert(scheme, reachability.name());
            }
            _ => {}
        }
    }
}

fn say(word: &str, rest: &[String]) -> Outcome<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{word} {}", rest.join(" "))?;
    stdout.flush()?;
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().expect("no holder panics")
}
