//! What a session's task and its handles share.

use std::{
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::Bytes;
use crust_core::{Addr, PeerId, Role};
use crust_crypto::Cipher;
use futures::{FutureExt, channel::oneshot};

use crate::{
    clock::Alarm,
    control::Switchboard,
    event::hub::Hub,
    message::Message,
    reason::DisconnectReason,
    session::{
        SendError,
        budget::{Budget, Holder},
        control_out::ControlOut,
        counters::{Counters, Pings},
        inbox::Inbox,
        outbox::{Costs, Outgoing},
        send_side::{Order, SendSide},
    },
    sync::{lock, wake_all},
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
    pub(crate) began_at: Instant,
    pinned: AtomicBool,
    pub(crate) control: ControlOut,
    pub(crate) switchboard: Arc<Switchboard>,
    budget: Arc<Budget>,
    /// What the session takes of the node's limits, until it has ended and the application has everything that came.
    held: Mutex<Option<Box<dyn Held>>>,
    /// The session with the same peer before this one, while its events are not all told.
    before: Mutex<Weak<Self>>,
    send: Mutex<SendSide>,
    ended: EndSignal,
}

/// Comes once [`SendSide::ended`] is set.
type EndSignal = futures::future::Shared<oneshot::Receiver<()>>;

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
    pub(crate) began_at: Instant,
    /// The application asked for it.
    pub(crate) pinned: bool,
}

impl Shared {
    pub(crate) fn new(identity: Identity, limits: Limits, ties: Ties) -> Arc<Self> {
        let (end, ended) = oneshot::channel();
        let shared = Arc::new(Self {
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
            hub: ties.hub,
            began_at: identity.began_at,
            pinned: AtomicBool::new(identity.pinned),
            control: ControlOut::default(),
            switchboard: ties.switchboard,
            budget: ties.budget,
            held: Mutex::new(None),
            before: Mutex::new(Weak::new()),
            ended: ended.shared(),
            send: Mutex::new(SendSide {
                end: Some(end),
                limit: limits.send_queue,
                ..SendSide::default()
            }),
        });
        let holder = Arc::downgrade(&shared);
        shared.budget.join(holder);
        shared
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

    /// Queues a control message, if there is room.
    #[cfg_attr(
        not(feature = "gossip"),
        allow(dead_code, reason = "gossip alone has a channel so far")
    )]
    pub(crate) fn try_control(&self, channel: u8, message: Bytes) -> bool {
        let queued = self.control.push(channel, message);
        if queued {
            self.alarm.ring();
        }
        queued
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
        let space = send.space.take();
        let end = send.end.take();
        drop(send);
        wake_all(lock(&self.pings.state).waiters.take());
        wake_all(space);
        self.inbox.end(reason.clone());
        self.release();
        self.tell_hub();
        drop(end);
    }

    /// Keeps `held` for as long as the session takes room.
    pub(crate) fn hold(&self, held: Box<dyn Held>) {
        *lock(&self.held) = Some(held);
    }

    /// Gives back what is held, once nothing is left to read.
    pub(crate) fn release(&self) {
        if self.inbox.is_done() {
            let held = lock(&self.held).take();
            drop(held);
        }
    }

    pub(crate) fn set_pinned(&self, pinned: bool) {
        self.pinned.store(pinned, Ordering::Relaxed);
    }

    /// Whether the application wants to keep it.
    pub(crate) fn is_pinned(&self) -> bool {
        self.pinned.load(Ordering::Relaxed)
    }

    /// Whether the session is over.
    pub(crate) fn has_ended(&self) -> bool {
        lock(&self.send).ended.is_some()
    }

    /// Whether the session is about to end, so that nothing can be sent any more.
    pub(crate) fn is_closing(&self) -> bool {
        lock(&self.send).order.is_some()
    }

    /// Waits for the end. What waits is forgotten when the future is dropped, as many may come and go in a long session.
    pub(crate) async fn ended(&self) -> DisconnectReason {
        let _ = self.ended.clone().await;
        let reason = lock(&self.send).ended.clone();
        reason.expect("the signal follows the reason")
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

    /// Whether the session before this one has events that are not told. It is in the hub's queue then, or about to be:
    /// it ended before this one began.
    pub(crate) fn follows_untold(&self) -> bool {
        let before = lock(&self.before).upgrade();
        before.is_some_and(|before| before.inbox.is_untold())
    }

    /// The next message for a reader of this session.
    pub(crate) fn poll_recv(&self, cx: &Context<'_>) -> Poll<Option<Message>> {
        let message = ready!(self.inbox.poll_recv(cx));
        self.on_read();
        if message.is_none() {
            self.release();
        }
        Poll::Ready(message)
    }

    /// For the task: so much has come, in cost, since the session began.
    pub(crate) fn on_arrived(&self, arrived: u64) {
        let before = self.inbox.set_arrived(arrived);
        self.budget.on_arrived(arrived.saturating_sub(before));
    }

    /// A reader has taken something: wakes the task where the peer must hear of it.
    pub(crate) fn on_read(&self) {
        if self.inbox.wants_ack() {
            self.alarm.ring();
        }
    }
}

impl Holder for Shared {
    fn held(&self) -> u64 {
        self.inbox.held()
    }

    fn give_up(&self) {
        self.inbox.give_up();
        self.order(Order::Cut(DisconnectReason::Limit));
        self.release();
    }
}

/// Something that is given back when it is dropped.
pub(crate) trait Held: std::fmt::Debug + Send {}

/// What a session has of its node.
#[derive(Debug)]
pub(crate) struct Ties {
    pub(crate) hub: Weak<Hub>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) switchboard: Arc<Switchboard>,
}

/// What bounds one session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) max_message: usize,
    pub(crate) window: u64,
    pub(crate) send_queue: u64,
}

/// Entries the queue may keep room for when it is empty.
const KEPT_CAPACITY: usize = 1_024;
