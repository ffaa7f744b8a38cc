//! Crust in a program that runs on tokio, used as it is: its futures run under any executor.

use std::time::Duration;

use crust::{Event, Node};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    println!("{}", converse().await?);
    Ok(())
}

/// Two nodes in tokio tasks: one asks, the other answers.
pub(crate) async fn converse() -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let bob = Node::builder().start().await?;
    let contact = bob.contact().ok_or("bob does not listen")?;
    let answering = tokio::spawn(async move {
        while let Some(event) = bob.next_event().await {
            if let Event::Message { session, message } = event {
                let question = String::from_utf8_lossy(&message.data).into_owned();
                session.send(format!("{question} Yes!")).await?;
                break;
            }
        }
        bob.shutdown().await;
        Ok::<(), crust::SendError>(())
    });

    let alice = Node::builder().dial_only().start().await?;
    let session = alice.connect(contact).await?;
    session.send("Does this run on tokio?").await?;
    // Tokio's own timers and select! work on Crust's futures as on any.
    let answer = tokio::select! {
        message = session.recv() => message.ok_or("bob hung up")?,
        () = tokio::time::sleep(Duration::from_secs(10)) => return Err("no answer".into()),
    };
    alice.shutdown().await;
    answering.await??;
    Ok(String::from_utf8(answer.data.into())?)
}
