//! A discovery inside one process: what one node announces, the searches of the others find.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use async_trait::async_trait;
use futures::stream::Stream;

use crate::{Announcement, Discovery, DiscoveryError, FoundPeer, FoundPeers};

/// A discovery inside one process: one node's view of a world of nodes.
///
/// [`MemoryDiscovery::new`] makes a world with one node in it, [`MemoryDiscovery::neighbour`] another node of the same
/// world. A search finds what the other nodes announce, now and later, but not what its own node does; it never ends.
/// Dropping a node takes back what it announced.
#[derive(Debug)]
pub struct MemoryDiscovery {
    world: Arc<Mutex<World>>,
    node: u64,
}

impl MemoryDiscovery {
    /// A node in a world of its own.
    pub fn new() -> Self {
        Self::join(Arc::default())
    }

    /// Another node of the same world.
    #[must_use]
    pub fn neighbour(&self) -> Self {
        Self::join(self.world.clone())
    }

    /// Searches of the whole world that were polled and not dropped.
    pub fn searches(&self) -> usize {
        lock(&self.world).searches.len()
    }

    fn join(world: Arc<Mutex<World>>) -> Self {
        let node = lock(&world).next_id();
        Self { world, node }
    }
}

impl Default for MemoryDiscovery {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Discovery for MemoryDiscovery {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn announce(&self, announcement: &Announcement) -> Result<(), DiscoveryError> {
        let woken = lock(&self.world).announce(self.node, announcement);
        woken.into_iter().for_each(Waker::wake);
        Ok(())
    }

    fn discover(&self) -> FoundPeers {
        Box::pin(Search {
            world: self.world.clone(),
            node: self.node,
            id: None,
            seen: 0,
        })
    }
}

impl Drop for MemoryDiscovery {
    fn drop(&mut self) {
        lock(&self.world).announced.remove(&self.node);
    }
}

/// Who announces what, and who searches.
#[derive(Debug, Default)]
struct World {
    last_id: u64,
    last_version: u64,
    announced: BTreeMap<u64, Announced>,
    /// Each search that was polled, and whom to wake when there is news for it.
    searches: BTreeMap<u64, Option<Waker>>,
}

#[derive(Debug)]
struct Announced {
    version: u64,
    announcement: Announcement,
}

impl World {
    fn announce(&mut self, node: u64, announcement: &Announcement) -> Vec<Waker> {
        if announcement.addrs.is_empty() {
            self.announced.remove(&node);
            return Vec::new();
        }
        self.last_version += 1;
        let announced = Announced {
            version: self.last_version,
            announcement: announcement.clone(),
        };
        self.announced.insert(node, announced);
        self.searches
            .values_mut()
            .filter_map(Option::take)
            .collect()
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// The oldest announcement of another node than `node` that is newer than `seen`.
    fn news(&self, node: u64, seen: u64) -> Option<&Announced> {
        let others = self.announced.iter().filter(|(other, _)| **other != node);
        others
            .map(|(_, announced)| announced)
            .filter(|announced| announced.version > seen)
            .min_by_key(|announced| announced.version)
    }
}

struct Search {
    world: Arc<Mutex<World>>,
    node: u64,
    /// Given at the first poll: before it, there is no search.
    id: Option<u64>,
    seen: u64,
}

impl Stream for Search {
    type Item = Result<FoundPeer, DiscoveryError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let mut world = lock(&this.world);
        let id = *this.id.get_or_insert_with(|| world.next_id());
        let news = world.news(this.node, this.seen);
        let item = news.map(|news| (news.version, found(&news.announcement)));
        let waker = item.is_none().then(|| cx.waker().clone());
        let stale = world.searches.insert(id, waker);
        drop(world);
        drop(stale);
        let Some((version, found)) = item else {
            return Poll::Pending;
        };
        this.seen = version;
        Poll::Ready(Some(Ok(found)))
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            let _waker = lock(&self.world).searches.remove(&id);
        }
    }
}

fn found(announcement: &Announcement) -> FoundPeer {
    FoundPeer {
        peer: Some(announcement.peer),
        addrs: announcement.addrs.clone(),
        source: NAME,
    }
}

/// No holder of the lock panics, and what it guards is whole after each line.
fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

const NAME: &str = "memory";

#[cfg(test)]
mod tests {
    use futures::{FutureExt, StreamExt, poll};

    use super::*;
    use crate::{PeerId, conformance::discovery::Subject, rt::block_on};

    crate::discovery_conformance!(subject());

    fn subject() -> Subject {
        let world = Arc::new(MemoryDiscovery::new());
        let observer = world.clone();
        Subject::new(move || world.neighbour()).with_searches(move || observer.searches())
    }

    fn announcement(addrs: &[&str]) -> Announcement {
        Announcement {
            peer: PeerId::from_bytes([1; 32]),
            addrs: addrs.iter().map(|addr| addr.parse().unwrap()).collect(),
        }
    }

    #[test]
    fn node_does_not_find_itself() {
        let node = MemoryDiscovery::new();
        let announcement = announcement(&["memory://a"]);
        block_on(node.announce(&announcement)).unwrap();
        assert!(node.discover().next().now_or_never().is_none());
        let found = node.neighbour().discover().next().now_or_never();
        assert!(found.is_some());
    }

    #[test]
    fn dropped_node_takes_back_what_it_announced() {
        let here = MemoryDiscovery::new();
        let there = here.neighbour();
        block_on(there.announce(&announcement(&["memory://a"]))).unwrap();
        drop(there);
        assert!(here.discover().next().now_or_never().is_none());
    }

    #[test]
    fn search_that_was_not_polled_is_none() {
        let node = MemoryDiscovery::new();
        let mut search = node.discover();
        assert_eq!(node.searches(), 0);
        block_on(async {
            assert!(poll!(search.next()).is_pending());
        });
        assert_eq!(node.searches(), 1);
        drop(search);
        assert_eq!(node.searches(), 0);
    }
}
