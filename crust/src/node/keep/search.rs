//! One discovery's search, begun again when it ends.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use crust_core::{Discovery, DiscoveryError, FoundPeer, FoundPeers};
use futures::StreamExt;

/// The search of one discovery.
pub(crate) struct Search {
    discovery: Arc<dyn Discovery>,
    state: State,
    /// How long it is left alone after its next end; it doubles each time, until everything begins anew.
    pause: Duration,
    /// Peers it has found so far, some perhaps several times.
    found: u64,
    /// What went wrong last.
    error: Option<Arc<DiscoveryError>>,
}

enum State {
    Resting { until: Instant },
    Searching { stream: FoundPeers, since: Instant },
}

impl Search {
    /// One that may begin at `now`.
    pub(crate) fn new(discovery: Arc<dyn Discovery>, now: Instant) -> Self {
        Self {
            discovery,
            state: State::Resting { until: now },
            pause: FIRST_PAUSE,
            found: 0,
            error: None,
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.discovery.name()
    }

    pub(crate) const fn found(&self) -> u64 {
        self.found
    }

    pub(crate) const fn error(&self) -> Option<&Arc<DiscoveryError>> {
        self.error.as_ref()
    }

    /// Begins, where it has rested long enough.
    pub(crate) fn begin(&mut self, now: Instant) {
        if matches!(self.state, State::Resting { until } if until <= now) {
            self.state = State::Searching {
                stream: self.discovery.discover(),
                since: now,
            };
        }
    }

    /// Stops, and begins at once when it is wanted again.
    pub(crate) fn stop(&mut self, now: Instant) {
        self.state = State::Resting { until: now };
    }

    /// Everything begins anew: it need not rest, and has its time again.
    pub(crate) fn hurry(&mut self, now: Instant) {
        self.pause = FIRST_PAUSE;
        match &mut self.state {
            State::Resting { until } => *until = (*until).min(now),
            State::Searching { since, .. } => *since = now,
        }
    }

    /// What it finds; pending while it rests.
    pub(crate) fn poll_found(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<FoundPeer> {
        for _ in 0..MAX_ERRORS {
            let State::Searching { stream, .. } = &mut self.state else {
                return Poll::Pending;
            };
            match stream.poll_next_unpin(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(found))) => {
                    self.found += 1;
                    return Poll::Ready(found);
                }
                Poll::Ready(Some(Err(error))) => {
                    tracing::debug!(discovery = self.discovery.name(), %error, "search failed");
                    self.error = Some(Arc::new(error));
                }
                Poll::Ready(None) => {
                    let until = now + self.pause;
                    self.state = State::Resting { until };
                    self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
        // It does nothing but fail.
        self.state = State::Resting {
            until: now + LONGEST_PAUSE,
        };
        Poll::Pending
    }

    /// When it may begin again, where it rests.
    pub(crate) const fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Resting { until } => Some(until),
            State::Searching { .. } => None,
        }
    }

    /// When it has had its time, where it is at work.
    pub(crate) fn exhausted_at(&self, patience: Duration) -> Option<Instant> {
        match &self.state {
            State::Resting { .. } => None,
            State::Searching { since, .. } => Some(*since + patience),
        }
    }

    /// Whether it has had its time to find somebody: it ended, or it has run for `patience`.
    pub(crate) fn is_exhausted(&self, now: Instant, patience: Duration) -> bool {
        match &self.state {
            State::Resting { .. } => true,
            State::Searching { since, .. } => now.saturating_duration_since(*since) >= patience,
        }
    }
}

impl fmt::Debug for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Search")
            .field("discovery", &self.discovery)
            .field("found", &self.found)
            .finish_non_exhaustive()
    }
}

/// A search that ends at once, as that of a cache does, is not made again at once.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Errors in a row, without a wait between them, after which a search is left alone.
const MAX_ERRORS: usize = 64;
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
