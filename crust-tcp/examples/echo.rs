//! Echo over TCP with `crust-tcp` alone. In one terminal `cargo run -p crust-tcp --example echo`, in another the same
//! with the address that the first printed.

use std::{env, error::Error};

use crust_core::{Addr, DialOpts, Incoming, Transport, TransportError, listen_live, rt};
use crust_tcp::TcpTransport;
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt, io};

fn main() -> Result<(), Box<dyn Error>> {
    rt::block_on(async {
        match env::args().nth(1) {
            Some(addr) => ask(&addr.parse()?).await,
            None => serve().await,
        }
    })
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let live = "tcp://[::]:5483".parse()?;
    let mut listener = listen_live(&TcpTransport::new(), &live).await?;
    let port = listener.local_addr().socket_addr().map(|at| at.port());
    eprintln!("dial me at tcp://localhost:{}", port.unwrap_or_default());
    while let Some(incoming) = listener.next().await {
        match incoming {
            Ok(incoming) => rt::detach(echo(incoming)),
            Err(error) => eprintln!("{error}"),
        }
    }
    Ok(())
}

async fn echo(incoming: Incoming) {
    let remote = incoming.remote_addr().clone();
    match copy_back(incoming).await {
        Ok(bytes) => eprintln!("{remote} got {bytes} bytes back"),
        Err(error) => eprintln!("{error}"),
    }
}

async fn copy_back(incoming: Incoming) -> Result<u64, TransportError> {
    let remote = incoming.remote_addr().clone();
    let (reader, mut writer) = incoming.accept().await?.split();
    let copied = io::copy(reader, &mut writer).await;
    copied.map_err(|error| TransportError::from_io(&remote, error))
}

async fn ask(addr: &Addr) -> Result<(), Box<dyn Error>> {
    let mut connection = TcpTransport::new().dial(addr, &DialOpts::default()).await?;
    connection.write_all(b"hello").await?;
    connection.close().await?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await?;
    eprintln!("{} says {answer:?}", connection.remote_addr());
    Ok(())
}
