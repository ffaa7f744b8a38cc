//! The listener's port without Crust.

use std::{io, sync::Arc};

use crust::{
    Addr,
    core::{Incoming, Listener, Transport, TransportError},
    rt,
};
use crust_tcp::TcpTransport;
use crust_utp::UtpTransport;
use futures::StreamExt;

use super::{
    super::plain::{HEADER_LEN, Heard, Plain, frame},
    Host,
    visitor::Visitor,
};
use crate::exit::{Exit, Failure, sentence};

/// Listens where `addr` does, on a port of its own: for TCP, and for uTP on the same number.
pub(super) async fn listen(addr: &Addr) -> Result<[Listener; 2], Failure> {
    let failure = |error: TransportError| Failure {
        exit: Exit::NotStarted,
        text: sentence(&error),
    };
    let tcp = TcpTransport::new().listen(&with_free_port(addr)).await;
    let tcp = tcp.map_err(failure)?;
    let utp = tcp.local_addr().with_scheme("utp");
    let utp = UtpTransport::new().listen(&utp).await.map_err(failure)?;
    Ok([tcp, utp])
}

/// Gives each connection a task of its own.
pub(super) async fn accept(mut listener: Listener, host: Arc<Host>) {
    while let Some(incoming) = listener.next().await {
        let host = host.clone();
        rt::detach(async move {
            let mut visitor = Visitor::default();
            if let Err(error) = serve(incoming, &host, &mut visitor).await {
                tracing::debug!(%error, "plain connection ended");
            }
            host.on_gone(visitor);
        });
    }
}

async fn serve(
    incoming: Result<Incoming, TransportError>,
    host: &Host,
    visitor: &mut Visitor,
) -> io::Result<()> {
    let connection = incoming.map_err(io::Error::other)?.accept().await;
    let mut plain = Plain::new(connection.map_err(io::Error::other)?);
    let mut echo = Vec::new();
    host.tally.add_session();
    while let Some(heard) = plain.next().await? {
        match heard {
            Heard::Data(len) => {
                if visitor.on_data(len) {
                    if echo.len() != HEADER_LEN + len {
                        echo = frame(&vec![0; len]);
                    }
                    plain.write(&echo).await?;
                }
            }
            Heard::Ask(text) => {
                if let Some(answer) = host.answer(visitor, &text) {
                    plain.write(&frame(&answer)).await?;
                }
                if visitor.brings_much {
                    plain.expect_much();
                }
            }
        }
    }
    Ok(())
}

/// A port is the number after the last colon, in every form of `tcp://` address.
fn with_free_port(addr: &Addr) -> Addr {
    let host = addr
        .body()
        .rsplit_once(':')
        .map_or("[::]", |(host, _)| host);
    let text = format!("tcp://{host}:0");
    text.parse().unwrap_or_else(|_| addr.clone())
}
