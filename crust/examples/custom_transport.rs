//! A transport of one's own, written against `crust-core` alone, and two nodes that meet over it.

#[cfg(unix)]
#[path = "custom_transport/unix.rs"]
mod unix;

#[cfg(unix)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use crust::{Node, rt};

    let folder = std::env::temp_dir();
    let addr: crust::Addr =
        format!("unix://{}/crust-{}", folder.display(), std::process::id()).parse()?;
    rt::block_on(async {
        let bob = Node::builder().transport(unix::UnixTransport);
        let bob = bob.listen(addr.clone()).start().await?;
        let alice = Node::builder().transport(unix::UnixTransport);
        let alice = alice.dial_only().start().await?;

        let session = alice.connect(addr).await?;
        println!("{} at {}", session.peer(), session.remote_addr());
        bob.shutdown().await;
        Ok(())
    })
}

#[cfg(not(unix))]
fn main() {}
