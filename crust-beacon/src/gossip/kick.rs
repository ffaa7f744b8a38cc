//! Tells a task that what it waits for may have changed.

use std::{
    future::poll_fn,
    sync::atomic::{AtomicBool, Ordering},
    task::Poll,
};

use futures::task::AtomicWaker;

/// Tells one task that what it waits for may have changed. One kick is as good as many.
#[derive(Debug, Default)]
pub(super) struct Kick {
    is_kicked: AtomicBool,
    waker: AtomicWaker,
}

impl Kick {
    pub(super) fn kick(&self) {
        self.is_kicked.store(true, Ordering::SeqCst);
        self.waker.wake();
    }

    /// Waits for a kick, or takes one that came before.
    ///
    /// # Cancel safety
    ///
    /// Safe: no kick is lost.
    pub(super) async fn wait(&self) {
        poll_fn(|cx| {
            self.waker.register(cx.waker());
            if self.is_kicked.swap(false, Ordering::SeqCst) {
                Poll::Ready(())
            } else {
                Poll::Pending
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
    fn kicks_before_a_wait_count_once() {
        let kick = Kick::default();
        assert!(kick.wait().now_or_never().is_none());
        kick.kick();
        kick.kick();
        assert!(kick.wait().now_or_never().is_some());
        assert!(kick.wait().now_or_never().is_none());
    }
}
