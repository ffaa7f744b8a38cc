//! Control channels: what parts of the node hear from the same parts of connected peers.

use std::{
    collections::{HashMap, VecDeque},
    future::poll_fn,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use bytes::Bytes;
use crust_core::{ControlEvent, ControlEvents, PeerId};
use futures::{StreamExt, stream};

use crate::sync::{Waiters, lock, wake_all};

/// The parts that have a channel; the numbers are the wire's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    #[cfg(feature = "gossip")]
    Gossip = 0,
    /// Contacts for whoever asks; and for whoever finds no room here, before there is a session.
    Contacts = 1,
    /// Dial-backs.
    #[cfg(feature = "nat")]
    Reach = 2,
}

impl Channel {
    const COUNT: usize = 3;
}

/// Hands what comes over control channels to the parts of the node that opened them.
#[derive(Debug, Default)]
pub(crate) struct Switchboard {
    lines: [Mutex<Option<Arc<Line>>>; Channel::COUNT],
}

impl Switchboard {
    /// Everything that happens on `channel` from now on. To be opened once, before the first session.
    pub(crate) fn open(&self, channel: Channel) -> ControlEvents {
        let line = Arc::<Line>::default();
        *lock(&self.lines[channel as usize]) = Some(line.clone());
        let next = |line: Arc<Line>| async move {
            let event = poll_fn(|cx| line.poll_next(cx)).await;
            event.map(|event| (event, line))
        };
        stream::unfold(line, next).boxed()
    }

    /// A session with `peer` begins over `connection`. One before it has ended, though that may not be told yet.
    pub(crate) fn on_up(&self, peer: PeerId, connection: u64) {
        self.each(|line| line.tell(|inbox| inbox.on_up(peer, connection)));
    }

    /// The session with `peer` over `connection` is over.
    pub(crate) fn on_down(&self, peer: PeerId, connection: u64) {
        self.each(|line| line.tell(|inbox| inbox.on_down(peer, connection)));
    }

    /// A message came on the channel of this number. What nobody has opened is ignored.
    ///
    /// # Errors
    ///
    /// [`Overflow`] where more is unread than an honest peer sends.
    pub(crate) fn on_message(
        &self,
        peer: PeerId,
        channel: u8,
        message: &[u8],
    ) -> Result<(), Overflow> {
        let line = self.lines.get(usize::from(channel));
        match line.and_then(|line| lock(line).clone()) {
            Some(line) => line.tell(|inbox| inbox.on_message(peer, message)),
            None => Ok(()),
        }
    }

    /// The node is shut down: the streams end once everything is told.
    pub(crate) fn end(&self) {
        self.each(|line| line.tell(|inbox| inbox.ended = true));
    }

    fn each(&self, act: impl Fn(&Line)) {
        for line in &self.lines {
            if let Some(line) = &*lock(line) {
                act(line);
            }
        }
    }
}

/// More unread messages of one peer than [`MAX_UNREAD`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Overflow;

#[derive(Debug, Default)]
struct Line(Mutex<(Inbox, Waiters)>);

impl Line {
    fn tell<T>(&self, what: impl FnOnce(&mut Inbox) -> T) -> T {
        let mut state = lock(&self.0);
        let result = what(&mut state.0);
        let waiting = state.1.take();
        drop(state);
        wake_all(waiting);
        result
    }

    fn poll_next(&self, cx: &Context<'_>) -> Poll<Option<ControlEvent>> {
        let mut state = lock(&self.0);
        match state.0.next() {
            Some(event) => Poll::Ready(Some(event)),
            None if state.0.ended => Poll::Ready(None),
            None => {
                state.1.register(cx);
                Poll::Pending
            }
        }
    }
}

/// What one part of the node has not heard yet.
///
/// Invariants: of each peer up comes first, then messages, then down; a peer that came and went unheard is not told of.
/// So it holds one entry for each session and each that was told of and has ended, and [`MAX_UNREAD`] bytes in each.
#[derive(Debug, Default)]
struct Inbox {
    /// The connection of each peer's session.
    live: HashMap<PeerId, u64>,
    unheard: HashMap<PeerId, Unheard>,
    /// Peers with something unheard, in turns.
    turns: VecDeque<PeerId>,
    ended: bool,
}

#[derive(Debug, Default)]
struct Unheard {
    /// The session that was told of is over. It comes before all else.
    down: bool,
    up: bool,
    messages: VecDeque<Bytes>,
    bytes: usize,
}

impl Inbox {
    fn on_up(&mut self, peer: PeerId, connection: u64) {
        if self.live.insert(peer, connection).is_some() {
            self.go(peer);
        }
        self.entry(peer).up = true;
    }

    fn on_down(&mut self, peer: PeerId, connection: u64) {
        if self.live.get(&peer) == Some(&connection) {
            self.live.remove(&peer);
            self.go(peer);
        }
    }

    fn go(&mut self, peer: PeerId) {
        let entry = self.entry(peer);
        let told = !entry.up;
        *entry = Unheard {
            down: entry.down || told,
            ..Unheard::default()
        };
    }

    fn on_message(&mut self, peer: PeerId, message: &[u8]) -> Result<(), Overflow> {
        let entry = self.entry(peer);
        entry.bytes += message.len() + MESSAGE_OVERHEAD;
        if entry.bytes > MAX_UNREAD {
            return Err(Overflow);
        }
        entry.messages.push_back(Bytes::copy_from_slice(message));
        Ok(())
    }

    fn entry(&mut self, peer: PeerId) -> &mut Unheard {
        self.unheard.entry(peer).or_insert_with(|| {
            self.turns.push_back(peer);
            Unheard::default()
        })
    }

    fn next(&mut self) -> Option<ControlEvent> {
        loop {
            let peer = self.turns.pop_front()?;
            let entry = self.unheard.get_mut(&peer)?;
            match entry.next(peer) {
                Some(event) => {
                    self.turns.push_back(peer);
                    return Some(event);
                }
                None => {
                    self.unheard.remove(&peer);
                }
            }
        }
    }
}

impl Unheard {
    fn next(&mut self, peer: PeerId) -> Option<ControlEvent> {
        if std::mem::take(&mut self.down) {
            return Some(ControlEvent::Down { peer });
        }
        if std::mem::take(&mut self.up) {
            return Some(ControlEvent::Up { peer });
        }
        let message = self.messages.pop_front()?;
        self.bytes -= message.len() + MESSAGE_OVERHEAD;
        Some(ControlEvent::Message { peer, message })
    }
}

/// Bytes of one peer's control messages that may wait for a part of this node: four times what may wait to be sent.
const MAX_UNREAD: usize = 256 * 1024;
/// Counted for each message beside its bytes.
const MESSAGE_OVERHEAD: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u8) -> PeerId {
        PeerId::from_bytes([number; 32])
    }

    fn told(inbox: &mut Inbox) -> Vec<String> {
        let mut told = Vec::new();
        while let Some(event) = inbox.next() {
            told.push(match event {
                ControlEvent::Up { .. } => "up".into(),
                ControlEvent::Down { .. } => "down".into(),
                ControlEvent::Message { message, .. } => {
                    String::from_utf8(message.to_vec()).unwrap()
                }
                _ => unreachable!(),
            });
        }
        told
    }

    #[test]
    fn peer_is_up_then_speaks_then_is_down() {
        let mut inbox = Inbox::default();
        inbox.on_up(peer(1), 7);
        inbox.on_message(peer(1), b"a").unwrap();
        inbox.on_message(peer(1), b"b").unwrap();
        assert_eq!(told(&mut inbox), ["up", "a", "b"]);
        inbox.on_down(peer(1), 7);
        assert_eq!(told(&mut inbox), ["down"]);
        assert!(inbox.unheard.is_empty());
    }

    #[test]
    fn peer_that_came_and_went_unheard_is_not_told_of() {
        let mut inbox = Inbox::default();
        for connection in 0..100 {
            inbox.on_up(peer(1), connection);
            inbox.on_message(peer(1), b"a").unwrap();
            inbox.on_down(peer(1), connection);
        }
        assert!(inbox.unheard.len() <= 1);
        assert_eq!(told(&mut inbox), [""; 0]);
    }

    #[test]
    fn session_that_replaces_another_is_down_and_up_in_whatever_order_they_are_reported() {
        for down_first in [true, false] {
            let mut inbox = Inbox::default();
            inbox.on_up(peer(1), 1);
            assert_eq!(told(&mut inbox), ["up"]);
            if down_first {
                inbox.on_down(peer(1), 1);
                inbox.on_up(peer(1), 2);
            } else {
                inbox.on_up(peer(1), 2);
                inbox.on_down(peer(1), 1);
            }
            inbox.on_message(peer(1), b"a").unwrap();
            assert_eq!(told(&mut inbox), ["down", "up", "a"]);
        }
    }

    #[test]
    fn unread_messages_of_one_peer_are_bounded() {
        let mut inbox = Inbox::default();
        let message = [0; 1_000];
        let fit = MAX_UNREAD / (1_000 + MESSAGE_OVERHEAD);
        for _ in 0..fit {
            inbox.on_message(peer(1), &message).unwrap();
        }
        assert_eq!(inbox.on_message(peer(1), &message), Err(Overflow));
        assert_eq!(inbox.on_message(peer(2), &message), Ok(()));
    }

    #[test]
    fn peers_have_their_turns() {
        let mut inbox = Inbox::default();
        for message in [b"1", b"2", b"3"] {
            inbox.on_message(peer(1), message).unwrap();
        }
        inbox.on_message(peer(2), b"x").unwrap();
        assert_eq!(told(&mut inbox), ["1", "x", "2", "3"]);
    }
}
