//! The node's event stream: sessions that have something to tell, taken in turns.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, atomic::Ordering},
    task::{Context, Poll},
};

use crust_core::Role;

use crate::{
    event::Event,
    session::{Session, inbox::Next, shared::Shared},
    sync::{Waiters, lock, wake_all},
};

/// Gathers what sessions have to tell.
///
/// It holds sessions, not events: each session keeps its own within its window, so a flood from one peer takes no room
/// from another. Bounded by the sessions that are open, by [`MAX_ENDED`] that have ended, and by [`MAX_NOTICES`].
#[derive(Debug, Default)]
pub(crate) struct Hub {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    ready: VecDeque<Arc<Shared>>,
    notices: VecDeque<Event>,
    /// Events taken from the first session without a turn for the next.
    taken: usize,
    /// Whether anybody ever asked for an event.
    read: bool,
    ended: bool,
    readers: Waiters,
}

impl Hub {
    /// `session` has something to tell and is not in the queue.
    pub(crate) fn push(&self, session: Arc<Shared>) {
        let mut state = lock(&self.state);
        state.ready.push_back(session);
        if !state.read && state.ready.len() > MAX_ENDED {
            state.forget_ended();
        }
        let readers = state.readers.take();
        drop(state);
        wake_all(readers);
    }

    /// A discovery found somebody. Left out where many notices wait, for the others matter more; gives whether it was
    /// not.
    pub(crate) fn notify_discovered(&self, event: Event) -> bool {
        let has_room = lock(&self.state).notices.len() < MAX_NOTICES / 2;
        if has_room {
            self.notify(event);
        }
        has_room
    }

    /// Something about the node itself. Beyond [`MAX_NOTICES`] unread ones the oldest is dropped: they count together.
    pub(crate) fn notify(&self, event: Event) {
        let mut state = lock(&self.state);
        if state.notices.len() == MAX_NOTICES {
            state.notices.pop_front();
        }
        state.notices.push_back(event);
        let readers = state.readers.take();
        drop(state);
        wake_all(readers);
    }

    /// The node is shut down: the stream ends once everything is told.
    pub(crate) fn end(&self) {
        let mut state = lock(&self.state);
        state.ended = true;
        let readers = state.readers.take();
        drop(state);
        wake_all(readers);
    }

    /// Waits for [`Hub::end`].
    pub(crate) fn poll_ended(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = lock(&self.state);
        if state.ended {
            return Poll::Ready(());
        }
        state.readers.register(cx);
        Poll::Pending
    }

    /// Whether so many ended sessions wait to be told that new ones must wait too.
    pub(crate) fn is_full(&self) -> bool {
        let state = lock(&self.state);
        state.read
            && state.ready.len() > MAX_ENDED
            && state.ready.iter().filter(|s| s.has_ended()).count() > MAX_ENDED
    }

    /// The next event; `None` after the end.
    pub(crate) fn poll_next(&self, cx: &Context<'_>) -> Poll<Option<Event>> {
        let mut state = lock(&self.state);
        state.read = true;
        if let Some(notice) = state.notices.pop_front() {
            return Poll::Ready(Some(notice));
        }
        let mut passed = 0;
        while let Some(session) = state.ready.front() {
            if session.follows_untold() {
                // The session before it with the same peer ends first. Its end may be on the way here still.
                if passed == state.ready.len() {
                    break;
                }
                passed += 1;
                state.ready.rotate_left(1);
                continue;
            }
            passed = 0;
            if let Some(next) = session.inbox.next() {
                let event = event(session, next);
                state.on_taken();
                return Poll::Ready(Some(event));
            }
            state.taken = 0;
            let session = state.ready.pop_front().expect("looked at above");
            session.in_hub.store(false, Ordering::Release);
            // What came since `next` found nothing saw `in_hub` and did not push.
            if session.inbox.has_next() && !session.in_hub.swap(true, Ordering::AcqRel) {
                state.ready.push_back(session);
            }
        }
        if state.ended && state.ready.is_empty() {
            return Poll::Ready(None);
        }
        state.readers.register(cx);
        Poll::Pending
    }
}

impl Hub {
    /// The next session that a peer began, with its messages claimed; other events are passed over.
    pub(crate) fn poll_accept(&self, cx: &Context<'_>) -> Poll<Option<Session>> {
        loop {
            match self.poll_next(cx) {
                Poll::Ready(Some(Event::Connected { session })) => {
                    session.claim();
                    if session.role() == Role::Listener {
                        return Poll::Ready(Some(session));
                    }
                }
                Poll::Ready(Some(_)) => {}
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl State {
    /// Lets the next session have its turn now and then.
    fn on_taken(&mut self) {
        self.taken += 1;
        if self.taken >= TURN {
            self.taken = 0;
            self.ready.rotate_left(1);
        }
    }

    /// Nobody reads events: the oldest session that ended is not kept for them.
    fn forget_ended(&mut self) {
        let oldest = self.ready.iter().position(|session| session.has_ended());
        if let Some(session) = oldest.and_then(|oldest| self.ready.remove(oldest)) {
            session.inbox.forget();
            session.release();
        }
    }
}

fn event(session: &Arc<Shared>, next: Next) -> Event {
    session.on_read();
    match next {
        Next::Connected => Event::Connected {
            session: Session(session.clone()),
        },
        Next::Message(message) => Event::Message {
            session: Session(session.clone()),
            message,
        },
        Next::Disconnected(reason) => {
            session.release();
            Event::Disconnected {
                peer: session.peer,
                reason,
            }
        }
    }
}

/// Ended sessions kept for a reader of events. An application that reads has no reason to fall behind so far; of one
/// that never reads, the oldest are forgotten.
pub(crate) const MAX_ENDED: usize = 1_024;
/// Notices are made at most once in ten seconds for each source; these are 256 sources.
const MAX_NOTICES: usize = 256;
/// Events from one session before the next has its turn.
const TURN: usize = 64;
