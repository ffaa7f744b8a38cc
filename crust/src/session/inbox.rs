//! Messages that came and wait to be read.

use std::{
    collections::VecDeque,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use crate::{
    message::{Message, cost},
    reason::DisconnectReason,
    sync::{Waiters, lock, wake_all},
};

/// What a session still has to tell its application.
#[derive(Debug)]
pub(crate) enum Next {
    Connected,
    Message(Message),
    Disconnected(DisconnectReason),
}

/// Messages between the session's task and its readers.
///
/// Two queues: the task appends to one, a reader empties the other and swaps them when it runs dry, so the two meet
/// once a batch and not once a message. What both hold is bounded by the window.
#[derive(Debug)]
pub(crate) struct Inbox {
    front: Mutex<VecDeque<Message>>,
    back: Mutex<Back>,
    /// What has come, in cost, pieces of messages included.
    arrived: AtomicU64,
    /// What the messages read so far cost.
    consumed: AtomicU64,
    /// What `consumed` was when the peer was last told.
    told: AtomicU64,
    /// Whether a reader has asked for the peer to be told.
    asked: AtomicBool,
    /// Whether messages are for readers of the session alone, and not for the node's event stream.
    claimed: AtomicBool,
    window: u64,
}

#[derive(Debug)]
struct Back {
    messages: VecDeque<Message>,
    connected: bool,
    ended: Option<DisconnectReason>,
    /// Messages are dropped: the node has too many unread ones, and this session most of them.
    given_up: bool,
    end_told: bool,
    readers: Waiters,
}

impl Inbox {
    pub(crate) fn new(window: u64) -> Self {
        let back = Back {
            messages: VecDeque::new(),
            connected: true,
            ended: None,
            given_up: false,
            end_told: false,
            readers: Waiters::default(),
        };
        Self {
            front: Mutex::new(VecDeque::new()),
            back: Mutex::new(back),
            arrived: AtomicU64::new(0),
            consumed: AtomicU64::new(0),
            told: AtomicU64::new(0),
            asked: AtomicBool::new(false),
            claimed: AtomicBool::new(false),
            window,
        }
    }

    /// Appends what came.
    pub(crate) fn push(&self, messages: &mut Vec<Message>) {
        let mut back = lock(&self.back);
        if back.given_up {
            let dropped = messages.drain(..);
            let dropped: u64 = dropped.map(|message| cost(message.data.len())).sum();
            self.consumed.fetch_add(dropped, Ordering::AcqRel);
            return;
        }
        back.messages.extend(messages.drain(..));
        let readers = back.readers.take();
        drop(back);
        wake_all(readers);
    }

    /// Nothing comes any more.
    pub(crate) fn end(&self, reason: DisconnectReason) {
        let front = lock(&self.front);
        let mut back = lock(&self.back);
        back.ended = Some(if back.given_up {
            DisconnectReason::Limit
        } else {
            reason
        });
        // Of a message in pieces nothing is kept.
        let unread = front.iter().chain(&back.messages);
        let unread: u64 = unread.map(|message| cost(message.data.len())).sum();
        self.arrived
            .store(self.consumed() + unread, Ordering::Relaxed);
        let readers = back.readers.take();
        drop((front, back));
        wake_all(readers);
    }

    /// Drops what is not read and whatever comes still. The end will be told with [`DisconnectReason::Limit`].
    pub(crate) fn give_up(&self) {
        let mut front = lock(&self.front);
        let mut back = lock(&self.back);
        self.drop_unread(&mut front, &mut back);
        back.given_up = true;
        if back.ended.is_some() {
            back.ended = Some(DisconnectReason::Limit);
        }
    }

    /// The next thing for the node's event stream, in the order that is promised: connected, messages, disconnected.
    pub(crate) fn next(&self) -> Option<Next> {
        if self.is_claimed() {
            return self.next_of_claimed();
        }
        let mut front = lock(&self.front);
        if let Some(message) = self.pop(&mut front) {
            return Some(Next::Message(message));
        }
        let mut back = lock(&self.back);
        if std::mem::take(&mut back.connected) {
            return Some(Next::Connected);
        }
        if self.refill(&mut front, &mut back) {
            drop(back);
            return self.pop(&mut front).map(Next::Message);
        }
        let ended = back.ended.clone()?;
        (!std::mem::replace(&mut back.end_told, true)).then_some(Next::Disconnected(ended))
    }

    /// The same for a session whose messages go to its readers.
    fn next_of_claimed(&self) -> Option<Next> {
        let mut back = lock(&self.back);
        if std::mem::take(&mut back.connected) {
            return Some(Next::Connected);
        }
        let ended = back.ended.clone()?;
        (!std::mem::replace(&mut back.end_told, true)).then_some(Next::Disconnected(ended))
    }

    /// From now on messages are for readers of the session alone.
    pub(crate) fn claim(&self) {
        self.claimed.store(true, Ordering::Release);
    }

    pub(crate) fn is_claimed(&self) -> bool {
        self.claimed.load(Ordering::Acquire)
    }

    /// Whether [`Inbox::next`] has something.
    pub(crate) fn has_next(&self) -> bool {
        if self.is_claimed() {
            let back = lock(&self.back);
            return back.connected || (back.ended.is_some() && !back.end_told);
        }
        if !lock(&self.front).is_empty() {
            return true;
        }
        let back = lock(&self.back);
        back.connected || !back.messages.is_empty() || (back.ended.is_some() && !back.end_told)
    }

    /// Whether nothing comes any more, and everything that came has been read.
    pub(crate) fn is_done(&self) -> bool {
        let front = lock(&self.front);
        let back = lock(&self.back);
        front.is_empty() && back.messages.is_empty() && back.ended.is_some()
    }

    /// Whether the end is still to be told.
    pub(crate) fn is_untold(&self) -> bool {
        !lock(&self.back).end_told
    }

    /// Nobody will ever ask: everything counts as told.
    pub(crate) fn forget(&self) {
        let mut front = lock(&self.front);
        let mut back = lock(&self.back);
        self.drop_unread(&mut front, &mut back);
        back.end_told = true;
    }

    fn drop_unread(&self, front: &mut VecDeque<Message>, back: &mut Back) {
        let unread = front.drain(..).chain(back.messages.drain(..));
        let unread: u64 = unread.map(|message| cost(message.data.len())).sum();
        self.consumed.fetch_add(unread, Ordering::AcqRel);
        *front = VecDeque::new();
        back.messages = VecDeque::new();
    }

    /// So much has come in cost since the session began, pieces of messages included.
    /// Gives what that was before.
    pub(crate) fn set_arrived(&self, arrived: u64) -> u64 {
        self.arrived.swap(arrived, Ordering::Relaxed)
    }

    /// What is held in cost: messages that nobody has read, and pieces of others.
    pub(crate) fn held(&self) -> u64 {
        let arrived = self.arrived.load(Ordering::Relaxed);
        arrived.saturating_sub(self.consumed())
    }

    /// The next message alone; `None` at the end.
    pub(crate) fn poll_recv(&self, cx: &Context<'_>) -> Poll<Option<Message>> {
        let mut front = lock(&self.front);
        if let Some(message) = self.pop(&mut front) {
            return Poll::Ready(Some(message));
        }
        let mut back = lock(&self.back);
        if self.refill(&mut front, &mut back) {
            return Poll::Ready(self.pop(&mut front));
        }
        if back.ended.is_some() {
            return Poll::Ready(None);
        }
        back.readers.register(cx);
        Poll::Pending
    }

    /// What the messages read so far cost.
    pub(crate) fn consumed(&self) -> u64 {
        self.consumed.load(Ordering::Acquire)
    }

    /// Whether the peer should be told now how much was read.
    pub(crate) fn ack_due(&self) -> bool {
        self.consumed()
            .saturating_sub(self.told.load(Ordering::Relaxed))
            >= self.window / ACKS_PER_WINDOW
    }

    /// The peer is being told that `consumed` was read.
    pub(crate) fn on_told(&self, consumed: u64) {
        self.told.store(consumed, Ordering::Relaxed);
        self.asked.store(false, Ordering::Release);
    }

    /// Whether the session's task has to be woken to tell the peer; true once until [`Inbox::on_told`].
    pub(crate) fn wants_ack(&self) -> bool {
        self.ack_due() && !self.asked.swap(true, Ordering::AcqRel)
    }

    fn pop(&self, front: &mut VecDeque<Message>) -> Option<Message> {
        let message = front.pop_front()?;
        self.consumed
            .fetch_add(cost(message.data.len()), Ordering::AcqRel);
        Some(message)
    }

    fn refill(&self, front: &mut VecDeque<Message>, back: &mut Back) -> bool {
        if back.messages.is_empty() {
            if front.capacity() > KEPT_CAPACITY {
                *front = VecDeque::new();
            }
            return false;
        }
        std::mem::swap(front, &mut back.messages);
        if back.messages.capacity() > KEPT_CAPACITY {
            back.messages = VecDeque::new();
        }
        true
    }
}

/// The peer hears four times a window, so that it never stops for want of credit while messages are read.
const ACKS_PER_WINDOW: u64 = 4;
/// Entries a queue may keep room for when it is empty; an idle session holds none of a burst.
const KEPT_CAPACITY: usize = 4_096;

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures::task::noop_waker_ref;

    use super::*;
    use crate::message::Priority;

    fn messages(count: usize) -> Vec<Message> {
        vec![Message::new(Bytes::from_static(b"abcd"), Priority::NORMAL); count]
    }

    #[test]
    fn connected_comes_first_and_disconnected_last_and_once() {
        let inbox = Inbox::new(1_000);
        inbox.push(&mut messages(2));
        inbox.end(DisconnectReason::Closed);
        assert!(matches!(inbox.next(), Some(Next::Connected)));
        assert!(matches!(inbox.next(), Some(Next::Message(_))));
        inbox.push(&mut messages(1));
        assert!(matches!(inbox.next(), Some(Next::Message(_))));
        assert!(matches!(inbox.next(), Some(Next::Message(_))));
        assert!(inbox.has_next());
        assert!(matches!(
            inbox.next(),
            Some(Next::Disconnected(DisconnectReason::Closed))
        ));
        assert!(!inbox.has_next());
        assert!(inbox.next().is_none());
    }

    #[test]
    fn reader_gets_what_came_before_the_end() {
        let inbox = Inbox::new(1_000);
        let cx = Context::from_waker(noop_waker_ref());
        assert!(inbox.poll_recv(&cx).is_pending());
        inbox.push(&mut messages(1));
        inbox.end(DisconnectReason::Closed);
        assert!(matches!(inbox.poll_recv(&cx), Poll::Ready(Some(_))));
        assert!(matches!(inbox.poll_recv(&cx), Poll::Ready(None)));
    }

    #[test]
    fn claimed_messages_are_no_events() {
        let inbox = Inbox::new(1_000);
        inbox.push(&mut messages(1));
        inbox.claim();
        assert!(matches!(inbox.next(), Some(Next::Connected)));
        assert!(!inbox.has_next());
        assert!(inbox.next().is_none());
        let cx = Context::from_waker(noop_waker_ref());
        assert!(matches!(inbox.poll_recv(&cx), Poll::Ready(Some(_))));
    }

    #[test]
    fn messages_of_a_session_that_is_given_up_are_dropped_and_its_end_says_so() {
        for ended_before in [false, true] {
            let inbox = Inbox::new(1_000);
            assert!(matches!(inbox.next(), Some(Next::Connected)));
            inbox.set_arrived(3 * cost(4));
            inbox.push(&mut messages(3));
            assert!(matches!(inbox.next(), Some(Next::Message(_))));
            assert_eq!(inbox.held(), 2 * cost(4));
            if ended_before {
                inbox.end(DisconnectReason::Closed);
            }
            inbox.give_up();
            inbox.push(&mut messages(1));
            if !ended_before {
                inbox.end(DisconnectReason::Closed);
            }
            assert_eq!(inbox.held(), 0);
            assert!(matches!(
                inbox.next(),
                Some(Next::Disconnected(DisconnectReason::Limit))
            ));
        }
    }

    #[test]
    fn pieces_of_a_message_count_until_the_session_ends() {
        let inbox = Inbox::new(1_000);
        inbox.set_arrived(cost(4) + 500);
        inbox.push(&mut messages(1));
        assert_eq!(inbox.held(), cost(4) + 500);
        inbox.end(DisconnectReason::Closed);
        assert_eq!(inbox.held(), cost(4));
    }

    #[test]
    fn acknowledgement_is_wanted_once_a_quarter_window() {
        let inbox = Inbox::new(4 * cost(4));
        inbox.push(&mut messages(2));
        assert!(!inbox.wants_ack());
        let _ = (inbox.next(), inbox.next());
        assert!(inbox.wants_ack());
        assert!(!inbox.wants_ack());
        inbox.on_told(inbox.consumed());
        assert!(!inbox.ack_due());
        let _ = inbox.next();
        assert!(inbox.wants_ack());
    }
}
