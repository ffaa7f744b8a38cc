//! Wakes the one task that waits for something to change.

use std::{
    future::poll_fn,
    sync::atomic::{AtomicBool, Ordering},
    task::Poll,
};

use futures::task::AtomicWaker;

/// Wakes the one task that waits; a notice that comes while it does not is kept.
#[derive(Debug, Default)]
pub(crate) struct Notify {
    is_notified: AtomicBool,
    waker: AtomicWaker,
}

impl Notify {
    pub(crate) fn notify(&self) {
        self.is_notified.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Waits for a notice, or takes one that is kept.
    ///
    /// # Cancel safety
    ///
    /// Safe: no notice is lost.
    pub(crate) async fn notified(&self) {
        poll_fn(|cx| {
            self.waker.register(cx.waker());
            match self.is_notified.swap(false, Ordering::Acquire) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn notice_is_kept_and_given_once() {
        let notify = Notify::default();
        assert!(notify.notified().now_or_never().is_none());
        notify.notify();
        notify.notify();
        assert!(notify.notified().now_or_never().is_some());
        assert!(notify.notified().now_or_never().is_none());
    }
}
