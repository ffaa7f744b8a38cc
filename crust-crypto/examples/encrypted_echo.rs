//! Two ends of an encrypted TCP connection: one echoes what the other says.
//!
//! `cargo run -p crust-crypto --example encrypted_echo`

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use std::{
    error::Error,
    net::{SocketAddr, TcpListener, TcpStream},
};

use async_io::Async;
use crust_core::PeerId;
use crust_crypto::{Channel, Identity, Keys, NetworkKey};
use futures::{AsyncReadExt, AsyncWriteExt, future::try_join};

fn main() -> Result<(), Box<dyn Error>> {
    let network = NetworkKey::from_name("echo");
    let alice = Keys::new(&Identity::generate(), network.clone());
    let bob = Keys::new(&Identity::generate(), network);

    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    let addr = listener.get_ref().local_addr()?;
    async_io::block_on(try_join(
        echo(&listener, &bob),
        ask(addr, &alice, bob.peer_id()),
    ))?;
    Ok(())
}

/// Sends back all that the first peer says.
async fn echo(listener: &Async<TcpListener>, keys: &Keys) -> Result<(), Box<dyn Error>> {
    let (stream, _) = listener.accept().await?;
    let channel = Channel::accept(stream, keys).await?;
    println!("echo:  {} says something", channel.peer_id());
    let (mut reader, mut writer) = channel.split();
    let len = futures::io::copy(&mut reader, &mut writer).await?;
    writer.close().await?;
    println!("echo:  {len} bytes went back");
    Ok(())
}

async fn ask(addr: SocketAddr, keys: &Keys, peer: PeerId) -> Result<(), Box<dyn Error>> {
    let stream = Async::<TcpStream>::connect(addr).await?;
    let mut channel = Channel::dial(stream, keys, Some(peer)).await?;
    println!(
        "asker: {} is there, {}",
        channel.peer_id(),
        channel.cipher()
    );
    channel.write_all(b"Is anybody listening in?").await?;
    channel.close().await?;
    let mut answer = String::new();
    channel.read_to_string(&mut answer).await?;
    println!("asker: heard {answer:?}");
    Ok(())
}
