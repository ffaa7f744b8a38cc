//! A node under attack from 127.0.0.1, and an honest peer at 127.0.0.2 that talks to it all the while.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use crust::{
    Addr, DisconnectReason, Event, Identity, Limits, NetworkKey, Node, PeerId, Session, Timeouts,
    core::{Connection, Role},
    rt,
};
use crust_crypto::Keys;
use crust_tests::{
    Hello, Hostile, Net, builder_from, connected, contact, dial_from, eventually, identity_above,
    soon, start, tell,
};
use futures::{AsyncReadExt, StreamExt, channel::mpsc};

pub(crate) struct Scene {
    pub(crate) node: Node,
    _honest: Node,
    session: Session,
    stop: Arc<AtomicBool>,
    talk: rt::Task<usize>,
    /// What the node tells beside the honest peer's messages, which are answered and counted.
    events: mpsc::Receiver<Event>,
    heard: Arc<AtomicUsize>,
    _pump: rt::Task<()>,
}

pub(crate) const ATTACKER: &str = "127.0.0.1";
const HONEST: &str = "127.0.0.2";

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::with(Limits::default(), Timeouts::default()).await
    }

    pub(crate) async fn with(limits: Limits, timeouts: Timeouts) -> Self {
        let builder = Net::Tcp.builder().limits(limits).timeouts(timeouts);
        let node = start(builder).await;
        let honest = start(builder_from(HONEST)).await;
        let session = soon(honest.connect(contact(&node))).await.unwrap();
        connected(&node).await;
        let stop = Arc::new(AtomicBool::new(false));
        let talk = rt::spawn(talk(session.clone(), stop.clone()));
        let heard = Arc::new(AtomicUsize::new(0));
        let (sender, events) = mpsc::channel(MAX_EVENTS);
        let pump = pump(node.clone(), honest.id(), heard.clone(), sender);
        Self {
            node,
            _honest: honest,
            session,
            stop,
            talk,
            events,
            heard,
            _pump: rt::spawn(pump),
        }
    }

    pub(crate) fn addr(&self) -> &Addr {
        &self.node.listening()[0]
    }

    /// The next event that is not the honest peer's.
    #[track_caller]
    pub(crate) fn event(&mut self) -> impl Future<Output = Event> {
        let next = soon(self.events.next());
        async { next.await.unwrap() }
    }

    /// The same, in words.
    pub(crate) async fn told(&mut self) -> String {
        tell(&self.event().await)
    }

    /// The next event, which must be a session's end.
    pub(crate) async fn disconnected(&mut self) -> DisconnectReason {
        match self.event().await {
            Event::Disconnected { reason, .. } => reason,
            other => panic!("{other:?} instead of Disconnected"),
        }
    }

    /// A connection of the attacker's.
    pub(crate) async fn dial(&self) -> Connection {
        dial_from(ATTACKER, self.addr()).await
    }

    /// An attacker who has shaken hands.
    pub(crate) async fn attacker(&self) -> Hostile {
        let identity = identity_above(&self.node);
        let keys = keys(&identity);
        soon(Hostile::new(self.dial().await, Role::Dialer, &keys))
            .await
            .unwrap()
    }

    /// An attacker who has a session.
    pub(crate) async fn attacker_with_session(&mut self) -> Hostile {
        let mut attacker = self.attacker().await;
        soon(attacker.greet(&Hello::default())).await;
        assert_eq!(self.told().await, "connected");
        attacker
    }

    /// The honest peer has lost nothing, and its session is the one that it had.
    pub(crate) async fn end(self) {
        let before = self.session.stats().messages_out;
        eventually(|| self.session.stats().messages_out > before + 10).await;
        self.stop.store(true, Ordering::SeqCst);
        let sent = soon(self.talk).await.unwrap();
        eventually(|| self.heard.load(Ordering::SeqCst) == sent).await;
    }
}

async fn talk(session: Session, stop: Arc<AtomicBool>) -> usize {
    let mut sent = 0;
    while !stop.load(Ordering::SeqCst) {
        session.send(format!("{sent}")).await.unwrap();
        sent += 1;
        // One in flight is enough to notice: a flood of its own would slow the test down.
        let echo = session.recv().await.unwrap();
        assert_eq!(echo.data, format!("{}", sent - 1));
    }
    session.close("").await;
    sent
}

/// Reads the node's events; answers what the honest peer says.
async fn pump(
    node: Node,
    honest: PeerId,
    heard: Arc<AtomicUsize>,
    mut events: mpsc::Sender<Event>,
) {
    while let Some(event) = node.next_event().await {
        match event {
            Event::Message { session, message } if session.peer() == honest => {
                let number = heard.fetch_add(1, Ordering::SeqCst);
                assert_eq!(message.data, format!("{number}"));
                let _ = session.send(message.data).await;
            }
            Event::Disconnected { peer, .. } if peer == honest => {}
            event => events.try_send(event).unwrap(),
        }
    }
}

/// More than any test causes.
const MAX_EVENTS: usize = 1_024;

/// A peer of this identity that has shaken hands with `node`, from the attacker's address.
pub(crate) async fn shake_hands(node: &Node, identity: &Identity) -> Hostile {
    let connection = dial_from(ATTACKER, &node.listening()[0]).await;
    let keys = keys(identity);
    let peer = Hostile::new(connection, Role::Dialer, &keys);
    soon(peer).await.unwrap()
}

pub(crate) fn keys(identity: &Identity) -> Keys {
    Keys::new(identity, NetworkKey::default())
}

/// The far end gives nothing but an end, whatever kind of.
pub(crate) async fn assert_ends_without_a_byte(connection: &mut Connection) {
    let read = soon(connection.read(&mut [0; 1])).await;
    assert!(!matches!(read, Ok(1..)), "{read:?}");
}
