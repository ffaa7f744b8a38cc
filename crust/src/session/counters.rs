//! What a session counts and measures for its handles.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{
    session::SessionStats,
    sync::{Waiters, lock, wake_all},
};

/// What is counted.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    messages_in: AtomicU64,
    messages_out: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    unacked: AtomicU64,
    rtt_us: AtomicU64,
}

impl Counters {
    /// The round trip, smoothed.
    pub(crate) fn rtt(&self) -> Duration {
        Duration::from_micros(self.rtt_us.load(Ordering::Relaxed))
    }

    pub(crate) fn stats(&self) -> SessionStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        SessionStats {
            messages_in: read(&self.messages_in),
            messages_out: read(&self.messages_out),
            bytes_in: read(&self.bytes_in),
            bytes_out: read(&self.bytes_out),
            unacked: read(&self.unacked),
        }
    }

    pub(crate) fn on_sent(&self, messages: u64, bytes: u64) {
        self.messages_out.fetch_add(messages, Ordering::Relaxed);
        self.bytes_out.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn on_received(&self, messages: u64, bytes: u64) {
        self.messages_in.fetch_add(messages, Ordering::Relaxed);
        self.bytes_in.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn set_unacked(&self, frames: u64) {
        self.unacked.store(frames, Ordering::Relaxed);
    }

    pub(crate) fn set_rtt(&self, rtt: Duration) {
        self.rtt_us.store(
            u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX),
            Ordering::Relaxed,
        );
    }
}

/// Pings that the application asked for.
#[derive(Debug, Default)]
pub(crate) struct Pings {
    pub(crate) wanted: AtomicBool,
    pub(crate) state: Mutex<Pongs>,
}

/// The pongs that came, and who waits for the next.
#[derive(Debug, Default)]
pub(crate) struct Pongs {
    /// Pongs so far, and the round trip of the last.
    pub(crate) pongs: u64,
    pub(crate) last: Duration,
    pub(crate) waiters: Waiters,
}

impl Pings {
    /// For the task: whether to ping now.
    pub(crate) fn take_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed) && self.wanted.swap(false, Ordering::AcqRel)
    }

    /// For the task: a ping was answered.
    pub(crate) fn on_pong(&self, rtt: Duration) {
        let mut state = lock(&self.state);
        state.pongs += 1;
        state.last = rtt;
        let waiters = state.waiters.take();
        drop(state);
        wake_all(waiters);
    }
}
