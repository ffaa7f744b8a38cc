//! How many tasks a node has, so that a shutdown can wait for the last.

use std::{
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use crate::sync::{Waiters, lock, wake_all};

/// Counts tasks.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    running: usize,
    waiters: Waiters,
}

/// One task, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Running(Arc<Tasks>);

impl Tasks {
    /// One more.
    pub(crate) fn start(self: &Arc<Self>) -> Running {
        lock(&self.state).running += 1;
        Running(self.clone())
    }

    /// Waits until none is left.
    pub(crate) fn poll_idle(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = lock(&self.state);
        if state.running == 0 {
            return Poll::Ready(());
        }
        state.waiters.register(cx);
        Poll::Pending
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.running -= 1;
        let waiters = if state.running == 0 {
            state.waiters.take()
        } else {
            Vec::new()
        };
        drop(state);
        wake_all(waiters);
    }
}
