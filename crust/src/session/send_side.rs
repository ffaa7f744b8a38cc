//! What handles leave for a session's task: messages and orders.

use std::{task::Waker, time::Duration};

use futures::channel::oneshot;

use crate::{
    message::cost,
    reason::DisconnectReason,
    session::{
        SendError,
        outbox::{Costs, Outgoing},
    },
    sync::Waiters,
};

/// The queue between handles and task.
#[derive(Debug, Default)]
pub(crate) struct SendSide {
    pub(crate) incoming: Vec<Outgoing>,
    /// What queued messages cost that are not sealed yet, by level.
    pub(crate) queued: Costs,
    pub(crate) limit: u64,
    /// Whether the task sleeps and must be woken for more.
    pub(crate) parked: bool,
    pub(crate) order: Option<Order>,
    pub(crate) ended: Option<DisconnectReason>,
    pub(crate) space: Waiters,
    /// Dropped at the end, for those who wait for that.
    pub(crate) end: Option<oneshot::Sender<()>>,
}

/// What a session is told to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Order {
    /// Send what is queued, then end.
    Close {
        reason: DisconnectReason,
        text: Box<str>,
    },
    /// End at once.
    Cut(DisconnectReason),
    /// Another connection takes over: read what has come, and end within `grace`.
    Supersede { grace: Duration },
}

impl Order {
    /// A stronger order overrules a weaker one.
    pub(crate) const fn strength(&self) -> u8 {
        match self {
            Self::Close { .. } => 0,
            Self::Supersede { .. } => 1,
            Self::Cut(_) => 2,
        }
    }
}

impl SendSide {
    /// Whether a message may be queued now.
    pub(crate) fn admit(&self, message: &Outgoing) -> Result<(), SendError> {
        if let Some(reason) = &self.ended {
            return Err(SendError::Ended(reason.clone()));
        }
        match &self.order {
            Some(Order::Close { reason, .. } | Order::Cut(reason)) => {
                return Err(SendError::Ended(reason.clone()));
            }
            Some(Order::Supersede { .. }) => {
                return Err(SendError::Ended(DisconnectReason::Replaced));
            }
            None => {}
        }
        // What a message overtakes does not stand in its way; and an empty queue takes any message, so that one longer
        // than the queue can go too.
        let ahead: u64 = self.queued[message.priority.index()..].iter().sum();
        if ahead > 0 && ahead + cost(message.data.len()) > self.limit {
            return Err(SendError::Full);
        }
        Ok(())
    }

    /// Takes off what has gone out. Gives those to wake who wait for room: not before half a queue is free, so that
    /// they do not come for each message.
    pub(crate) fn on_sealed(&mut self, sealed: &Costs) -> Vec<Waker> {
        if *sealed == Costs::default() {
            return Vec::new();
        }
        for (queued, sealed) in self.queued.iter_mut().zip(sealed) {
            *queued -= sealed;
        }
        // Whoever waits at this level or below has at least as much before it; above it, nothing has changed.
        let level = sealed
            .iter()
            .rposition(|cost| *cost > 0)
            .unwrap_or_default();
        let ahead: u64 = self.queued[level..].iter().sum();
        if ahead <= self.limit / 2 {
            self.space.take()
        } else {
            Vec::new()
        }
    }

    /// Queues a message. Returns whether the task must be woken.
    pub(crate) fn push(&mut self, message: Outgoing) -> bool {
        self.queued[message.priority.index()] += cost(message.data.len());
        self.incoming.push(message);
        std::mem::take(&mut self.parked)
    }
}
