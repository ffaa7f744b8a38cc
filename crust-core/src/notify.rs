//! Wakes the one task that waits for something to change.

use std::{
    future::poll_fn,
    sync::atomic::{AtomicBool, Ordering},
    task::Poll,
};

use futures::task::AtomicWaker;

/// Wakes the one task that waits for something to change; what changes while it does not wait is not lost.
#[derive(Debug, Default)]
pub struct Notify {
    is_notified: AtomicBool,
    waker: AtomicWaker,
}

impl Notify {
    /// Gives a notice. Several before one is taken are one.
    pub fn notify(&self) {
        self.is_notified.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Waits for a notice, or takes one that came before.
    ///
    /// # Cancel safety
    ///
    /// Safe: no notice is lost.
    pub async fn notified(&self) {
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
    fn notice_is_not_lost_and_not_given_twice() {
        let notify = Notify::default();
        assert!(notify.notified().now_or_never().is_none());
        notify.notify();
        notify.notify();
        assert!(notify.notified().now_or_never().is_some());
        assert!(notify.notified().now_or_never().is_none());
    }
}
