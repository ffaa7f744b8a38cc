//! Sends a few messages to a `simple_receiver`.

use crust::{Contact, Node};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let receiver = std::env::args().nth(1);
    let receiver: Contact = receiver
        .ok_or("name the receiver: PEER@tcp://IP:PORT")?
        .parse()?;
    crust::rt::block_on(async {
        let node = Node::builder().dial_only().start().await?;
        let session = node.connect(&receiver).await?;
        println!("connected to {}, {}", session.peer(), session.cipher());

        for text in ["hello", "how are you?", "goodbye"] {
            session.send(text).await?;
        }
        // Ends once everything is sent.
        session.close("I have said it all").await;
        node.shutdown().await;
        Ok(())
    })
}
