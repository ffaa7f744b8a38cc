//! The discovery on trial, and what can be seen of it from outside.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    Addr, Announcement, Discovery, FoundPeer, FoundPeers, PeerId,
    conformance::{Violation, broken, ensure},
    rt,
};

/// The discovery on trial, and what can be seen of it from outside.
#[derive(Clone)]
pub struct Subject {
    make: Arc<dyn Fn() -> Arc<dyn Discovery> + Send + Sync>,
    searches: Option<Arc<dyn Fn() -> usize + Send + Sync>>,
    limit: Duration,
    quiet: Duration,
}

impl Subject {
    /// Discoveries of nodes that can find one another: `make` gives another node's each time.
    pub fn new<D, F>(make: F) -> Self
    where
        D: Discovery,
        F: Fn() -> D + Send + Sync + 'static,
    {
        Self {
            make: Arc::new(move || Arc::new(make())),
            searches: None,
            limit: DEFAULT_LIMIT,
            quiet: DEFAULT_QUIET,
        }
    }

    /// Lets the suite count the searches under way, over all nodes that `make` gave.
    ///
    /// Sockets joined to a group, tasks running, files being read: whatever a search holds. Without it, the laws about
    /// when a search starts and stops see only what it finds.
    #[must_use]
    pub fn with_searches<F>(mut self, count: F) -> Self
    where
        F: Fn() -> usize + Send + Sync + 'static,
    {
        self.searches = Some(Arc::new(count));
        self
    }

    /// Gives each law `limit` instead of 20 s.
    #[must_use]
    pub fn with_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Takes it that what was not found after `quiet` will not be, instead of 300 ms.
    #[must_use]
    pub fn with_quiet(mut self, quiet: Duration) -> Self {
        self.quiet = quiet;
        self
    }

    /// The time each law has.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// Another node's discovery.
    pub fn discovery(&self) -> Arc<dyn Discovery> {
        (self.make)()
    }

    /// After which silence nothing more is expected.
    pub(super) fn quiet(&self) -> Duration {
        self.quiet
    }

    /// Searches under way are `expected`, at once or soon; true where they cannot be counted.
    pub(super) async fn searches_are(&self, expected: usize) -> Result<(), Violation> {
        let Some(count) = &self.searches else {
            return Ok(());
        };
        let give_up = rt::now() + self.quiet;
        while count() != expected && rt::now() < give_up {
            rt::sleep(Duration::from_millis(5)).await;
        }
        let is = count();
        ensure(is == expected, || {
            format!("{is} searches are under way, not {expected}")
        })
    }

    /// What a search tells about `peer` next.
    pub(super) async fn next_about(
        &self,
        search: &mut FoundPeers,
        peer: PeerId,
    ) -> Result<FoundPeer, Violation> {
        loop {
            match futures::StreamExt::next(search).await {
                Some(Ok(found)) if found.peer == Some(peer) => return Ok(found),
                Some(_) => {}
                None => return Err(broken("the search ended before it found the peer")),
            }
        }
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject")
            .field("limit", &self.limit)
            .field("quiet", &self.quiet)
            .finish_non_exhaustive()
    }
}

/// What `peer` says when it can be dialed at `texts`.
pub(super) fn announcement(peer: PeerId, texts: &[&str]) -> Announcement {
    let addr = |text: &&str| -> Addr { text.parse().expect("the suite writes addresses") };
    Announcement {
        peer,
        addrs: texts.iter().map(addr).collect(),
    }
}

/// No law takes a second on an idle machine; a busy one may be twenty times slower.
const DEFAULT_LIMIT: Duration = Duration::from_secs(20);

/// Far longer than a datagram takes on one machine.
const DEFAULT_QUIET: Duration = Duration::from_millis(300);
