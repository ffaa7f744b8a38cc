//! Waiting for facts, each with a limit.

use std::{future::Future, panic::Location, time::Duration};

use crust::{DisconnectReason, Event, Message, Node, PeerId, Session, rt};

/// Runs a test, which fails where it takes more than a minute.
#[track_caller]
pub fn run<F: Future>(test: F) -> F::Output {
    // On the heap: without optimisation each layer between here and the test would copy it.
    rt::block_on(limited(TEST_LIMIT, Box::pin(test), Location::caller()))
}

/// Waits for what must come soon.
#[track_caller]
pub fn soon<F: Future>(fact: F) -> impl Future<Output = F::Output> {
    limited(FACT_LIMIT, fact, Location::caller())
}

/// Waits until something countable is so. For counters, which nobody can wait for.
#[track_caller]
pub fn eventually(fact: impl Fn() -> bool) -> impl Future<Output = ()> {
    soon(async move {
        while !fact() {
            rt::sleep(LOOK_EVERY).await;
        }
    })
}

/// The next event of `node`.
#[track_caller]
pub fn event(node: &Node) -> impl Future<Output = Event> {
    let next = soon(node.next_event());
    async { next.await.expect("the node tells nothing more") }
}

/// The next event, which must be a session's beginning.
#[track_caller]
pub fn connected(node: &Node) -> impl Future<Output = Session> {
    let next = event(node);
    async {
        match next.await {
            Event::Connected { session } => session,
            other => panic!("{other:?} instead of Connected"),
        }
    }
}

/// The next event, which must be a message.
#[track_caller]
pub fn next_message(node: &Node) -> impl Future<Output = (Session, Message)> {
    let next = event(node);
    async {
        match next.await {
            Event::Message { session, message } => (session, message),
            other => panic!("{other:?} instead of Message"),
        }
    }
}

/// The next event, which must be a message; its bytes as text.
#[track_caller]
pub fn message_text(node: &Node) -> impl Future<Output = String> {
    let next = next_message(node);
    async { String::from_utf8_lossy(&next.await.1.data).into_owned() }
}

/// The next event, which must be a session's end.
#[track_caller]
pub fn disconnected(node: &Node) -> impl Future<Output = (PeerId, DisconnectReason)> {
    let next = event(node);
    async {
        match next.await {
            Event::Disconnected { peer, reason } => (peer, reason),
            other => panic!("{other:?} instead of Disconnected"),
        }
    }
}

async fn limited<F: Future>(limit: Duration, fact: F, at: &Location<'_>) -> F::Output {
    match rt::timeout(limit, fact).await {
        Ok(output) => output,
        Err(_) => panic!("what {at} waits for did not come within {limit:?}"),
    }
}

/// A whole test; generous, for slow machines.
const TEST_LIMIT: Duration = Duration::from_secs(60);
/// One fact in it.
const FACT_LIMIT: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(2);
