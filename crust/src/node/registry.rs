//! The sessions of a node: one for each peer, and how it is settled which.
//!
//! Two nodes that dial each other at the same moment have two connections and want one session. The node with the lower
//! [`PeerId`] is the *arbiter*: it takes the first connection that is ready and confirms it on the wire; the other node
//! waits for that. So there is one place that decides, and both sides have the same session, whatever order things
//! arrive in. (Keeping "the one that the lower id dialed" would let the other side report a session that is taken back.)

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, Weak},
    task::{Context, Poll},
    time::Duration,
};

use crust_core::PeerId;

use crate::{
    recent::Recent,
    session::{send_side::Order, shared::Shared},
    sync::{Waiters, lock, wake_all},
};

/// The sessions of a node.
#[derive(Debug)]
pub(crate) struct Registry {
    local: PeerId,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    sessions: HashMap<PeerId, Arc<Shared>>,
    /// The last session with each peer that ended: its connection, and itself while anybody holds it.
    ended: Recent<PeerId, (u64, Weak<Shared>)>,
    joined: Waiters,
    closed: bool,
}

/// What became of a session that wanted in.
#[derive(Debug)]
pub(crate) enum Admission {
    /// It is the session with that peer now.
    Admitted,
    /// The node is shut down.
    Closed,
    /// There is one already, and it stays.
    Duplicate,
    /// There is one that gives way: give it the order, wait for its end, and ask again.
    Supersede(Arc<Shared>, Order),
}

impl Registry {
    pub(crate) fn new(local: PeerId) -> Self {
        Self {
            local,
            state: Mutex::new(State {
                sessions: HashMap::new(),
                ended: Recent::new(MAX_ENDED),
                joined: Waiters::default(),
                closed: false,
            }),
        }
    }

    /// Whether this node decides which connection to `peer` is kept.
    pub(crate) fn is_arbiter(&self, peer: &PeerId) -> bool {
        self.local < *peer
    }

    /// The arbiter's decision. `ended` is what the peer says about the last session that ended there.
    pub(crate) fn decide(&self, new: &Arc<Shared>, ended: Option<u64>) -> Admission {
        let mut state = lock(&self.state);
        let Some(old) = state.living(&new.peer) else {
            return state.insert(new);
        };
        if old.names.instance != new.names.instance {
            Admission::Supersede(
                old.clone(),
                Order::Supersede {
                    grace: RESTART_GRACE,
                },
            )
        } else if ended == Some(old.names.connection) {
            Admission::Supersede(
                old.clone(),
                Order::Supersede {
                    grace: REDIAL_GRACE,
                },
            )
        } else {
            Admission::Duplicate
        }
    }

    /// The other side, the arbiter, has decided for `new`.
    pub(crate) fn confirm(&self, new: &Arc<Shared>) -> Admission {
        let mut state = lock(&self.state);
        let Some(old) = state.living(&new.peer) else {
            return state.insert(new);
        };
        let grace = if old.names.instance == new.names.instance {
            REDIAL_GRACE
        } else {
            RESTART_GRACE
        };
        Admission::Supersede(old.clone(), Order::Supersede { grace })
    }

    /// A session is over.
    pub(crate) fn remove(&self, session: &Arc<Shared>) {
        let mut state = lock(&self.state);
        let ended = (session.names.connection, Arc::downgrade(session));
        state.ended.insert(session.peer, ended);
        if state
            .sessions
            .get(&session.peer)
            .is_some_and(|held| Arc::ptr_eq(held, session))
        {
            state.sessions.remove(&session.peer);
        }
    }

    /// A connection that the peer may count as the session was given up before it was one here.
    pub(crate) fn give_up(&self, peer: PeerId, connection: u64) {
        let mut state = lock(&self.state);
        // What the session before it has still to tell comes first all the same.
        let before = state.ended.get(&peer).map(|(_, before)| before.clone());
        let ended = (connection, before.unwrap_or_default());
        state.ended.insert(peer, ended);
    }

    /// The connection of the last session with `peer` that ended here.
    pub(crate) fn last_ended(&self, peer: &PeerId) -> Option<u64> {
        lock(&self.state)
            .ended
            .get(peer)
            .map(|(connection, _)| *connection)
    }

    pub(crate) fn session(&self, peer: &PeerId) -> Option<Arc<Shared>> {
        lock(&self.state).living(peer).cloned()
    }

    pub(crate) fn sessions(&self) -> Vec<Arc<Shared>> {
        lock(&self.state)
            .sessions
            .values()
            .filter(|session| !session.has_ended())
            .cloned()
            .collect()
    }

    /// Lets no session in any more, and gives those that are; `None` where that was done before.
    pub(crate) fn close(&self) -> Option<Vec<Arc<Shared>>> {
        if std::mem::replace(&mut lock(&self.state).closed, true) {
            return None;
        }
        Some(self.sessions())
    }

    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.state).closed
    }

    /// Waits for a session with `peer`.
    pub(crate) fn poll_session(&self, peer: &PeerId, cx: &Context<'_>) -> Poll<Arc<Shared>> {
        let mut state = lock(&self.state);
        match state
            .living(peer)
            .filter(|session| !session.is_closing())
            .cloned()
        {
            Some(session) => Poll::Ready(session),
            None => {
                state.joined.register(cx);
                Poll::Pending
            }
        }
    }
}

impl State {
    fn living(&self, peer: &PeerId) -> Option<&Arc<Shared>> {
        self.sessions
            .get(peer)
            .filter(|session| !session.has_ended())
    }

    fn insert(&mut self, new: &Arc<Shared>) -> Admission {
        if self.closed {
            return Admission::Closed;
        }
        let before = match self.sessions.insert(new.peer, new.clone()) {
            Some(old) => Arc::downgrade(&old),
            None => self
                .ended
                .get(&new.peer)
                .map(|(_, before)| before.clone())
                .unwrap_or_default(),
        };
        new.set_before(before);
        wake_all(self.joined.take());
        Admission::Admitted
    }
}

/// A restarted peer's old connection is dead; only what lies in our own socket is still read.
const RESTART_GRACE: Duration = Duration::from_millis(20);
/// A peer that closed and came back has sent its last words on the old connection, and they are on their way.
const REDIAL_GRACE: Duration = Duration::from_secs(1);
/// Peers whose last session is remembered; about a megabyte at most.
const MAX_ENDED: usize = 1_024;
