//! Sends the time to whoever is connected, each second. Run `broadcast_receiver` as often as you like beside it.

use std::time::Duration;

use crust::{Bytes, Node, SendError, rt};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    rt::block_on(async {
        let node = Node::builder().start().await?;
        let contact = node.contact().ok_or("this node does not listen")?;
        println!("cargo run --example broadcast_receiver {contact}");

        loop {
            rt::sleep(Duration::from_secs(1)).await;
            let news = Bytes::from(format!("{} s since 1970", rt::unix_time().as_secs()));
            let mut reached = 0;
            for session in node.sessions() {
                // The same bytes for all: a clone copies nothing. One slow receiver holds nobody up.
                match session.try_send(news.clone()) {
                    Ok(()) => reached += 1,
                    Err(SendError::Full) => println!("{:#} is too slow", session.peer()),
                    Err(error) => println!("{:#} is gone: {error}", session.peer()),
                }
            }
            println!("{reached} receivers");
        }
    })
}
