//! A value whose latest state many may follow.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use futures::Stream;

/// The value. What nobody looked at in time is skipped, so nothing queues up.
#[derive(Debug)]
pub(crate) struct Watch<T>(Mutex<Slot<T>>);

#[derive(Debug)]
struct Slot<T> {
    value: Arc<T>,
    version: u64,
    is_closed: bool,
    waiting: Vec<Waker>,
}

impl<T: PartialEq> Watch<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Mutex::new(Slot {
            value: Arc::new(value),
            version: 1,
            is_closed: false,
            waiting: Vec::new(),
        }))
    }

    /// Replaces the value, where it is another one.
    pub(crate) fn publish(&self, value: T) {
        let mut slot = self.lock();
        if *slot.value == value {
            return;
        }
        slot.value = Arc::new(value);
        slot.version += 1;
        wake(slot);
    }

    /// There will be no other value.
    pub(crate) fn close(&self) {
        let mut slot = self.lock();
        slot.is_closed = true;
        wake(slot);
    }

    pub(crate) fn value(&self) -> Arc<T> {
        self.lock().value.clone()
    }

    /// The value now, and each that follows.
    pub(crate) fn follow(self: &Arc<Self>) -> Follow<T> {
        Follow {
            watch: self.clone(),
            seen: 0,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Slot<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wake<T>(mut slot: MutexGuard<'_, Slot<T>>) {
    let waiting = std::mem::take(&mut slot.waiting);
    drop(slot);
    waiting.into_iter().for_each(Waker::wake);
}

/// The value and its changes, as a stream; it ends with the last.
#[derive(Debug)]
pub(crate) struct Follow<T> {
    watch: Arc<Watch<T>>,
    seen: u64,
}

impl<T: PartialEq> Stream for Follow<T> {
    type Item = Arc<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Arc<T>>> {
        let watch = self.watch.clone();
        let mut slot = watch.lock();
        if slot.version > self.seen {
            self.seen = slot.version;
            return Poll::Ready(Some(slot.value.clone()));
        }
        if slot.is_closed {
            return Poll::Ready(None);
        }
        slot.waiting.retain(|waker| !waker.will_wake(cx.waker()));
        slot.waiting.push(cx.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, StreamExt};

    use super::*;

    #[test]
    fn latest_value_is_given_once() {
        let watch = Arc::new(Watch::new(1));
        let mut follow = watch.follow();
        assert_eq!(follow.next().now_or_never(), Some(Some(Arc::new(1))));
        assert_eq!(follow.next().now_or_never(), None);
        watch.publish(2);
        watch.publish(3);
        assert_eq!(follow.next().now_or_never(), Some(Some(Arc::new(3))));
    }

    #[test]
    fn equal_value_is_no_change() {
        let watch = Arc::new(Watch::new(1));
        let mut follow = watch.follow();
        let _ = follow.next().now_or_never();
        watch.publish(1);
        assert_eq!(follow.next().now_or_never(), None);
    }

    #[test]
    fn it_ends_with_the_last() {
        let watch = Arc::new(Watch::new(1));
        let mut follow = watch.follow();
        watch.publish(2);
        watch.close();
        assert_eq!(follow.next().now_or_never(), Some(Some(Arc::new(2))));
        assert_eq!(follow.next().now_or_never(), Some(None));
    }
}
