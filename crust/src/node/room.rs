//! How many sessions a node keeps: a count with bounds, which the application's own wishes may exceed.

use std::{
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Room for the sessions that a node is to keep.
///
/// Some of it is for those that the node dials itself: whoever fills a node from outside must not choose all its peers.
#[derive(Debug)]
pub(crate) struct Room {
    most: usize,
    reserved: usize,
    living: Arc<AtomicUsize>,
}

/// How a session comes to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    /// Somebody dialed this node.
    Accepted,
    /// The node dialed to keep itself connected.
    Dialed,
    /// The application asked for it, or it takes the place of another.
    Wanted,
}

/// One session, for as long as it lives. What of it is unread counts elsewhere.
#[derive(Debug)]
pub(crate) struct Living(Arc<AtomicUsize>);

impl Room {
    /// `keep`: sessions that there are to be; as many as come, where nothing is said.
    pub(crate) fn new(keep: Option<&RangeInclusive<usize>>) -> Self {
        Self {
            most: keep.map_or(usize::MAX, |keep| *keep.end()),
            // A network in which each node dials half of what it needs has room for all.
            reserved: keep.map_or(0, |keep| keep.start().div_ceil(2)),
            living: Arc::default(),
        }
    }

    /// Whether a session would be let in now. It takes no room yet: whoever says nothing after its handshake must not
    /// keep out others.
    pub(crate) fn has_room(&self, entry: Entry) -> bool {
        self.living.load(Ordering::Acquire) < self.bound(entry)
    }

    /// Lets a session in.
    pub(crate) fn enter(&self, entry: Entry) -> Option<Living> {
        let enter = |living| (living < self.bound(entry)).then_some(living + 1);
        self.living
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, enter)
            .ok()
            .map(|_| Living(self.living.clone()))
    }

    const fn bound(&self, entry: Entry) -> usize {
        match entry {
            // One at least, or two such nodes would never meet.
            Entry::Accepted if self.most > self.reserved => self.most - self.reserved,
            Entry::Accepted => 1,
            Entry::Dialed => self.most,
            Entry::Wanted => usize::MAX,
        }
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
        let room = Room::new(Some(&(0..=2)));
        let inside = [room.enter(Entry::Accepted), room.enter(Entry::Accepted)];
        assert!(inside.iter().all(Option::is_some));
        assert!(!room.has_room(Entry::Dialed) && room.enter(Entry::Dialed).is_none());
        let wanted = room.enter(Entry::Wanted);
        assert!(wanted.is_some());
        drop(inside);
        assert!(room.enter(Entry::Accepted).is_some());
    }

    #[test]
    fn those_who_come_leave_room_for_those_who_are_dialed() {
        let room = Room::new(Some(&(8..=16)));
        let inside: Vec<_> = (0..100)
            .map_while(|_| room.enter(Entry::Accepted))
            .collect();
        assert_eq!(inside.len(), 12);
        let dialed: Vec<_> = (0..100).map_while(|_| room.enter(Entry::Dialed)).collect();
        assert_eq!(dialed.len(), 4);
        assert!(Room::new(Some(&(1..=1))).has_room(Entry::Accepted));
    }
}
