//! `crust demo`: two nodes in this process meet, talk, and show what they can.

use std::{io::IsTerminal, time::Duration};

use clap::Args;
use crust::{Bytes, Contact, Event, Node, Session, rt};

use crate::{
    exit::Failure,
    out,
    rtt::{Rtt, Samples},
    units,
};

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Seconds to measure the throughput for
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = crate::target::seconds)]
    seconds: Duration,
}

pub(crate) async fn demo(args: DemoArgs) -> Result<(), Failure> {
    title("Two nodes start, each with a new key");
    let alice = start("Alice", out::ALICE).await?;
    let bob = start("Bob", out::BOB).await?;

    title("Alice connects to Bob's key");
    let (near, far) = meet(&alice, &bob).await?;
    title("They talk");
    talk(&near, &far).await?;
    title("How fast it goes, in one process");
    measure_rtt(&near).await?;
    measure_throughput(&near, &far, args.seconds).await?;
    title("Carol knows one address, and nobody's name");
    let carol = join(&alice).await?;
    title("Alice hangs up on Bob");
    near.close("that was all").await;
    row("Bob hears", far.closed().await);
    for node in [alice, bob, carol] {
        node.shutdown().await;
    }

    title("Now between two terminals, or two machines");
    out::line(format!("  {}", out::paint(out::BOLD, "crust node")));
    out::line("  It prints what to type in the other one.");
    Ok(())
}

async fn start(name: &str, style: anstyle::Style) -> Result<Node, Failure> {
    let loopback = "tcp://127.0.0.1:0".parse().expect("it is an address");
    let node = Node::builder().listen(loopback).start().await?;
    let name = out::paint(style, format!("{name:<8}"));
    let addr = out::paint(out::DIM, &node.listening()[0]);
    out::line(format!("  {name}{}", node.id()));
    out::line(format!("          {addr}"));
    pause().await;
    Ok(node)
}

/// Connects, and gives both ends of the session.
async fn meet(alice: &Node, bob: &Node) -> Result<(Session, Session), Failure> {
    let started_at = rt::now();
    let contact = Contact {
        peer: Some(bob.id()),
        addr: bob.listening()[0].clone(),
    };
    let near = alice.connect(contact).await?;
    let took = rt::now() - started_at;
    let far = match bob.next_event().await {
        Some(Event::Connected { session }) => session,
        other => return Err(Failure::new(format!("Bob saw {other:?} first"))),
    };
    far.claim();
    row("from", near.local_addr());
    row("to", near.remote_addr());
    row("set up in", units::micros(took.as_secs_f64() * 1e6));
    row("proven", "each end holds the key that it is named by");
    row("sealed with", near.cipher());
    pause().await;
    Ok((near, far))
}

/// A third node, which finds its network through a contact.
async fn join(alice: &Node) -> Result<Node, Failure> {
    let contact = Contact::from(alice.listening()[0].clone());
    let loopback = "tcp://127.0.0.1:0".parse().expect("it is an address");
    let builder = Node::builder().listen(loopback).contacts([contact]);
    let carol = builder.start().await?;
    let started_at = rt::now();
    let session = carol.bootstrap().await?;
    let took = units::micros((rt::now() - started_at).as_secs_f64() * 1e6);
    row("asked at", session.remote_addr());
    row(
        "found",
        format!("{:#}…, who is Alice, in {took}", session.peer()),
    );
    pause().await;
    Ok(carol)
}

async fn talk(alice: &Session, bob: &Session) -> Result<(), Failure> {
    let lines = [
        (true, "Hello Bob. Nobody between us can read this."),
        (false, "Nor change it. They cannot even tell what it is."),
        (true, "What if I move to another network?"),
        (false, "You keep your key, so I will know you."),
    ];
    for (by_alice, line) in lines {
        let (from, to, name, style) = if by_alice {
            (alice, bob, "Alice", out::ALICE)
        } else {
            (bob, alice, "Bob", out::BOB)
        };
        from.send(line).await?;
        let Some(message) = to.recv().await else {
            return Err(Failure::new(format!("{name}'s message did not arrive")));
        };
        let text = String::from_utf8_lossy(&message.data);
        out::line(format!(
            "  {}{text}",
            out::paint(style, format!("{name:<8}"))
        ));
        pause().await;
    }
    Ok(())
}

async fn measure_rtt(session: &Session) -> Result<(), Failure> {
    let mut samples = Samples::default();
    for _ in 0..PINGS {
        samples.push(session.ping().await?);
    }
    if let Some(rtt) = Rtt::of(samples) {
        let [min, median] = [rtt.min, rtt.p50].map(units::micros);
        row("round trip", format!("{median}, the quickest {min}"));
    }
    Ok(())
}

async fn measure_throughput(
    near: &Session,
    far: &Session,
    duration: Duration,
) -> Result<(), Failure> {
    let started_at = rt::now();
    let sender = near.clone();
    let sending = rt::spawn(async move {
        let message = Bytes::from(vec![0; MESSAGE_LEN]);
        while rt::now() - started_at < duration {
            sender.send(message.clone()).await?;
        }
        sender.send("end").await
    });
    let mut bytes = 0;
    while let Some(message) = far.recv().await {
        if message.data == "end" {
            break;
        }
        bytes += message.data.len();
    }
    let seconds = (rt::now() - started_at).as_secs_f64();
    sending
        .await
        .map_err(|_| Failure::new("sending broke off: this is a bug"))??;
    let speed = units::bytes(bytes as f64 / seconds);
    row("throughput", format!("{speed}/s, encrypted and decrypted"));
    pause().await;
    Ok(())
}

fn title(text: &str) {
    out::line("");
    out::line(out::paint(out::BOLD, text));
}

fn row(name: &str, value: impl std::fmt::Display) {
    let name = out::paint(out::DIM, format!("{name:<12}"));
    out::line(format!("  {name}{value}"));
}

/// For the eye; a pipe needs none.
async fn pause() {
    if std::io::stdout().is_terminal() {
        rt::sleep(Duration::from_millis(300)).await;
    }
}

const PINGS: usize = 200;
const MESSAGE_LEN: usize = 64 << 10;
