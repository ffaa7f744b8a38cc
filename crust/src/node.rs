//! The node: what an application starts, and through which it meets its peers.

pub(crate) mod accept;
mod addresses;
pub(crate) mod announce;
mod begin;
pub(crate) mod book;
pub(crate) mod builder;
pub(crate) mod config;
pub(crate) mod contacts;
pub(crate) mod control_line;
pub(crate) mod dial;
pub(crate) mod endpoints;
pub(crate) mod establish;
pub(crate) mod finders;
pub(crate) mod gate;
pub(crate) mod inner;
pub(crate) mod keep;
mod keyring;
#[cfg(feature = "nat")]
pub(crate) mod outside;
mod random;
#[cfg(feature = "nat")]
pub(crate) mod reach;
pub(crate) mod refusals;
pub(crate) mod registry;
pub(crate) mod room;
mod start;
pub(crate) mod tasks;
mod told;
mod ways;

use std::{
    fmt,
    future::poll_fn,
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use crust_core::{Addr, PeerId, rt};
use ipnet::IpNet;
#[cfg(feature = "beacon")]
use {
    crust_beacon::Neighbour,
    futures::{StreamExt, stream::BoxStream},
};

use self::{builder::NodeBuilder, dial::Target, endpoints::Endpoint, inner::Inner};
use crate::{
    error::{BootstrapError, ConnectError},
    event::Event,
    reason::DisconnectReason,
    session::{Session, send_side::Order},
    sync::lock,
};

/// A node of the network: it listens, connects to peers, and tells what happens.
///
/// It is a handle: clones mean the same node, and dropping the last one shuts it down in the background;
/// [`Node::shutdown`] waits for that.
///
/// ```
/// # #[cfg(feature = "tcp")]
/// # crust::rt::block_on(async {
/// let alice = crust::Node::builder().start().await?;
/// let bob = crust::Node::builder().start().await?;
///
/// let session = alice.connect(bob.contact().expect("bob listens")).await?;
/// session.send("hello").await?;
///
/// while let Some(event) = bob.next_event().await {
///     if let crust::Event::Message { message, .. } = event {
///         assert_eq!(message.data, "hello");
///         break;
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Node(Arc<Handle>);

/// The last of these to go ends the node.
struct Handle {
    inner: Arc<Inner>,
    loops: Mutex<Vec<rt::Task<()>>>,
}

impl Node {
    /// Starts with the defaults; see [`NodeBuilder`].
    pub fn builder() -> NodeBuilder {
        NodeBuilder::new()
    }

    pub(crate) fn new(inner: Arc<Inner>, loops: Vec<rt::Task<()>>) -> Self {
        Self(Arc::new(Handle {
            inner,
            loops: Mutex::new(loops),
        }))
    }

    /// The node's own id.
    pub fn id(&self) -> PeerId {
        self.0.inner.id
    }

    /// Where the node listens, as bound: with the port that was given, and a wildcard where it is one.
    pub fn listening(&self) -> &[Addr] {
        &self.0.inner.listening
    }

    /// A way to dial this node from this machine: its id and an address. `None` where it does not listen.
    ///
    /// The address is one of [`Node::endpoints`] if there is any, else loopback.
    pub fn contact(&self) -> Option<crust_core::Contact> {
        let addr = match self.endpoints().into_iter().next() {
            Some(endpoint) => endpoint.local,
            None => loopback(self.listening().first()?),
        };
        Some(crust_core::Contact {
            peer: Some(self.id()),
            addr,
        })
    }

    /// The ways to reach this node from elsewhere. Never loopback, unspecified or link-local addresses.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        self.0.inner.endpoints()
    }

    /// Connects to a peer, an address or both, and gives the session; the existing one where there is one.
    ///
    /// All known addresses are tried, each a moment after the one before. Of a peer whose addresses are not known, the
    /// node's discoveries are asked. The session is [pinned](Session::pin).
    ///
    /// # Errors
    ///
    /// [`ConnectError`], with everything that was tried and why it failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up; a session that was just made stays, and its events come.
    pub async fn connect(&self, target: impl Into<Target>) -> Result<Session, ConnectError> {
        let session = dial::connect(&self.0.inner, target.into(), true).await?;
        session.pin();
        Ok(session)
    }

    /// Searches with every discovery of the node, dials whom they find, and gives the first session; one that exists at
    /// once.
    ///
    /// A node that was told to [keep](NodeBuilder::keep) sessions does so without being asked; this waits for the first.
    ///
    /// # Errors
    ///
    /// [`BootstrapError::Failed`] once every search has ended or has run for [`Timeouts::search`](crate::Timeouts) and
    /// everybody who was found was tried in vain, with all of that; the node goes on searching where it is to keep
    /// sessions. The other variants as they say.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up; a session that was just made stays, and its events come.
    pub async fn bootstrap(&self) -> Result<Session, BootstrapError> {
        keep::bootstrap(&self.0.inner).await
    }

    /// The peers that are known by gossip and hold to be there, in no order; none without [`NodeBuilder::gossip`].
    #[cfg(feature = "gossip")]
    pub fn known_peers(&self) -> Vec<PeerId> {
        let gossip = self.0.inner.finders.gossip.as_ref();
        let known = gossip.map(|gossip| gossip.known()).unwrap_or_default();
        known.into_iter().map(|known| known.record.peer).collect()
    }

    /// Who is on the networks that this machine is in: now, and whenever somebody comes, moves or goes. It looks while it
    /// is polled. It ends at once for a node without [`NodeBuilder::lan`].
    #[cfg(feature = "beacon")]
    pub fn watch_neighbours(&self) -> BoxStream<'static, Vec<Neighbour>> {
        match &self.0.inner.finders.beacon {
            Some(beacon) => beacon.watch(),
            None => futures::stream::empty().boxed(),
        }
    }

    /// Remembers an address of a peer, for [`Node::connect`] by its id alone.
    pub fn add_addr(&self, peer: PeerId, addr: Addr) {
        self.0.inner.on_given(peer, addr);
    }

    /// The next thing that happens; `None` after the shutdown, once everything is told.
    ///
    /// Events wait for their reader, at most 1,024 ended sessions of them; with more, new peers wait too. An
    /// application that never reads events loses the oldest of them and nothing else.
    ///
    /// # Cancel safety
    ///
    /// Safe: no event is lost.
    pub async fn next_event(&self) -> Option<Event> {
        poll_fn(|cx| self.0.inner.hub.poll_next(cx)).await
    }

    /// The next session that a peer began, to be read with [`Session::recv`]; `None` after the shutdown.
    ///
    /// For those who prefer a task for each session to one stream of events. Other events are passed over, so use
    /// either this or [`Node::next_event`].
    ///
    /// # Cancel safety
    ///
    /// Safe: no session is lost.
    pub async fn accept(&self) -> Option<Session> {
        poll_fn(|cx| self.0.inner.hub.poll_accept(cx)).await
    }

    /// The session with `peer`.
    pub fn session(&self, peer: &PeerId) -> Option<Session> {
        self.0.inner.registry.session(peer).map(Session)
    }

    /// All sessions.
    pub fn sessions(&self) -> Vec<Session> {
        self.0
            .inner
            .registry
            .sessions()
            .into_iter()
            .map(Session)
            .collect()
    }

    /// Ends the session with `peer`, as [`Session::close`]. Returns whether there was one.
    ///
    /// # Cancel safety
    ///
    /// The session ends all the same.
    pub async fn disconnect(&self, peer: &PeerId) -> bool {
        match self.session(peer) {
            Some(session) => {
                session.close("").await;
                true
            }
            None => false,
        }
    }

    /// Cuts what `who` matches at once, and refuses it from now on before any cryptography that can be spared.
    pub fn block(&self, who: impl Into<Blocked>) {
        match who.into() {
            Blocked::Peer(peer) => self.0.inner.block_peer(peer),
            Blocked::Prefix(net) => self.0.inner.block_net(net),
        }
    }

    /// Takes a block back. Returns whether there was exactly this one.
    pub fn unblock(&self, who: impl Into<Blocked>) -> bool {
        match who.into() {
            Blocked::Peer(peer) => self.0.inner.unblock_peer(&peer),
            Blocked::Prefix(net) => self.0.inner.unblock_net(net),
        }
    }

    /// What has been counted so far.
    pub fn stats(&self) -> NodeStats {
        self.0.inner.stats()
    }

    /// Ends the node within a second: no new connections, every session flushed and closed, all tasks ended.
    ///
    /// # Cancel safety
    ///
    /// The node ends all the same.
    pub async fn shutdown(&self) {
        self.0.stop();
        poll_fn(|cx| self.0.inner.hub.poll_ended(cx)).await;
    }
}

impl Handle {
    /// Takes no more connections, tells every session to end, and sees in the background that they do.
    fn stop(&self) {
        lock(&self.loops).clear();
        let Some(sessions) = self.inner.registry.close() else {
            return;
        };
        self.inner.stop();
        for session in sessions {
            session.order(Order::Close {
                reason: DisconnectReason::Shutdown,
                text: "".into(),
            });
        }
        rt::detach(end(self.inner.clone()));
    }
}

/// Waits for the last task, cuts what takes too long, and ends the events.
async fn end(inner: Arc<Inner>) {
    let idle = || poll_fn(|cx| inner.tasks.poll_idle(cx));
    let all = async {
        #[cfg(feature = "nat")]
        let outside = inner.outside.shutdown();
        #[cfg(not(feature = "nat"))]
        let outside = std::future::ready(());
        futures::join!(idle(), inner.finders.shutdown(), outside);
    };
    if rt::timeout(SHUTDOWN_TIMEOUT, all).await.is_err() {
        for session in inner.registry.sessions() {
            session.order(Order::Cut(DisconnectReason::Shutdown));
        }
        let _ = rt::timeout(CUT_TIMEOUT, idle()).await;
    }
    inner.hub.end();
    inner.switchboard.end();
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("id", &self.id())
            .field("listening", &self.listening())
            .finish()
    }
}

/// Whom to block: a peer, an IP address, or a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Blocked {
    /// A peer, wherever it comes from.
    Peer(PeerId),
    /// Everybody from these addresses.
    Prefix(IpNet),
}

impl From<PeerId> for Blocked {
    fn from(peer: PeerId) -> Self {
        Self::Peer(peer)
    }
}

impl From<IpAddr> for Blocked {
    fn from(ip: IpAddr) -> Self {
        // Peers are told apart by canonical addresses: behind a dual-stack socket IPv4 ones come in mapped.
        Self::Prefix(ip.to_canonical().into())
    }
}

impl From<IpNet> for Blocked {
    fn from(net: IpNet) -> Self {
        Self::Prefix(net)
    }
}

/// What a node has counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeStats {
    /// Sessions now.
    pub sessions: usize,
    /// Inbound handshakes that came to nothing.
    pub handshakes_failed: u64,
    /// Connections refused before a handshake: limits, blocks, and those who misbehaved.
    pub refused: u64,
    /// Sessions ended because the peer broke the protocol.
    pub protocol_errors: u64,
}

/// A wildcard as this machine can dial it.
fn loopback(addr: &Addr) -> Addr {
    match addr.socket_addr() {
        Some(socket) if socket.ip().is_unspecified() => {
            let ip: IpAddr = std::net::Ipv4Addr::LOCALHOST.into();
            Addr::from_socket_addr(addr.scheme(), (ip, socket.port()).into())
        }
        _ => addr.clone(),
    }
}

/// What sessions get to flush and close; the rest of the second is for those that need to be cut.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(850);
const CUT_TIMEOUT: Duration = Duration::from_millis(100);
