//! A chat of whole networks: what is typed goes to all peers. Name peers to connect to as arguments.

use std::io::BufRead;

use crust::{Contact, Event, Node, rt};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let contacts: Vec<Contact> = std::env::args()
        .skip(1)
        .map(|arg| arg.parse())
        .collect::<Result<_, _>>()?;
    rt::block_on(async {
        let node = Node::builder().port(5483).start().await?;
        if let Some(contact) = node.contact() {
            println!("others join with: crust_node {contact}");
        }
        let events = rt::spawn(print_events(node.clone()));
        for contact in &contacts {
            if let Err(error) = node.connect(contact).await {
                eprintln!("{error}");
            }
        }
        send_lines(node.clone()).await;
        node.shutdown().await;
        events.await?;
        Ok(())
    })
}

async fn print_events(node: Node) {
    while let Some(event) = node.next_event().await {
        match event {
            Event::Connected { session } => {
                println!("+ {:#} at {}", session.peer(), session.remote_addr());
            }
            Event::Message { session, message } => {
                let text = String::from_utf8_lossy(&message.data);
                println!("{:#}: {}", session.peer(), text.escape_debug());
            }
            Event::Disconnected { peer, reason } => println!("- {peer:#}: {reason}"),
            Event::Abuse { source, kind, .. } => println!("! {source}: {}", kind.name()),
            _ => {}
        }
    }
}

/// Sends each line of stdin to everybody, until stdin ends.
async fn send_lines(node: Node) {
    let read = rt::unblock(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            for session in node.sessions() {
                if let Err(error) = session.try_send(line.clone()) {
                    eprintln!("{:#} did not get it: {error}", session.peer());
                }
            }
        }
    });
    let _ = read.await;
}
