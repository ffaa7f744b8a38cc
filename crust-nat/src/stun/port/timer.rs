//! Sleeping until a machine is due, or has become due sooner.

use std::{
    future::poll_fn,
    task::{Poll, ready},
    time::Instant,
};

use crust_core::rt;
use futures::{future::BoxFuture, task::AtomicWaker};

/// The sleep of one task.
#[derive(Debug, Default)]
pub(super) struct Timer(AtomicWaker);

impl Timer {
    /// Has the task look again at when it is due.
    pub(super) fn wake(&self) {
        self.0.wake();
    }

    /// Waits until the moment that `next` tells, which is asked again after each [`Timer::wake`].
    pub(super) async fn wait(&self, next: impl Fn() -> Option<Instant>) {
        let mut sleep: Option<(Instant, BoxFuture<'static, ()>)> = None;
        poll_fn(|cx| {
            self.0.register(cx.waker());
            let Some(at) = next() else {
                return Poll::Pending;
            };
            let mut timer = match sleep.take() {
                Some((until, timer)) if until == at => timer,
                _ => Box::pin(rt::sleep_until(at)),
            };
            let polled = timer.as_mut().poll(cx);
            sleep = Some((at, timer));
            ready!(polled);
            Poll::Ready(())
        })
        .await;
    }
}
