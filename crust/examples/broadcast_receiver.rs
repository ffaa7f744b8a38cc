//! Prints what a `broadcaster` sends.

use crust::{Contact, Node};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let broadcaster = std::env::args().nth(1);
    let broadcaster: Contact = broadcaster
        .ok_or("name the broadcaster: PEER@tcp://IP:PORT")?
        .parse()?;
    crust::rt::block_on(async {
        let node = Node::builder().dial_only().start().await?;
        let session = node.connect(&broadcaster).await?;
        while let Some(message) = session.recv().await {
            println!("{}", String::from_utf8_lossy(&message.data));
        }
        println!("{}", session.closed().await);
        Ok(())
    })
}
