//! Tasks that wait for room to send.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Wake, Waker},
};

/// The wakers of tasks that wait, behind one of its own: a socket remembers a single waker of those who poll it.
#[derive(Debug)]
pub(super) struct Waiters {
    table: Arc<Table>,
    waker: Waker,
}

impl Waiters {
    pub(super) fn new() -> Self {
        let table = Arc::new(Table::default());
        Self {
            waker: table.clone().into(),
            table,
        }
    }

    /// The one that wakes all.
    pub(super) fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Has `waker` woken next time, under `key`, which is given at the first call. Gives false, and takes the key back,
    /// where it was woken since.
    pub(super) fn wait(&self, key: &mut Option<u64>, waker: &Waker) -> bool {
        let mut table = self.table.lock();
        let Some(known) = *key else {
            *key = Some(table.insert(waker.clone()));
            return true;
        };
        let Some(waiting) = table.wakers.get_mut(&known) else {
            *key = None;
            return false;
        };
        let old = (!waiting.will_wake(waker)).then(|| mem::replace(waiting, waker.clone()));
        // The last waker of a task may drop the task, and with it waits of its own: not under the lock.
        drop(table);
        drop(old);
        true
    }

    pub(super) fn remove(&self, key: u64) {
        let removed = self.table.lock().wakers.remove(&key);
        drop(removed);
    }
}

#[derive(Debug, Default)]
struct Table(Mutex<Wakers>);

#[derive(Debug, Default)]
struct Wakers {
    last_key: u64,
    wakers: BTreeMap<u64, Waker>,
}

impl Wakers {
    fn insert(&mut self, waker: Waker) -> u64 {
        self.last_key += 1;
        self.wakers.insert(self.last_key, waker);
        self.last_key
    }
}

impl Table {
    fn lock(&self) -> MutexGuard<'_, Wakers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Table {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let woken = mem::take(&mut self.lock().wakers);
        woken.into_values().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Counter(AtomicUsize);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn one_event_wakes_all_who_wait_once() {
        let waiters = Waiters::new();
        let counters: Vec<Arc<Counter>> = (0..10).map(|_| Arc::default()).collect();
        let mut keys = vec![None; 10];
        for (counter, key) in counters.iter().zip(&mut keys) {
            assert!(waiters.wait(key, &counter.clone().into()));
        }
        waiters.waker().wake_by_ref();
        waiters.waker().wake_by_ref();
        for (counter, key) in counters.iter().zip(&mut keys) {
            assert_eq!(counter.0.load(Ordering::SeqCst), 1);
            assert!(!waiters.wait(key, Waker::noop()), "it was woken");
            assert!(waiters.wait(key, Waker::noop()), "it waits anew");
        }
    }

    #[test]
    fn last_waker_of_a_task_counts() {
        let waiters = Waiters::new();
        let (old, new) = (Arc::<Counter>::default(), Arc::<Counter>::default());
        let mut key = None;
        assert!(waiters.wait(&mut key, &old.clone().into()));
        assert!(waiters.wait(&mut key, &new.clone().into()));
        waiters.waker().wake_by_ref();
        let woken = [old, new].map(|counter| counter.0.load(Ordering::SeqCst));
        assert_eq!(woken, [0, 1]);
    }

    #[test]
    fn waiter_that_gave_up_leaves_nothing() {
        let waiters = Waiters::new();
        let mut key = None;
        assert!(waiters.wait(&mut key, Waker::noop()));
        waiters.remove(key.unwrap());
        assert!(waiters.table.lock().wakers.is_empty());
    }
}
