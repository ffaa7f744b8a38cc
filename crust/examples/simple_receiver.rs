//! Prints every message that comes. Run it, then `simple_sender` with what it prints.

use crust::{Event, Node};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    crust::rt::block_on(async {
        let node = Node::builder().start().await?;
        let contact = node.contact().ok_or("this node does not listen")?;
        println!("cargo run --example simple_sender {contact}");

        while let Some(event) = node.next_event().await {
            match event {
                Event::Connected { session } => println!("{:#} is here", session.peer()),
                Event::Message { session, message } => {
                    let text = String::from_utf8_lossy(&message.data);
                    println!("{:#} says {text:?}", session.peer());
                }
                Event::Disconnected { peer, reason } => println!("{peer:#} left: {reason}"),
                _ => {}
            }
        }
        Ok(())
    })
}
