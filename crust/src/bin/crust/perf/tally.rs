//! What a listener has received, in all.

use std::sync::atomic::{AtomicU64, Ordering};

use super::ask::Total;

/// Counters of a listener.
#[derive(Debug, Default)]
pub(super) struct Tally {
    messages: AtomicU64,
    bytes: AtomicU64,
    sessions: AtomicU64,
}

/// What they said at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counts {
    pub(super) total: Total,
    pub(super) sessions: u64,
}

impl Tally {
    pub(super) fn add(&self, total: Total) {
        self.messages.fetch_add(total.messages, Ordering::Relaxed);
        self.bytes.fetch_add(total.bytes, Ordering::Relaxed);
    }

    pub(super) fn add_session(&self) {
        self.sessions.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let total = Total {
            messages: read(&self.messages),
            bytes: read(&self.bytes),
        };
        let sessions = read(&self.sessions);
        Counts { total, sessions }
    }
}

impl Counts {
    pub(super) fn since(&self, before: &Self) -> Self {
        let total = Total {
            messages: self.total.messages - before.total.messages,
            bytes: self.total.bytes - before.total.bytes,
        };
        let sessions = self.sessions - before.sessions;
        Self { total, sessions }
    }
}
