//! Tasks, time and blocking work: the only module that names a runtime.
//!
//! Feature `async-std` (default) runs on async-std, feature `smol` on smol, and where both are on smol wins. With
//! neither, tasks run on a small thread pool of the `futures` crate. Sockets and timers come from `async-io` under all
//! three, so a program with another runtime of its own can use everything here as it is.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use futures::{
    FutureExt,
    channel::oneshot,
    future::{AbortHandle, Either, abortable, select},
};
use thiserror::Error;

/// Runs `future` in the background until it ends; nobody waits for it.
pub fn detach<F>(future: F)
where
    F: Future<Output = ()> + Send + 'static,
{
    backend::spawn(future);
}

/// Runs `future` in the background; dropping the [`Task`] cancels it.
pub fn spawn<F>(future: F) -> Task<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let (sender, receiver) = oneshot::channel();
    let (future, abort) = abortable(future);
    backend::spawn(async move {
        if let Ok(output) = future.await {
            let _ = sender.send(output);
        }
    });
    Task { receiver, abort }
}

/// Runs `work`, which may block, on a thread kept for that.
///
/// # Errors
///
/// [`Cancelled`] where `work` panicked.
///
/// # Cancel safety
///
/// Dropping the future does not stop `work`; its result is lost.
pub async fn unblock<F, T>(work: F) -> Result<T, Cancelled>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let (sender, receiver) = oneshot::channel();
    backend::spawn_blocking(move || {
        let _ = sender.send(work());
    });
    receiver.await.map_err(|_| Cancelled)
}

/// Runs `future` to its end on this thread.
pub fn block_on<F: Future>(future: F) -> F::Output {
    backend::block_on(future)
}

/// Waits for `duration`.
pub async fn sleep(duration: Duration) {
    async_io::Timer::after(duration).await;
}

/// Waits until `deadline`.
pub async fn sleep_until(deadline: Instant) {
    async_io::Timer::at(deadline).await;
}

/// Lets other tasks run; for work that seldom waits.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Gives `future` at most `limit`.
///
/// # Errors
///
/// [`TimedOut`] where it needs longer; it is dropped then.
pub async fn timeout<F: Future>(limit: Duration, future: F) -> Result<F::Output, TimedOut> {
    let future = std::pin::pin!(future);
    match select(future, async_io::Timer::after(limit)).await {
        Either::Left((output, _)) => Ok(output),
        Either::Right(_) => Err(TimedOut { limit }),
    }
}

/// The monotonic clock, for drivers; machines are told the time.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that asks the clock"
)]
pub fn now() -> Instant {
    Instant::now()
}

/// Time since the Unix epoch, for drivers; zero on a clock set before it.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that asks the clock"
)]
pub fn unix_time() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// A task in the background. Awaiting it gives its output; dropping it cancels it.
#[must_use = "dropping a task cancels it; use `detach` to let it run"]
pub struct Task<T> {
    receiver: oneshot::Receiver<T>,
    abort: AbortHandle,
}

impl<T> Task<T> {
    /// Cancels the task at its next wait, without waiting for that.
    pub fn cancel(&self) {
        self.abort.abort();
    }
}

impl<T> Future for Task<T> {
    type Output = Result<T, Cancelled>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.receiver.poll_unpin(cx).map_err(|_| Cancelled)
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.abort.abort();
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("cancelled", &self.abort.is_aborted())
            .finish()
    }
}

/// The task was cancelled or panicked before it had an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the task was cancelled or panicked")]
pub struct Cancelled;

/// The time allowed ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("no result within {limit:?}")]
#[non_exhaustive]
pub struct TimedOut {
    /// The time allowed.
    pub limit: Duration,
}

#[cfg(feature = "smol")]
mod backend {
    use std::future::Future;

    pub(super) use smol::block_on;

    pub(super) fn spawn<F: Future<Output = ()> + Send + 'static>(future: F) {
        smol::spawn(future).detach();
    }

    pub(super) fn spawn_blocking<F: FnOnce() + Send + 'static>(work: F) {
        smol::unblock(work).detach();
    }
}

#[cfg(all(feature = "async-std", not(feature = "smol")))]
mod backend {
    use std::future::Future;

    pub(super) use async_std::task::block_on;

    pub(super) fn spawn<F: Future<Output = ()> + Send + 'static>(future: F) {
        async_std::task::spawn(future);
    }

    pub(super) fn spawn_blocking<F: FnOnce() + Send + 'static>(work: F) {
        async_std::task::spawn_blocking(work);
    }
}

#[cfg(not(any(feature = "async-std", feature = "smol")))]
mod backend {
    use std::{future::Future, sync::OnceLock};

    pub(super) use async_io::block_on;
    use futures::executor::{ThreadPool, ThreadPoolBuilder};

    pub(super) fn spawn<F: Future<Output = ()> + Send + 'static>(future: F) {
        pool().spawn_ok(future);
    }

    /// A thread each: without a runtime feature, blocking work is names to resolve and files to write.
    pub(super) fn spawn_blocking<F: FnOnce() + Send + 'static>(work: F) {
        std::thread::spawn(work);
    }

    fn pool() -> &'static ThreadPool {
        static POOL: OnceLock<ThreadPool> = OnceLock::new();
        POOL.get_or_init(|| {
            let mut builder = ThreadPoolBuilder::new();
            builder.name_prefix("crust-");
            builder
                .create()
                .expect("the system gives a thread for each core")
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, atomic::AtomicBool, atomic::Ordering};

    use super::*;

    #[test]
    fn task_gives_its_output() {
        assert_eq!(block_on(spawn(async { 7 })), Ok(7));
    }

    #[test]
    fn dropped_task_is_cancelled() {
        let (started, running) = oneshot::channel::<()>();
        let ended = Arc::new(AtomicBool::new(false));
        let guard = Guard(ended.clone());
        let task = spawn(async move {
            let _guard = guard;
            let _ = started.send(());
            std::future::pending::<()>().await;
        });
        block_on(async {
            running.await.unwrap();
            drop(task);
            while !ended.load(Ordering::SeqCst) {
                sleep(Duration::from_millis(1)).await;
            }
        });
    }

    #[test]
    fn blocking_work_gives_its_result_or_its_panic() {
        assert_eq!(block_on(unblock(|| 7)), Ok(7));
    }

    #[test]
    fn future_over_its_time_is_dropped() {
        let limit = Duration::from_millis(5);
        let result = block_on(timeout(limit, std::future::pending::<()>()));
        assert_eq!(result, Err(TimedOut { limit }));
    }

    struct Guard(Arc<AtomicBool>);

    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
}
