//! The listener's plain TCP port.

use std::{io, sync::Arc};

use crust::{
    Addr,
    core::{Incoming, Listener, Transport, TransportError},
    rt,
};
use crust_tcp::TcpTransport;
use futures::StreamExt;

use super::{
    super::{
        args::Mode,
        ask::{self, Ask, encode},
        plain::{HEADER_LEN, Heard, Plain, frame},
        tally::Tally,
    },
    visitor::Visitor,
};
use crate::exit::{Exit, Failure, sentence};

/// The port; it closes when this is dropped.
#[derive(Debug)]
pub(super) struct PlainPort {
    pub(super) addr: Addr,
    _accepts: rt::Task<()>,
}

/// Listens where `addr` does, on a port of its own.
pub(super) async fn listen(addr: &Addr, tally: Arc<Tally>) -> Result<PlainPort, Failure> {
    let listener = TcpTransport::new()
        .listen(&with_free_port(addr))
        .await
        .map_err(|error| Failure {
            exit: Exit::NotStarted,
            text: sentence(&error),
        })?;
    Ok(PlainPort {
        addr: listener.local_addr().clone(),
        _accepts: rt::spawn(accept(listener, tally)),
    })
}

async fn accept(mut listener: Listener, tally: Arc<Tally>) {
    while let Some(incoming) = listener.next().await {
        let tally = tally.clone();
        rt::detach(async move {
            if let Err(error) = serve(incoming, &tally).await {
                tracing::debug!(%error, "plain connection ended");
            }
        });
    }
}

async fn serve(incoming: Result<Incoming, TransportError>, tally: &Tally) -> io::Result<()> {
    let connection = incoming.map_err(io::Error::other)?.accept().await;
    let mut plain = Plain::new(connection.map_err(io::Error::other)?);
    let mut visitor = Visitor::default();
    let mut echo = Vec::new();
    tally.add_session();
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
                if let Some(Ask::Begin { mode }) = ask::decode(&text) {
                    visitor.begin(mode);
                    if matches!(mode, Mode::Stream | Mode::Messages) {
                        plain.expect_much();
                    }
                }
                tally.add(visitor.take_uncounted());
                plain.write(&frame(&encode(&visitor.total))).await?;
            }
        }
    }
    tally.add(visitor.take_uncounted());
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
