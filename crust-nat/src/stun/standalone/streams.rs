//! Requests over connections.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use crust_core::{Connection, Incoming, Listener, rt};
use futures::{AsyncWriteExt, StreamExt};

use super::shared::Shared;
use crate::stun::{
    server::{Arrival, Carrier, Place},
    tcp::read_message,
    wire::Message,
};

/// Takes connections for ever, a bounded number at once.
pub(super) async fn serve(listener: Listener, shared: Arc<Shared>, at: Place) {
    let incoming = listener.filter_map(|it| std::future::ready(it.ok()));
    let visit = |incoming: Incoming| {
        let shared = shared.clone();
        async move {
            let visit = async {
                if let Ok(connection) = incoming.accept().await {
                    answer(connection, &shared, at).await;
                }
            };
            let _ = rt::timeout(LONGEST_VISIT, visit).await;
        }
    };
    incoming.for_each_concurrent(MAX_CONNECTIONS, visit).await;
}

/// Answers one request after another, until something else comes, or nothing.
async fn answer(mut connection: Connection, shared: &Shared, at: Place) {
    let Ok(from) = connection.remote_addr().body().parse::<SocketAddr>() else {
        return;
    };
    let arrival = Arrival {
        from,
        at,
        carrier: Carrier::Stream,
    };
    let mut buffer = Vec::new();
    while let Ok(Ok(())) = read_message(&mut connection, &mut buffer).await {
        let Ok(message) = Message::decode(&buffer) else {
            return;
        };
        let answer = shared.server().handle_message(rt::now(), arrival, &message);
        let Some(answer) = answer else { return };
        if connection.write_all(&answer.data).await.is_err() || connection.flush().await.is_err() {
            return;
        }
    }
}

/// Connections at once to each address. Each has a kilobyte or two, and a question is answered within a round trip.
const MAX_CONNECTIONS: usize = 256;
/// As long as a client waits for its answer (RFC 8489 §6.2.2).
const LONGEST_VISIT: Duration = Duration::from_secs(40);
