//! `crust perf listen`.

mod plain;
mod visitor;

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use crust::{Addr, Contact, Event, Limits, Message, Node, PeerId, Session, rt};
use futures::{FutureExt, select_biased};
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
    let tally = Arc::<Tally>::default();
    let plain = plain::listen(&node.listening()[0], tally.clone()).await?;
    announce(&node, &plain.addr, args.json);
    let mut listener = Listener {
        node,
        visitors: HashMap::new(),
        tally,
        plain: plain.addr.clone(),
        args,
    };
    select_biased! {
        () = signal::interrupted().fuse() => {}
        () = listener.serve().fuse() => {}
    }
    listener.node.shutdown().await;
    Ok(())
}

/// What answers runs.
#[derive(Debug)]
struct Listener {
    node: Node,
    visitors: HashMap<PeerId, Visitor>,
    tally: Arc<Tally>,
    plain: Addr,
    args: ListenArgs,
}

impl Listener {
    /// Until the node ends, or the first run where it is to be the last.
    async fn serve(&mut self) {
        while let Some(event) = self.node.next_event().await {
            match event {
                Event::Connected { session } => {
                    self.visitors.insert(session.peer(), Visitor::default());
                    self.tally.add_session();
                }
                Event::Message { session, message } => self.on_messages(&session, message),
                Event::Disconnected { peer, .. } => {
                    let visitor = self.visitors.remove(&peer);
                    if let Some(run) = visitor.and_then(|visitor| visitor.run) {
                        self.print(&run);
                        if self.args.once {
                            return;
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// Takes a message, and what else waits in the session, so that one look at the table does for many.
    fn on_messages(&mut self, session: &Session, message: Message) {
        let Some(visitor) = self.visitors.get_mut(&session.peer()) else {
            return;
        };
        let mut answers = Vec::new();
        let mut next = Some(message);
        for _ in 0..BATCH {
            let Some(message) = next else { break };
            if ask::is_ask(&message.data) {
                self.tally.add(visitor.take_uncounted());
                answers.extend(answer(visitor, &message.data, &self.tally, &self.plain));
            } else if visitor.on_data(message.data.len()) {
                answers.push(message.data);
            }
            next = session.recv().now_or_never().flatten();
        }
        self.tally.add(visitor.take_uncounted());
        for answer in answers {
            if let Err(error) = session.try_send(answer) {
                tracing::debug!(peer = %session.peer(), %error, "answer not sent");
            }
        }
    }

    fn print(&self, run: &Run) {
        let seconds = (rt::now() - run.began_at).as_secs_f64();
        let usage = Usage::now();
        let counts = self.tally.counts().since(&run.counts);
        let total = counts.total;
        let report = Report {
            bytes: total.bytes,
            bytes_per_s: per_second(total.bytes, seconds),
            messages_per_s: Some(per_second(total.messages, seconds)),
            cpu_s: usage.cpu_since(&run.usage),
            rss_bytes: usage.rss_bytes,
            sessions: Some(counts.sessions),
            ..Report::empty(run.mode, run.plain, seconds)
        };
        if self.args.json {
            out::json(&report);
        } else {
            report.print();
        }
    }
}

/// What is said to an ask, if it is one.
fn answer(visitor: &mut Visitor, ask: &[u8], tally: &Tally, plain: &Addr) -> Option<Bytes> {
    match ask::decode(ask)? {
        Ask::Run { mode, plain: over } => {
            visitor
                .run
                .get_or_insert_with(|| Run::new(mode, over, tally));
            let usage = Usage::now();
            let plain = plain.clone();
            Some(encode(&State { usage, plain }))
        }
        Ask::Begin { mode } => {
            visitor.begin(mode);
            Some(encode(&visitor.total))
        }
        Ask::End => Some(encode(&visitor.total)),
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
/// Messages taken from one session before the next has its turn.
const BATCH: usize = 256;
