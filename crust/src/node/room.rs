//! How many sessions a node keeps: a count with a bound, which the application's own wishes may exceed.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Room for the sessions that a node is to keep.
#[derive(Debug)]
pub(crate) struct Room {
    most: usize,
    living: Arc<AtomicUsize>,
}

/// One session, for as long as it lives. What of it is unread counts elsewhere.
#[derive(Debug)]
pub(crate) struct Living(Arc<AtomicUsize>);

impl Room {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            living: Arc::default(),
        }
    }

    /// Lets a session in. One that is `wanted`, by the application or in place of another, finds room always.
    pub(crate) fn enter(&self, wanted: bool) -> Option<Living> {
        let enter = |living| (wanted || living < self.most).then_some(living + 1);
        self.living
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, enter)
            .ok()
            .map(|_| Living(self.living.clone()))
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_ends_at_its_bound_and_comes_back() {
        let room = Room::new(2);
        let inside = [room.enter(false), room.enter(false)];
        assert!(inside.iter().all(Option::is_some));
        assert!(room.enter(false).is_none());
        let wanted = room.enter(true);
        assert!(wanted.is_some());
        drop(inside);
        assert!(room.enter(false).is_some());
    }
}
