//! Requests over connections.

use std::{
    future::poll_fn,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use crust_core::{Addr, Connection, DialOpts, Incoming, Listener, Transport, rt};
use futures::{AsyncWriteExt, FutureExt, StreamExt, future::BoxFuture};

use super::shared::Shared;
use crate::stun::{
    server::{Answer, Arrival, Carrier, Place, Places},
    tcp::read_message,
    wire::Message,
};

/// One listening address of a server.
#[derive(Debug, Clone)]
pub(super) struct StreamDoor {
    pub(super) shared: Arc<Shared>,
    pub(super) places: Places,
    pub(super) at: Place,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) scheme: &'static str,
}

/// Takes connections for ever, a bounded number at once.
pub(super) async fn serve(listener: Listener, door: StreamDoor) {
    let incoming = listener.filter_map(|it| std::future::ready(it.ok()));
    let visit = |incoming: Incoming| {
        let door = &door;
        async move {
            let visit = async {
                if let Ok(connection) = incoming.accept().await {
                    door.attend(connection).await;
                }
            };
            let _ = rt::timeout(LONGEST_VISIT, visit).await;
        }
    };
    incoming.for_each_concurrent(MAX_CONNECTIONS, visit).await;
}

impl StreamDoor {
    /// Answers one request after another, until something else comes, or nothing.
    async fn attend(&self, mut connection: Connection) {
        let Some(from) = connection.remote_addr().socket_addr() else {
            return;
        };
        let arrival = Arrival {
            from,
            at: self.at,
            carrier: Carrier::Stream,
        };
        let mut calls = Calls::default();
        let mut buffer = Vec::new();
        loop {
            let read = calls.beside(read_message(&mut connection, &mut buffer));
            let Ok(Ok(Ok(()))) = rt::timeout(LONGEST_SILENCE, read).await else {
                return;
            };
            match self.answer(arrival, &buffer) {
                Some(answer) if answer.from == self.at => {
                    let written = connection.write_all(&answer.data).await;
                    if written.is_err() || connection.flush().await.is_err() {
                        return;
                    }
                }
                Some(answer) => calls.begin(rt::now(), answer.from, || self.call(answer).boxed()),
                None => return,
            }
        }
    }

    fn answer(&self, arrival: Arrival, request: &[u8]) -> Option<Answer> {
        let message = Message::decode(request).ok()?;
        let mut server = self.shared.server();
        server.handle_message(rt::now(), arrival, &message)
    }

    /// Brings an answer to where the request came from, from another place.
    async fn call(&self, answer: Answer) {
        let from = Addr::from_socket_addr(self.scheme, self.places.addr(answer.from));
        let to = Addr::from_socket_addr(self.scheme, answer.to);
        let opts = DialOpts::default().with_from(from);
        let calling = async {
            let mut connection = self.transport.dial(&to, &opts).await.ok()?;
            connection.write_all(&answer.data).await.ok()?;
            connection.close().await.ok()
        };
        let _ = rt::timeout(LONGEST_CALL, calling).await;
    }
}

/// Connections that the server opens for one client: one from each place, for the system has no more between the same two
/// addresses.
#[derive(Default)]
struct Calls<'a>(Vec<(Place, Instant, BoxFuture<'a, ()>)>);

impl<'a> Calls<'a> {
    /// Begins a call in place of the one before, where that has had its time; a younger one is as good.
    fn begin(&mut self, now: Instant, from: Place, call: impl FnOnce() -> BoxFuture<'a, ()>) {
        let is_young = |since: Instant| now.saturating_duration_since(since) < CALL_AGAIN;
        let is_running =
            |(place, since, _): &(Place, Instant, _)| *place == from && is_young(*since);
        if !self.0.iter().any(is_running) {
            self.0.retain(|(place, ..)| *place != from);
            self.0.push((from, now, call()));
        }
    }

    /// Lets the calls go on while `work` does.
    async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|cx| {
            self.0
                .retain_mut(|(.., call)| call.poll_unpin(cx).is_pending());
            work.as_mut().poll(cx)
        })
        .await
    }
}

/// Connections at once to each address. Each has a kilobyte or two, and a question is answered within a round trip.
const MAX_CONNECTIONS: usize = 256;
/// A client that says nothing for so long has no question: its place is for others.
const LONGEST_SILENCE: Duration = Duration::from_secs(5);
/// As long as a client waits for its answer (RFC 8489 §6.2.2).
const LONGEST_VISIT: Duration = Duration::from_secs(40);
/// The first SYN and the next, which the system sends after a second.
const LONGEST_CALL: Duration = Duration::from_millis(1_500);
/// A call that is asked for again after so long may have lost its SYN.
const CALL_AGAIN: Duration = Duration::from_millis(350);
