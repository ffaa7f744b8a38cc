//! How a node is made.

use std::{ops::RangeInclusive, path::PathBuf, sync::Arc};

use crust_core::{Addr, Discovery, Listener, Transport, TransportError, listen_live, rt};
use crust_crypto::{Identity, Keys, NetworkKey};

#[cfg(feature = "bootstrap")]
use {crate::node::finders::CacheFile, crust_core::Contact};

#[cfg(feature = "beacon")]
use crate::node::finders::Lan;
#[cfg(feature = "nat")]
use crate::node::{outside::watch_network, reach::reach};
use crate::{
    control::{Channel, Switchboard},
    error::StartError,
    node::{
        Node,
        accept::accept,
        announce::announce,
        config::{Limits, Timeouts},
        contacts::serve,
        finders::{Finders, Wanted},
        inner::{Inner, Parts},
        keep::keep,
        random,
    },
};

/// Makes a [`Node`]. Without any setting: a fresh identity, the network `"crust"`, every transport built in, a random
/// port.
#[derive(Debug)]
#[must_use = "a builder does nothing until it is started"]
pub struct NodeBuilder {
    identity: Source,
    network: NetworkKey,
    transports: Vec<Arc<dyn Transport>>,
    discoveries: Vec<Arc<dyn Discovery>>,
    pub(crate) wanted: Wanted,
    keep: Option<RangeInclusive<usize>>,
    listen: Vec<Addr>,
    port: u16,
    dial_only: bool,
    limits: Limits,
    timeouts: Timeouts,
}

/// Where the identity comes from.
#[derive(Debug)]
enum Source {
    File(PathBuf),
    Fresh,
    Given(Box<Identity>),
}

impl NodeBuilder {
    pub(crate) fn new() -> Self {
        Self {
            identity: Source::Fresh,
            network: NetworkKey::from_name(NetworkKey::DEFAULT_NAME),
            transports: built_in(),
            discoveries: Vec::new(),
            wanted: Wanted::default(),
            keep: None,
            listen: Vec::new(),
            port: 0,
            dial_only: false,
            limits: Limits::default(),
            timeouts: Timeouts::default(),
        }
    }

    /// Uses this identity. The default is a fresh one.
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Source::Given(Box::new(identity));
        self
    }

    /// Uses the identity in this file; the file is made where there is none.
    pub fn identity_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.identity = Source::File(path.into());
        self
    }

    /// Joins the network of this name; `"crust"` by default. Nodes of different networks do not see each other.
    ///
    /// A name is no secret; [`NodeBuilder::network_key`] is.
    pub fn network(mut self, name: &str) -> Self {
        self.network = NetworkKey::from_name(name);
        self
    }

    /// Joins the network of this key. Whoever lacks it gets no byte out of the node.
    pub fn network_key(mut self, key: [u8; 32]) -> Self {
        self.network = NetworkKey::from_bytes(key);
        self
    }

    /// Adds a transport of your own.
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transports.push(Arc::new(transport));
        self
    }

    /// Adds a discovery: it is told where this node is, asked for peers, and learns how dials went.
    pub fn discovery(mut self, discovery: impl Discovery) -> Self {
        self.discoveries.push(Arc::new(discovery));
        self
    }

    /// Keeps the node connected by itself.
    ///
    /// With fewer sessions than the range begins with, it dials whom its discoveries find: peers in other networks than
    /// those it has sessions in first, sixteen at a time, and whoever could not be reached again after a time that
    /// doubles. With as many as the range ends with it lets nobody in, and what the application makes beyond that
    /// costs the least useful of the others: those with the fewest messages, then the youngest. What the application
    /// connected to, or [pinned](crate::Session::pin), stays.
    ///
    /// Without it, discoveries are asked only by [`Node::bootstrap`] and [`Node::connect`].
    pub fn keep(mut self, sessions: RangeInclusive<usize>) -> Self {
        self.keep = Some(sessions);
        self
    }

    /// Remembers peers in a file of the user's data directory, one for each network, and finds those of earlier runs.
    #[cfg(feature = "bootstrap")]
    pub fn cache(mut self) -> Self {
        self.wanted.cache = Some(CacheFile::Default);
        self
    }

    /// As [`NodeBuilder::cache`], in this file; several nodes may share it.
    #[cfg(feature = "bootstrap")]
    pub fn cache_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.wanted.cache = Some(CacheFile::At(path.into()));
        self
    }

    /// Contacts to try after the peers in the cache: for the first start, and for the worst day. DNS names are fine.
    ///
    /// They are used without a cache too, and enter one only when somebody was reached there.
    #[cfg(feature = "bootstrap")]
    pub fn contacts(mut self, contacts: impl IntoIterator<Item = Contact>) -> Self {
        self.wanted.contacts.extend(contacts);
        self
    }

    /// Finds peers on the networks that this machine is in, and is found there.
    #[cfg(feature = "beacon")]
    pub fn lan(mut self, lan: Lan) -> Self {
        self.wanted.lan = Some(lan);
        self
    }

    /// Learns of peers from the peers that it has sessions with, and tells them of others: signed records, within 2 KiB a
    /// second and session on average.
    #[cfg(feature = "gossip")]
    pub fn gossip(mut self) -> Self {
        self.wanted.gossip = true;
        self
    }

    /// Leaves out the built-in transports, so that only those of [`NodeBuilder::transport`] are used.
    pub fn without_built_in_transports(mut self) -> Self {
        let built_in = built_in().len();
        self.transports.drain(..built_in.min(self.transports.len()));
        self
    }

    /// Uses none but this of the transports: `"tcp"`, `"utp"`, or one's own.
    pub fn only_transport(mut self, scheme: &str) -> Self {
        self.transports
            .retain(|transport| transport.schemes().contains(&scheme));
        self
    }

    /// Listens on this address, and on no default one. May be called several times.
    pub fn listen(mut self, addr: Addr) -> Self {
        self.listen.push(addr);
        self
    }

    /// Listens on this port of all interfaces, or on a random one where it is taken; 5483 is the customary one, 0 (the
    /// default) any.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Does not listen.
    pub fn dial_only(mut self) -> Self {
        self.dial_only = true;
        self
    }

    /// Sets what bounds the node.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets how long things may take.
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Starts the node: when this returns it listens.
    ///
    /// # Errors
    ///
    /// Each variant of [`StartError`], as it says.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves nothing behind but an identity file that may have been made.
    pub async fn start(self) -> Result<Node, StartError> {
        check_schemes(&self.transports)?;
        check_keep(self.keep.as_ref())?;
        let listeners = self.listeners().await?;
        let identity = Arc::new(self.identity.get().await?);
        #[cfg(feature = "gossip")]
        let gossip = self.wanted.gossip;
        #[cfg_attr(
            not(feature = "gossip"),
            expect(unused_mut, reason = "gossip comes later")
        )]
        let mut finders = Finders::start(self.wanted, &identity, &self.network).await;
        let switchboard = Arc::<Switchboard>::default();
        let inner = Arc::new_cyclic(|inner| {
            let _ = inner;
            #[cfg(feature = "gossip")]
            if gossip {
                finders.start_gossip(inner.clone(), &switchboard, &identity);
            }
            let mut announcing = finders.announcing();
            announcing.extend(self.discoveries.iter().cloned());
            let mut discoveries = finders.discoveries();
            discoveries.extend(self.discoveries);
            Inner::new(Parts {
                keys: Keys::new(&identity, self.network),
                limits: self.limits.clamped(),
                timeouts: self.timeouts.clamped(),
                transports: self.transports,
                discoveries,
                announcing,
                finders,
                keep: self.keep,
                listening: listeners
                    .iter()
                    .map(|listener| listener.local_addr().clone())
                    .collect(),
                seed: random::seed(&identity),
                switchboard,
            })
        });
        let loops = start_loops(&inner, &identity, listeners);
        Ok(Node::new(inner, loops))
    }

    async fn listeners(&self) -> Result<Vec<Listener>, StartError> {
        if self.dial_only {
            return Ok(Vec::new());
        }
        let mut listeners = Vec::new();
        for addr in &self.listen {
            listeners.push(transport(&self.transports, addr)?.listen(addr).await?);
        }
        let mut port = self.port;
        for scheme in DEFAULT_SCHEMES {
            if self.listen.is_empty() && serves(&self.transports, scheme) {
                let listener = self.listen_live(scheme, port).await?;
                // The others take the same number, if they can.
                port = port_of(listener.local_addr()).unwrap_or(port);
                listeners.push(listener);
            }
        }
        Ok(listeners)
    }

    /// The live port where it is free, else a random one.
    async fn listen_live(&self, scheme: &str, port: u16) -> Result<Listener, TransportError> {
        let live = format!("{scheme}://[::]:{port}");
        let live: Addr = live.parse().expect("a wildcard with a port is an address");
        let listener = listen_live(transport(&self.transports, &live)?, &live).await?;
        if port != 0 && port_of(listener.local_addr()) != Some(port) {
            tracing::info!(port, addr = %listener.local_addr(), "port is taken, listening on another");
        }
        Ok(listener)
    }
}

impl Source {
    async fn get(self) -> Result<Identity, StartError> {
        match self {
            Self::Fresh => Ok(Identity::generate()),
            Self::Given(identity) => Ok(*identity),
            Self::File(path) => load(path).await,
        }
    }
}

/// What goes on until the node ends, whatever its sessions do.
fn start_loops(
    inner: &Arc<Inner>,
    identity: &Arc<Identity>,
    listeners: Vec<Listener>,
) -> Vec<rt::Task<()>> {
    let running = || inner.tasks.start();
    let is_searching = !inner.discoveries.is_empty() || inner.wishes.is_keeping();
    // Before there can be a session.
    let contacts = is_searching.then(|| inner.switchboard.open(Channel::Contacts));
    let accepts = listeners
        .into_iter()
        .map(|listener| rt::spawn(accept(inner.clone(), listener, running())));
    let mut loops: Vec<_> = accepts.collect();
    #[cfg(feature = "nat")]
    if !inner.listening.is_empty() {
        loops.push(rt::spawn(watch_network(inner.clone(), running())));
        let events = inner.switchboard.open(Channel::Reach);
        loops.push(rt::spawn(reach(inner.clone(), events, running())));
    }
    if let Some(events) = contacts {
        loops.push(rt::spawn(serve(inner.clone(), events, running())));
        loops.push(rt::spawn(announce(
            inner.clone(),
            identity.clone(),
            running(),
        )));
        loops.push(rt::spawn(keep(inner.clone(), running())));
    }
    loops
}

async fn load(path: PathBuf) -> Result<Identity, StartError> {
    let loaded = rt::unblock(move || Identity::load_or_create(path)).await;
    Ok(loaded.expect("reading a file does not panic")?)
}

/// The transports that features turn on.
fn built_in() -> Vec<Arc<dyn Transport>> {
    vec![
        #[cfg(feature = "tcp")]
        Arc::new(crust_tcp::TcpTransport::new()),
        #[cfg(feature = "utp")]
        Arc::new(crust_utp::UtpTransport::new()),
    ]
}

fn transport<'a>(
    transports: &'a [Arc<dyn Transport>],
    addr: &Addr,
) -> Result<&'a Arc<dyn Transport>, TransportError> {
    let serves = |transport: &&Arc<dyn Transport>| transport.schemes().contains(&addr.scheme());
    transports
        .iter()
        .find(serves)
        .ok_or_else(|| TransportError::Unsupported { addr: addr.clone() })
}

fn port_of(addr: &Addr) -> Option<u16> {
    addr.socket_addr().map(|addr| addr.port())
}

fn serves(transports: &[Arc<dyn Transport>], scheme: &str) -> bool {
    transports
        .iter()
        .any(|transport| transport.schemes().contains(&scheme))
}

fn check_keep(keep: Option<&RangeInclusive<usize>>) -> Result<(), StartError> {
    match keep {
        Some(keep) if keep.is_empty() || *keep.end() == 0 => Err(StartError::Keep {
            least: *keep.start(),
            most: *keep.end(),
        }),
        _ => Ok(()),
    }
}

fn check_schemes(transports: &[Arc<dyn Transport>]) -> Result<(), StartError> {
    if transports.is_empty() {
        return Err(StartError::NoTransport);
    }
    let mut seen = Vec::new();
    for scheme in transports.iter().flat_map(|transport| transport.schemes()) {
        if seen.contains(scheme) {
            return Err(StartError::SchemeTwice { scheme });
        }
        seen.push(*scheme);
    }
    Ok(())
}

/// What a node listens on that was not told where.
const DEFAULT_SCHEMES: [&str; 2] = ["tcp", "utp"];
