//! What a session's task and its handles share.

use std::{
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use crust_core::{Addr, PeerId, Role};
use crust_crypto::Cipher;

use crate::{
    clock::Alarm,
    event::hub::Hub,
    message::cost,
    reason::DisconnectReason,
    session::{
        SendError, SessionStats,
        inbox::Inbox,
        outbox::{Costs, Outgoing},
    },
    sync::{Waiters, lock, wake_all},
};

/// One session, as all that know it see it.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) peer: PeerId,
    pub(crate) role: Role,
    pub(crate) local: Addr,
    pub(crate) remote: Addr,
    pub(crate) cipher: Cipher,
    pub(crate) names: Names,
    pub(crate) max_message: usize,
    pub(crate) inbox: Inbox,
    pub(crate) counters: Counters,
    pub(crate) pings: Pings,
    /// Wakes the task.
    pub(crate) alarm: Arc<Alarm>,
    /// Whether the hub holds this session in its queue.
    pub(crate) in_hub: AtomicBool,
    pub(crate) hub: Weak<Hub>,
    /// The session with the same peer before this one, while its events are not all told.
    before: Mutex<Weak<Self>>,
    send: Mutex<SendSide>,
}

/// What a connection and the peer's run are called; see [`Hello`](crate::wire::hello::Hello).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) connection: u64,
    pub(crate) instance: u64,
}

/// What only the maker of a session knows.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) peer: PeerId,
    pub(crate) role: Role,
    pub(crate) local: Addr,
    pub(crate) remote: Addr,
    pub(crate) cipher: Cipher,
    pub(crate) names: Names,
}

#[derive(Debug, Default)]
struct SendSide {
    incoming: Vec<Outgoing>,
    /// What queued messages cost that are not sealed yet, by level.
    queued: Costs,
    limit: u64,
    /// Whether the task sleeps and must be woken for more.
    parked: bool,
    order: Option<Order>,
    ended: Option<DisconnectReason>,
    space: Waiters,
    end: Waiters,
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
    const fn strength(&self) -> u8 {
        match self {
            Self::Close { .. } => 0,
            Self::Supersede { .. } => 1,
            Self::Cut(_) => 2,
        }
    }
}

impl Shared {
    pub(crate) fn new(identity: Identity, limits: Limits, hub: Weak<Hub>) -> Self {
        Self {
            peer: identity.peer,
            role: identity.role,
            local: identity.local,
            remote: identity.remote,
            cipher: identity.cipher,
            names: identity.names,
            max_message: limits.max_message,
            inbox: Inbox::new(limits.window),
            counters: Counters::default(),
            pings: Pings::default(),
            alarm: Arc::default(),
            in_hub: AtomicBool::new(false),
            hub,
            before: Mutex::new(Weak::new()),
            send: Mutex::new(SendSide {
                limit: limits.send_queue,
                ..SendSide::default()
            }),
        }
    }

    /// Queues a message; waits while there is no room. Takes it only with [`Poll::Ready`].
    pub(crate) fn poll_send(
        &self,
        message: &mut Option<Outgoing>,
        cx: &Context<'_>,
    ) -> Poll<Result<(), SendError>> {
        let mut send = lock(&self.send);
        match send.admit(message.as_ref().expect("polled again after it was ready")) {
            Err(SendError::Full) => {
                send.space.register(cx);
                return Poll::Pending;
            }
            Err(error) => return Poll::Ready(Err(error)),
            Ok(()) => {}
        }
        let wake = send.push(message.take().expect("looked at above"));
        drop(send);
        if wake {
            self.alarm.ring();
        }
        Poll::Ready(Ok(()))
    }

    /// Queues a message if there is room.
    pub(crate) fn try_send(&self, message: Outgoing) -> Result<(), SendError> {
        let mut send = lock(&self.send);
        send.admit(&message)?;
        let wake = send.push(message);
        drop(send);
        if wake {
            self.alarm.ring();
        }
        Ok(())
    }

    /// Gives the task an order. It does nothing once the session has ended.
    pub(crate) fn order(&self, order: Order) {
        let mut send = lock(&self.send);
        if send
            .order
            .as_ref()
            .is_none_or(|before| before.strength() < order.strength())
        {
            send.order = Some(order);
        }
        drop(send);
        self.alarm.ring();
    }

    /// For the task: messages that cost `sealed` have gone out; takes new ones into `incoming`, which must be empty.
    pub(crate) fn take_work(&self, sealed: &Costs, incoming: &mut Vec<Outgoing>) -> Option<Order> {
        let mut send = lock(&self.send);
        send.parked = false;
        std::mem::swap(&mut send.incoming, incoming);
        let space = send.on_sealed(sealed);
        let order = send.order.clone();
        drop(send);
        wake_all(space);
        order
    }

    /// For the task: it will sleep, unless there is work after all.
    pub(crate) fn park(&self) -> bool {
        let mut send = lock(&self.send);
        if !send.incoming.is_empty() {
            return false;
        }
        if send.incoming.capacity() > KEPT_CAPACITY {
            send.incoming = Vec::new();
        }
        send.parked = true;
        true
    }

    /// For the task, last of all: the session is over.
    pub(crate) fn end(self: &Arc<Self>, reason: &DisconnectReason) {
        let mut send = lock(&self.send);
        send.ended = Some(reason.clone());
        send.incoming = Vec::new();
        let waiters = [send.space.take(), send.end.take()];
        drop(send);
        wake_all(lock(&self.pings.state).waiters.take());
        waiters.into_iter().for_each(wake_all);
        self.inbox.end(reason.clone());
        self.tell_hub();
    }

    /// Whether the session is over.
    pub(crate) fn has_ended(&self) -> bool {
        lock(&self.send).ended.is_some()
    }

    /// Whether the session is about to end, so that nothing can be sent any more.
    pub(crate) fn is_closing(&self) -> bool {
        lock(&self.send).order.is_some()
    }

    /// Waits for the end.
    pub(crate) fn poll_ended(&self, cx: &Context<'_>) -> Poll<DisconnectReason> {
        let mut send = lock(&self.send);
        match &send.ended {
            Some(reason) => Poll::Ready(reason.clone()),
            None => {
                send.end.register(cx);
                Poll::Pending
            }
        }
    }

    /// There is something for the node's event stream.
    pub(crate) fn tell_hub(self: &Arc<Self>) {
        if self.in_hub.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Some(hub) = self.hub.upgrade() {
            hub.push(self.clone());
        }
    }

    /// Asks the task for a ping; tells which pong to wait for.
    pub(crate) fn want_ping(&self) -> u64 {
        let next = lock(&self.pings.state).pongs + 1;
        self.pings.wanted.store(true, Ordering::Release);
        self.alarm.ring();
        next
    }

    /// Waits for that pong.
    pub(crate) fn poll_pong(
        &self,
        pong: u64,
        cx: &Context<'_>,
    ) -> Poll<Result<Duration, SendError>> {
        let mut state = lock(&self.pings.state);
        if state.pongs >= pong {
            return Poll::Ready(Ok(state.last));
        }
        // Registered before the look at the end, which wakes whoever is registered.
        state.waiters.register(cx);
        drop(state);
        match &lock(&self.send).ended {
            Some(reason) => Poll::Ready(Err(SendError::Ended(reason.clone()))),
            None => Poll::Pending,
        }
    }

    /// Remembers the session with the same peer before this one, so that events keep their order.
    pub(crate) fn set_before(&self, before: Weak<Self>) {
        *lock(&self.before) = before;
    }

    /// Whether the session before this one has events that are not told. It is in the hub's queue then.
    pub(crate) fn follows_untold(&self) -> bool {
        let before = lock(&self.before).upgrade();
        before
            .is_some_and(|before| before.in_hub.load(Ordering::Acquire) && before.inbox.is_untold())
    }

    /// The next message for a reader of this session.
    pub(crate) fn poll_recv(&self, cx: &Context<'_>) -> Poll<Option<crate::Message>> {
        let message = ready!(self.inbox.poll_recv(cx));
        self.on_read();
        Poll::Ready(message)
    }

    /// A reader has taken something: wakes the task where the peer must hear of it.
    pub(crate) fn on_read(&self) {
        if self.inbox.wants_ack() {
            self.alarm.ring();
        }
    }
}

impl SendSide {
    fn admit(&self, message: &Outgoing) -> Result<(), SendError> {
        if let Some(reason) = &self.ended {
            return Err(SendError::Ended(reason.clone()));
        }
        if let Some(Order::Close { reason, .. } | Order::Cut(reason)) = &self.order {
            return Err(SendError::Ended(reason.clone()));
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
    fn on_sealed(&mut self, sealed: &Costs) -> Vec<Waker> {
        if *sealed == Costs::default() {
            return Vec::new();
        }
        for (queued, sealed) in self.queued.iter_mut().zip(sealed) {
            *queued -= sealed;
        }
        let top = self
            .queued
            .iter()
            .rposition(|queued| *queued > 0)
            .unwrap_or_default();
        if self.queued[top] <= self.limit / 2 {
            self.space.take()
        } else {
            Vec::new()
        }
    }

    /// Returns whether the task must be woken.
    fn push(&mut self, message: Outgoing) -> bool {
        self.queued[message.priority.index()] += cost(message.data.len());
        self.incoming.push(message);
        std::mem::take(&mut self.parked)
    }
}

/// What bounds one session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) max_message: usize,
    pub(crate) window: u64,
    pub(crate) send_queue: u64,
}

/// Pings that the application asked for.
#[derive(Debug, Default)]
pub(crate) struct Pings {
    wanted: AtomicBool,
    state: Mutex<Pongs>,
}

#[derive(Debug, Default)]
struct Pongs {
    /// Pongs so far, and the round trip of the last.
    pongs: u64,
    last: Duration,
    waiters: Waiters,
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

/// What is counted.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) messages_in: AtomicU64,
    pub(crate) messages_out: AtomicU64,
    pub(crate) bytes_in: AtomicU64,
    pub(crate) bytes_out: AtomicU64,
    pub(crate) unacked: AtomicU64,
    pub(crate) rtt_us: AtomicU64,
}

impl Counters {
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

    pub(crate) fn set_rtt(&self, rtt: Duration) {
        self.rtt_us.store(
            u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX),
            Ordering::Relaxed,
        );
    }
}

/// Entries the queue may keep room for when it is empty.
const KEPT_CAPACITY: usize = 1_024;
