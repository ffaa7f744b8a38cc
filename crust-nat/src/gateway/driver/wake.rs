//! What a task waits for.

use std::{
    future::{Future, pending},
    pin::pin,
    time::Instant,
};

use crust_core::Notify;
use crust_core::rt;
use futures::future::{Either, select};

/// What woke a task.
#[derive(Debug)]
pub(crate) enum Woken<T> {
    Done(T),
    Noticed,
    TimedOut,
}

/// Waits for `work`, a notice, or the time `at`.
///
/// # Cancel safety
///
/// That of `work`, which is dropped where something else comes first.
pub(crate) async fn wake<T>(
    work: impl Future<Output = T>,
    notify: &Notify,
    at: Option<Instant>,
) -> Woken<T> {
    let sleep = async {
        match at {
            Some(at) => rt::sleep_until(at).await,
            None => pending().await,
        }
    };
    let others = pin!(async {
        match select(pin!(notify.notified()), pin!(sleep)).await {
            Either::Left(_) => Woken::Noticed,
            Either::Right(_) => Woken::TimedOut,
        }
    });
    match select(pin!(work), others).await {
        Either::Left((done, _)) => Woken::Done(done),
        Either::Right((woken, _)) => woken,
    }
}
