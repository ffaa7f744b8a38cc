//! A chat with everybody on the LAN who runs this too: `cargo run --example lan_chat -- NAME`.
//!
//! Nobody is configured: nodes hear of each other over broadcast and multicast, and connect.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{error::Error, io::BufRead};

use crust::{Event, Lan, Node, rt};
use futures::{FutureExt, SinkExt, StreamExt, channel::mpsc, select};

fn main() -> Result<(), Box<dyn Error>> {
    let name = std::env::args().nth(1).unwrap_or_else(|| "somebody".into());
    rt::block_on(async {
        let node = Node::builder()
            .network("example lan chat")
            .lan(Lan::default())
            .keep(8..=64)
            .start()
            .await?;
        println!("{name}, you are {:#}; say something", node.id());
        let mut lines = lines().fuse();
        loop {
            select! {
                line = lines.next() => match line {
                    Some(line) => tell_all(&node, &format!("{name}: {line}")).await,
                    None => break,
                },
                event = Box::pin(node.next_event()).fuse() => match event {
                    Some(event) => show(event),
                    None => break,
                },
            }
        }
        node.shutdown().await;
        Ok(())
    })
}

async fn tell_all(node: &Node, text: &str) {
    for session in node.sessions() {
        if let Err(error) = session.send(text.to_owned()).await {
            println!("-- {:#} did not get it: {error}", session.peer());
        }
    }
}

fn show(event: Event) {
    match event {
        Event::Connected { session } => println!("-- {:#} is here", session.peer()),
        Event::Disconnected { peer, reason } => println!("-- {peer:#} is gone: {reason}"),
        Event::Message { message, .. } => {
            // From others: nothing that could move the cursor.
            let text = String::from_utf8_lossy(&message.data);
            println!("{}", text.escape_debug());
        }
        _ => {}
    }
}

/// What is typed, a line at a time.
fn lines() -> mpsc::Receiver<String> {
    let (mut sender, receiver) = mpsc::channel(0);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if rt::block_on(sender.send(line)).is_err() {
                return;
            }
        }
    });
    receiver
}
