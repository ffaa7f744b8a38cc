//! The wait of one task for room to send.

use std::{
    fmt,
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use super::shared::Shared;

/// A wait for room to send. Any number of tasks may wait at a time; all are woken, and each tries again.
///
/// It may be kept and polled by hand, and polled anew after it was ready. The port holds a waker for each that waits.
///
/// # Cancel safety
///
/// Safe: dropping it forgets the wait.
#[must_use = "futures do nothing unless polled"]
pub struct Writable {
    shared: Arc<Shared>,
    key: Option<u64>,
}

impl Writable {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, key: None }
    }

    fn forget(&mut self) {
        if let Some(key) = self.key.take() {
            self.shared.waiters.remove(key);
        }
    }
}

impl Future for Writable {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // Held until the end, so that rebinding finds this waiter in the table or has happened before.
        let shared = self.shared.clone();
        let socket = shared.socket();
        if !shared.waiters.wait(&mut self.key, cx.waker()) {
            return Poll::Ready(Ok(()));
        }
        let ready = socket.poll_writable(shared.waiters.waker());
        if ready.is_ready() {
            self.forget();
        }
        ready
    }
}

impl Drop for Writable {
    fn drop(&mut self) {
        self.forget();
    }
}

impl fmt::Debug for Writable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writable")
            .field("waits", &self.key.is_some())
            .finish_non_exhaustive()
    }
}
