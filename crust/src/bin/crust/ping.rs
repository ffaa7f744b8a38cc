//! `crust ping`: round trips to a peer, and what they come to.

use std::time::{Duration, Instant};

use clap::Args;
use crust::{Session, Target, rt};
use futures::{FutureExt, select_biased};
use serde::Serialize;

use crate::{
    exit::Failure,
    identity::IdentityArgs,
    out,
    rtt::{Rtt, Samples},
    signal, target, units,
};

#[derive(Debug, Args)]
pub(crate) struct PingArgs {
    /// A peer id, an address, or both as PEER@ADDRESS
    #[arg(value_parser = target::parse)]
    peer: Target,
    /// How many pings; without it until Ctrl-C
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    count: Option<u32>,
    /// Seconds from one to the next
    #[arg(long, short, value_name = "SECONDS", default_value = "1", value_parser = target::seconds)]
    interval: Duration,
    /// Seconds to wait for an answer
    #[arg(long, short = 'W', value_name = "SECONDS", default_value = "5", value_parser = target::seconds)]
    timeout: Duration,
    #[command(flatten)]
    identity: IdentityArgs,
    /// Prints one JSON object for each round trip, and one for all
    #[arg(long)]
    json: bool,
}

/// What is printed with `--json`.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Line {
    Pong {
        seq: u32,
        rtt_us: f64,
    },
    Lost {
        seq: u32,
    },
    Statistics {
        sent: u32,
        received: u64,
        rtt_us: Option<Rtt>,
    },
}

pub(crate) async fn ping(args: PingArgs) -> Result<(), Failure> {
    let node = args.identity.builder()?.dial_only().start().await?;
    let started_at = rt::now();
    let session = node.connect(args.peer.clone()).await?;
    if !args.json {
        print_head(&session, started_at);
    }
    let mut tried = Tried::default();
    let ended = select_biased! {
        () = signal::interrupted().fuse() => Ok(()),
        result = ping_on(&session, &args, &mut tried).fuse() => result,
    };
    tried.print(args.json);
    node.shutdown().await;
    ended?;
    match tried.answers {
        0 => Err(Failure::new("no ping was answered")),
        _ => Ok(()),
    }
}

/// What has been tried so far.
#[derive(Debug, Default)]
struct Tried {
    sent: u32,
    answers: u64,
    samples: Samples,
}

async fn ping_on(session: &Session, args: &PingArgs, tried: &mut Tried) -> Result<(), Failure> {
    while args.count.is_none_or(|count| tried.sent < count) {
        let sent_at = rt::now();
        tried.sent += 1;
        let line = match rt::timeout(args.timeout, session.ping()).await {
            Ok(rtt) => tried.on_pong(rtt?),
            Err(_) => Line::Lost { seq: tried.sent },
        };
        if args.json {
            out::json(&line);
        } else {
            line.print(session);
        }
        if args.count != Some(tried.sent) {
            rt::sleep_until(sent_at + args.interval).await;
        }
    }
    Ok(())
}

impl Tried {
    fn on_pong(&mut self, rtt: Duration) -> Line {
        self.answers += 1;
        self.samples.push(rtt);
        Line::Pong {
            seq: self.sent,
            rtt_us: micros(rtt),
        }
    }

    fn print(&mut self, json: bool) {
        let rtt = Rtt::of(std::mem::take(&mut self.samples));
        if json {
            out::json(&Line::Statistics {
                sent: self.sent,
                received: self.answers,
                rtt_us: rtt,
            });
            return;
        }
        let lost = u64::from(self.sent) - self.answers;
        let share = 100.0 * lost as f64 / f64::from(self.sent.max(1));
        out::line(format!(
            "{} sent, {} answered, {share:.0} % lost",
            self.sent, self.answers
        ));
        if let Some(rtt) = rtt {
            let [min, median, mean, p99, max] =
                [rtt.min, rtt.p50, rtt.mean, rtt.p99, rtt.max].map(units::micros);
            let names = out::paint(out::DIM, "min / median / mean / 99 % / max");
            out::line(format!(
                "{names}  {min} / {median} / {mean} / {p99} / {max}"
            ));
        }
    }
}

impl Line {
    fn print(&self, session: &Session) {
        match self {
            Self::Pong { seq, rtt_us } => {
                let from = out::paint(out::KEY, format!("{:#}", session.peer()));
                let rtt = out::paint(out::GOOD, units::micros(*rtt_us));
                out::line(format!("pong from {from}  seq {seq}  {rtt}"));
            }
            Self::Lost { seq } => {
                let lost = out::paint(out::BAD, "no answer");
                out::line(format!("{lost}  seq {seq}"));
            }
            Self::Statistics { .. } => {}
        }
    }
}

fn print_head(session: &Session, started_at: Instant) {
    let took = units::micros(micros(rt::now() - started_at));
    out::line(format!(
        "{} at {}, connected in {took}, {}",
        out::paint(out::KEY, session.peer()),
        session.remote_addr(),
        session.cipher()
    ));
}

fn micros(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e7).round() / 10.0
}
