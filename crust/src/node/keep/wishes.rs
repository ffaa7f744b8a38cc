//! What the rest of the node tells the task that keeps it connected, and hears from it.

use std::{
    collections::{HashMap, VecDeque},
    ops::RangeInclusive,
    sync::Mutex,
    task::{Context, Poll},
};

use crust_core::{FoundPeer, PeerId};

use crate::{
    error::{Attempt, SearchReport},
    sync::{Waiters, lock, wake_all},
};

/// The desk between the task and everybody else.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    /// Sessions to keep.
    range: Option<RangeInclusive<usize>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Callers that wait for a first session.
    waiting: usize,
    /// Sessions that ended since the task last looked.
    ended: HashMap<PeerId, Ended>,
    /// Peers that others told of.
    told: VecDeque<Told>,
    /// What was tried since the first of those who wait came.
    attempts: Vec<Attempt>,
    /// Callers that ever came, and how many of them there was nothing left to try for.
    came: u64,
    given_up: u64,
    searches: Vec<SearchReport>,
    is_new: bool,
    /// Whether there is a task that takes what is left here.
    has_task: bool,
    task: Waiters,
    callers: Waiters,
}

/// Somebody that a peer told of.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) found: FoundPeer,
    pub(crate) teller: PeerId,
    /// What was told holds by this node's clock. Else it is good for a dial, and nothing is kept of it.
    pub(crate) is_timely: bool,
}

/// How a session ended, as far as it matters for dialing that peer again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The application of one side did not want it.
    Unwanted,
    /// The other side had no room.
    Full,
    Lost,
}

/// Everything that was tried for those who wait.
#[derive(Debug)]
pub(crate) struct Tried {
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) searches: Vec<SearchReport>,
}

impl Wishes {
    pub(crate) fn new(range: Option<RangeInclusive<usize>>) -> Self {
        Self {
            range,
            state: Mutex::default(),
        }
    }

    /// Sessions that there should be at least.
    pub(crate) fn least(&self) -> usize {
        let kept = self.range.as_ref().map_or(0, |range| *range.start());
        kept.max(usize::from(lock(&self.state).waiting > 0))
    }

    /// Whether the node is to keep itself connected.
    pub(crate) const fn is_keeping(&self) -> bool {
        self.range.is_some()
    }

    /// Sessions beyond which nobody is let in.
    pub(crate) fn most(&self) -> usize {
        self.range.as_ref().map_or(usize::MAX, |range| *range.end())
    }

    /// Somebody waits for a session, until what this gives is dropped.
    pub(crate) fn wait(&self) -> Waiting<'_> {
        let mut state = lock(&self.state);
        state.waiting += 1;
        if state.waiting == 1 {
            state.attempts.clear();
        }
        state.came += 1;
        let number = state.came;
        let task = state.change();
        drop(state);
        wake_all(task);
        Waiting {
            wishes: self,
            number,
        }
    }

    /// A session ended.
    pub(crate) fn on_ended(&self, peer: PeerId, ended: Ended) {
        let mut state = lock(&self.state);
        if !state.has_task {
            return;
        }
        state.ended.insert(peer, ended);
        let task = state.change();
        drop(state);
        wake_all(task);
    }

    /// A peer told of another. Beyond [`MAX_FOUND`] the oldest are forgotten.
    pub(crate) fn on_told(&self, told: Told) {
        let mut state = lock(&self.state);
        if !state.has_task {
            return;
        }
        if state.told.len() == MAX_FOUND {
            state.told.pop_front();
        }
        state.told.push_back(told);
        let task = state.change();
        drop(state);
        wake_all(task);
    }

    /// For the task: who was heard of.
    pub(crate) fn take_told(&self) -> VecDeque<Told> {
        std::mem::take(&mut lock(&self.state).told)
    }

    /// A session began.
    pub(crate) fn on_begun(&self) {
        let mut state = lock(&self.state);
        let mut woken = state.change();
        woken.extend(state.callers.take());
        drop(state);
        wake_all(woken);
    }

    /// For the task: it takes what is left here from now on.
    pub(crate) fn begin(&self) {
        lock(&self.state).has_task = true;
    }

    /// For the task: waits for something new.
    pub(crate) fn poll_news(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = lock(&self.state);
        if std::mem::take(&mut state.is_new) {
            return Poll::Ready(());
        }
        state.task.register(cx);
        Poll::Pending
    }

    /// For the task: the sessions that ended.
    pub(crate) fn take_ended(&self) -> HashMap<PeerId, Ended> {
        std::mem::take(&mut lock(&self.state).ended)
    }

    /// For the task: how many ever came to wait for a first session, where anybody does now.
    pub(crate) fn callers(&self) -> Option<u64> {
        let state = lock(&self.state);
        (state.waiting > 0).then_some(state.came)
    }

    /// For the task: these were tried in vain.
    pub(crate) fn on_failed(&self, attempts: Vec<Attempt>) {
        let mut state = lock(&self.state);
        if state.waiting > 0 {
            let room = MAX_ATTEMPTS.saturating_sub(state.attempts.len());
            state.attempts.extend(attempts.into_iter().take(room));
        }
    }

    /// For the task: there is nothing left to try for the first `callers` that came.
    pub(crate) fn give_up(&self, callers: u64, searches: Vec<SearchReport>) {
        let mut state = lock(&self.state);
        state.given_up = callers;
        state.searches = searches;
        let callers = state.callers.take();
        drop(state);
        wake_all(callers);
    }
}

impl State {
    fn change(&mut self) -> Vec<std::task::Waker> {
        self.is_new = true;
        self.task.take()
    }
}

/// Somebody who waits for a first session.
#[derive(Debug)]
pub(crate) struct Waiting<'a> {
    wishes: &'a Wishes,
    number: u64,
}

impl Waiting<'_> {
    /// Everything that was tried, once there is nothing left. The caller looks for sessions itself, after this.
    pub(crate) fn poll_tried(&self, cx: &Context<'_>) -> Poll<Tried> {
        let mut state = lock(&self.wishes.state);
        if state.given_up >= self.number {
            return Poll::Ready(Tried {
                attempts: std::mem::take(&mut state.attempts),
                searches: state.searches.clone(),
            });
        }
        state.callers.register(cx);
        Poll::Pending
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        lock(&self.wishes.state).waiting -= 1;
    }
}

/// As many as several peers tell at once; the task takes them when it has its turn.
const MAX_FOUND: usize = 256;
/// Attempts told of: more say nothing more.
const MAX_ATTEMPTS: usize = 256;
