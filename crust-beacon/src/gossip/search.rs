//! A program's search: what gossip knows and comes to know, as a stream.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use crust_core::{DiscoveryError, FoundPeer, Reach};
use futures::stream::Stream;

use super::exchange::Known;

/// What gossip knows, for searches.
pub(super) trait Source: Send + Sync {
    /// The first record of another node that came after version `floor`.
    fn next_after(&self, floor: u64) -> Option<Known>;

    /// Calls `change` on the searches there are.
    fn with_searches(&self, change: &mut dyn FnMut(&mut Searches));
}

/// Each search that was polled, and whom to wake when there is news. Bounded by the program, not by any peer.
#[derive(Debug, Default)]
pub(super) struct Searches {
    last_id: u64,
    wakers: BTreeMap<u64, Option<Waker>>,
    is_closed: bool,
}

impl Searches {
    /// Those to be woken, once no lock is held.
    #[must_use]
    pub(super) fn take_wakers(&mut self) -> Vec<Waker> {
        let wakers = self.wakers.values_mut();
        wakers.filter_map(Option::take).collect()
    }

    /// Ends all searches.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
    }

    pub(super) fn len(&self) -> usize {
        self.wakers.len()
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }
}

/// One search. It keeps its place, so that nothing is queued for it.
pub(super) struct Search {
    source: Arc<dyn Source>,
    name: &'static str,
    /// Given at the first poll: before it, there is no search.
    id: Option<u64>,
    seen: u64,
}

impl Search {
    pub(super) fn new(source: Arc<dyn Source>, name: &'static str) -> Self {
        Self {
            source,
            name,
            id: None,
            seen: 0,
        }
    }

    /// Leaves a waker before it looks, so that no news is missed; true where searches are over.
    fn register(&mut self, cx: &Context<'_>) -> bool {
        let (mut is_closed, mut id) = (false, self.id);
        self.source.with_searches(&mut |searches| {
            let id = *id.get_or_insert_with(|| searches.next_id());
            searches.wakers.insert(id, Some(cx.waker().clone()));
            is_closed = searches.is_closed;
        });
        self.id = id;
        is_closed
    }

    /// A peer that has withdrawn its addresses is nobody to find; nor is one that points at this host.
    fn next(&mut self) -> Option<FoundPeer> {
        while let Some(known) = self.source.next_after(self.seen) {
            self.seen = known.version;
            let mut addrs = known.record.addrs;
            addrs.retain(|addr| Reach::of(addr).is_shared());
            if !addrs.is_empty() {
                return Some(FoundPeer {
                    peer: Some(known.record.peer),
                    addrs,
                    source: self.name,
                });
            }
        }
        None
    }
}

impl Stream for Search {
    type Item = Result<FoundPeer, DiscoveryError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.register(cx) {
            return Poll::Ready(None);
        }
        match self.next() {
            Some(found) => Poll::Ready(Some(Ok(found))),
            None => Poll::Pending,
        }
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        let (id, mut waker) = (self.id, None);
        self.source.with_searches(&mut |searches| {
            waker = id.and_then(|id| searches.wakers.remove(&id));
        });
    }
}
