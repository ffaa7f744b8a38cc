//! Sends back what it is sent, over uTP.
//!
//! `cargo run -p crust-utp --example utp_echo` listens and says where; `utp_echo 127.0.0.1:PORT hello` in another terminal says
//! hello there, and prints what comes back.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use crust_core::rt;
use crust_utp::{UtpSocket, UtpStream};
use futures::{AsyncReadExt, AsyncWriteExt, io};

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

fn main() -> Outcome {
    let mut args = std::env::args().skip(1);
    rt::block_on(async {
        match args.next() {
            Some(addr) => say(&addr, &args.collect::<Vec<_>>().join(" ")).await,
            None => listen().await,
        }
    })
}

async fn listen() -> Outcome {
    let socket = UtpSocket::bind("[::]:0".parse()?)?;
    socket.listen();
    println!("echoing on port {}", socket.local_addr().port());
    loop {
        let (stream, remote) = socket.accept().await;
        rt::detach(async move {
            match echo(stream).await {
                Ok(bytes) => println!("{remote}: {bytes} bytes"),
                Err(error) => println!("{remote}: {error}"),
            }
        });
    }
}

async fn echo(stream: UtpStream) -> io::Result<u64> {
    let (mut reader, mut writer) = stream.split();
    let bytes = io::copy(&mut reader, &mut writer).await?;
    writer.close().await?;
    Ok(bytes)
}

async fn say(addr: &str, text: &str) -> Outcome {
    let socket = UtpSocket::bind("[::]:0".parse()?)?;
    let mut stream = socket.connect(addr.parse()?).await?;
    stream.write_all(text.as_bytes()).await?;
    stream.close().await?;
    let mut back = String::new();
    stream.read_to_string(&mut back).await?;
    println!("{back}");
    Ok(())
}
