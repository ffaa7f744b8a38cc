//! `crust perf listen`.

mod plain;
mod visitor;

use std::sync::Arc;

use bytes::Bytes;
use crust::{Addr, Contact, Limits, Node, PeerId, Session, rt};
use futures::{FutureExt, StreamExt, channel::mpsc, select_biased};
use serde::Serialize;

use self::visitor::{Run, Visitor};
use super::{
    args::ListenArgs,
    ask::{self, Ask, State, encode},
    report::{Report, per_second},
    tally::Tally,
};
use crate::{exit::Failure, out, signal, usage, usage::Usage};

pub(super) async fn listen(args: ListenArgs) -> Result<(), Failure> {
    usage::raise_open_files();
    let node = Node::builder()
        .listen(args.addr.clone())
        .limits(limits())
        .start()
        .await?;
    let [plain, raw] = plain::listen(&node.listening()[0]).await?;
    announce(&node, plain.local_addr(), args.json);
    let (over, mut runs) = mpsc::channel(0);
    let host = Arc::new(Host {
        tally: Tally::default(),
        plain: plain.local_addr().clone(),
        json: args.json,
        over,
    });
    let accepts = (
        rt::spawn(accept(node.clone(), host.clone())),
        rt::spawn(plain::accept(plain, host.clone())),
        rt::spawn(plain::accept(raw, host)),
    );
    let once = async { while !(runs.next().await.is_none() || args.once) {} };
    select_biased! {
        () = signal::interrupted().fuse() => {}
        () = once.fuse() => {}
    }
    drop(accepts);
    node.shutdown().await;
    Ok(())
}

/// What the tasks of a listener share.
#[derive(Debug)]
struct Host {
    tally: Tally,
    plain: Addr,
    json: bool,
    /// Told of each run that is over.
    over: mpsc::Sender<()>,
}

/// Gives each session a task of its own.
async fn accept(node: Node, host: Arc<Host>) {
    while let Some(session) = node.accept().await {
        host.tally.add_session();
        rt::detach(serve(session, host.clone()));
    }
}

async fn serve(session: Session, host: Arc<Host>) {
    let mut visitor = Visitor::default();
    while let Some(message) = session.recv().await {
        let answer = if ask::is_ask(&message.data) {
            host.answer(&mut visitor, &message.data)
        } else {
            visitor.on_data(message.data.len()).then_some(message.data)
        };
        let Some(answer) = answer else { continue };
        if let Err(error) = session.send(answer).await {
            tracing::debug!(peer = %session.peer(), %error, "answer not sent");
        }
    }
    host.on_gone(visitor);
}

impl Host {
    /// What is said to an ask, if it is one.
    fn answer(&self, visitor: &mut Visitor, ask: &[u8]) -> Option<Bytes> {
        self.tally.add(visitor.take_uncounted());
        match ask::decode(ask)? {
            Ask::Run { mode, plain } => {
                visitor
                    .run
                    .get_or_insert_with(|| Run::new(mode, plain, &self.tally).into());
                let state = State {
                    usage: Usage::now(),
                    plain: self.plain.clone(),
                };
                Some(encode(&state))
            }
            Ask::Begin { mode } => {
                visitor.begin(mode);
                Some(encode(&visitor.total))
            }
            Ask::End => Some(encode(&visitor.total)),
        }
    }

    /// A session or connection is over.
    fn on_gone(&self, mut visitor: Visitor) {
        self.tally.add(visitor.take_uncounted());
        if let Some(run) = visitor.run {
            self.print(&run);
            let _ = self.over.clone().try_send(());
        }
    }

    fn print(&self, run: &Run) {
        let seconds = (rt::now() - run.began_at).as_secs_f64();
        let usage = Usage::now();
        let counts = self.tally.counts().since(&run.counts);
        let total = counts.total;
        let messages = (total.messages > 0).then(|| per_second(total.messages, seconds));
        let report = Report {
            bytes: total.bytes,
            bytes_per_s: per_second(total.bytes, seconds),
            messages_per_s: messages,
            cpu_s: usage.cpu_since(&run.usage),
            rss_bytes: usage.rss_bytes,
            sessions: Some(counts.sessions),
            ..Report::empty(run.mode, run.plain, seconds)
        };
        if self.json {
            out::json(&report);
        } else {
            report.print();
        }
    }
}

fn announce(node: &Node, plain: &Addr, json: bool) {
    let contact = Contact {
        peer: Some(node.id()),
        addr: node.listening()[0].clone(),
    };
    if json {
        out::json(&Listening {
            event: "listening",
            addr: &contact.addr,
            peer: node.id(),
            plain,
        });
        return;
    }
    out::line(format!(
        "Listening on {}",
        out::paint(out::KEY, &contact.addr)
    ));
    out::line(format!("  for plain TCP  {}", out::paint(out::DIM, plain)));
    out::line("Measure from another terminal or machine (--help tells the modes):");
    let command = format!("crust perf run {contact} --mode stream");
    out::line(format!("  {}", out::paint(out::BOLD, command)));
}

#[derive(Debug, Serialize)]
struct Listening<'a> {
    event: &'static str,
    addr: &'a Addr,
    peer: PeerId,
    plain: &'a Addr,
}

/// Whoever measures may come as often as he likes, from one machine.
fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.sessions = MANY;
    limits.sessions_per_address = MANY;
    limits.sessions_per_prefix = MANY;
    limits.handshakes_per_address = limits.handshakes;
    limits.handshakes_per_prefix = limits.handshakes;
    limits
}

/// More than the ports that one address has to dial from.
const MANY: usize = 100_000;
