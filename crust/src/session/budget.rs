//! What all sessions of a node may hold together of messages that nobody has read.

use std::sync::{
    Arc, Mutex, Weak,
    atomic::{AtomicU64, Ordering},
};

use crate::sync::lock;

/// The bound on unread messages of all sessions.
///
/// Windows bound each session, and as many sessions as a node may have could still fill the memory of a machine whose
/// application has stopped reading. Then those that hold the most are given up, one by one, until it is enough.
///
/// Invariant: what holders hold is at most the limit and one [`Budget::STEP`] of it, and what they get before they
/// see that they were given up.
///
/// Bytes are only added up as they come; what was read meanwhile is found out when that sum reaches the limit, by asking
/// everybody. So messages cost nothing but one addition for each read from a connection.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: u64,
    /// Bytes that came since everybody was asked, and how many may come until that is done again.
    arrived: AtomicU64,
    room: AtomicU64,
    holders: Mutex<Vec<Weak<dyn Holder>>>,
}

/// Somebody that holds unread messages: a session.
pub(crate) trait Holder: std::fmt::Debug + Send + Sync {
    /// What it holds now.
    fn held(&self) -> u64;

    /// Drops it, and takes no more.
    fn give_up(&self);
}

impl Budget {
    /// How much may come between two looks, once it is tight: this part of the limit.
    const STEP: u64 = 16;

    pub(crate) fn new(limit: u64) -> Self {
        Self {
            limit,
            arrived: AtomicU64::new(0),
            room: AtomicU64::new(limit),
            holders: Mutex::default(),
        }
    }

    /// Counts `holder` from now on, until it is dropped.
    pub(crate) fn join(&self, holder: Weak<dyn Holder>) {
        let mut holders = lock(&self.holders);
        if holders.len() == holders.capacity() {
            holders.retain(|holder| holder.strong_count() > 0);
        }
        holders.push(holder);
    }

    /// A holder has got `bytes` more. It may be given up before this returns, and so may others.
    pub(crate) fn on_arrived(&self, bytes: u64) {
        let arrived = self.arrived.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if arrived >= self.room.load(Ordering::Relaxed) {
            self.settle();
        }
    }

    /// Asks everybody, and gives up the largest while they hold too much.
    fn settle(&self) {
        let mut holders = lock(&self.holders);
        if self.arrived.load(Ordering::Relaxed) < self.room.load(Ordering::Relaxed) {
            return;
        }
        holders.retain(|holder| holder.strong_count() > 0);
        let mut held: Vec<(u64, Arc<dyn Holder>)> = holders
            .iter()
            .filter_map(Weak::upgrade)
            .map(|holder| (holder.held(), holder))
            .collect();
        let mut total: u64 = held.iter().map(|(held, _)| held).sum();
        if total > self.limit {
            held.sort_by_key(|(held, _)| *held);
        }
        while total > self.limit
            && let Some((held, holder)) = held.pop()
        {
            holder.give_up();
            total -= held;
        }
        let room = (self.limit - total.min(self.limit)).max(self.limit / Self::STEP);
        self.room.store(room, Ordering::Relaxed);
        self.arrived.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default)]
    struct Toy {
        held: AtomicU64,
        given_up: AtomicU64,
    }

    impl Holder for Toy {
        fn held(&self) -> u64 {
            self.held.load(Ordering::Relaxed)
        }

        fn give_up(&self) {
            self.held.store(0, Ordering::Relaxed);
            self.given_up.fetch_add(1, Ordering::Relaxed);
        }
    }

    struct Scene {
        budget: Budget,
        toys: Vec<Arc<Toy>>,
    }

    impl Scene {
        fn new(limit: u64, toys: usize) -> Self {
            let budget = Budget::new(limit);
            let toys: Vec<_> = (0..toys).map(|_| Arc::<Toy>::default()).collect();
            for toy in &toys {
                let holder: Arc<dyn Holder> = toy.clone();
                budget.join(Arc::downgrade(&holder));
            }
            Self { budget, toys }
        }

        fn get(&self, toy: usize, bytes: u64) {
            self.toys[toy].held.fetch_add(bytes, Ordering::Relaxed);
            self.budget.on_arrived(bytes);
        }

        fn held(&self) -> u64 {
            self.toys.iter().map(|toy| toy.held()).sum()
        }

        fn given_up(&self) -> Vec<u64> {
            let times = |toy: &Arc<Toy>| toy.given_up.load(Ordering::Relaxed);
            self.toys.iter().map(times).collect()
        }
    }

    #[test]
    fn whoever_holds_most_is_given_up_first_and_no_more_than_need_be() {
        let scene = Scene::new(100, 3);
        scene.get(0, 30);
        scene.get(1, 60);
        assert_eq!(scene.given_up(), [0, 0, 0]);
        scene.get(2, 20);
        assert_eq!(scene.given_up(), [0, 1, 0]);
        assert_eq!(scene.held(), 50);
    }

    #[test]
    fn what_was_read_does_not_count() {
        let scene = Scene::new(100, 1);
        for _ in 0..1_000 {
            scene.get(0, 50);
            scene.toys[0].held.store(0, Ordering::Relaxed);
        }
        assert_eq!(scene.given_up(), [0]);
    }

    #[test]
    fn limit_and_a_step_of_it_is_never_exceeded() {
        let scene = Scene::new(1_600, 50);
        for round in 0..10_000 {
            scene.get(round * 7 % 50, 1 + round as u64 % 5);
            assert!(scene.held() <= 1_700, "{}", scene.held());
        }
        assert!(scene.given_up().iter().sum::<u64>() > 0);
    }

    #[test]
    fn holders_that_are_gone_are_forgotten() {
        let budget = Budget::new(100);
        for _ in 0..1_000 {
            let toy: Arc<dyn Holder> = Arc::<Toy>::default();
            budget.join(Arc::downgrade(&toy));
        }
        assert!(lock(&budget.holders).len() < 10);
    }
}
