//! How a node is made.

use std::{ops::RangeInclusive, path::PathBuf, sync::Arc};

use crust_core::{Addr, Discovery, Transport};
use crust_crypto::{Identity, NetworkKey};

#[cfg(feature = "bootstrap")]
use {crate::node::finders::CacheFile, crust_core::Contact};

#[cfg(doc)]
use crate::node::Node;
#[cfg(feature = "beacon")]
use crate::node::finders::Lan;
#[cfg(feature = "nat")]
use crate::node::outside::Nat;
use crate::node::{
    config::{Limits, Timeouts},
    finders::Wanted,
};

/// Makes a [`Node`]. Without any setting: a fresh identity, the network `"crust"`, every transport built in, a random
/// port.
#[derive(Debug)]
#[must_use = "a builder does nothing until it is started"]
pub struct NodeBuilder {
    pub(super) identity: Source,
    pub(super) network: NetworkKey,
    /// The network's key is known to its members alone: nobody else gets a byte from this node.
    pub(super) is_secret: bool,
    pub(super) transports: Vec<Arc<dyn Transport>>,
    pub(super) discoveries: Vec<Arc<dyn Discovery>>,
    pub(crate) wanted: Wanted,
    pub(super) keep: Option<RangeInclusive<usize>>,
    pub(super) listen: Vec<Addr>,
    pub(super) port: u16,
    pub(super) dial_only: bool,
    pub(super) limits: Limits,
    pub(super) timeouts: Timeouts,
    #[cfg(feature = "nat")]
    pub(super) nat: Option<Nat>,
    /// The transport among the built-in ones whose ports others share.
    #[cfg(feature = "utp")]
    #[cfg_attr(not(feature = "nat"), expect(dead_code, reason = "uTP has them alone"))]
    pub(super) utp: crust_utp::UtpTransport,
}

/// Where the identity comes from.
#[derive(Debug)]
pub(super) enum Source {
    File(PathBuf),
    Fresh,
    Given(Box<Identity>),
}

impl NodeBuilder {
    pub(crate) fn new() -> Self {
        #[cfg(feature = "utp")]
        let utp = crust_utp::UtpTransport::new();
        Self {
            identity: Source::Fresh,
            network: NetworkKey::from_name(NetworkKey::DEFAULT_NAME),
            is_secret: false,
            transports: vec![
                #[cfg(feature = "tcp")]
                Arc::new(crust_tcp::TcpTransport::new()),
                #[cfg(feature = "utp")]
                Arc::new(utp.clone()),
            ],
            discoveries: Vec::new(),
            wanted: Wanted::default(),
            keep: None,
            listen: Vec::new(),
            port: 0,
            dial_only: false,
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            #[cfg(feature = "nat")]
            nat: None,
            #[cfg(feature = "utp")]
            utp,
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
        self.is_secret = false;
        self
    }

    /// Joins the network of this key. Whoever lacks it gets no byte out of the node.
    pub fn network_key(mut self, key: [u8; 32]) -> Self {
        self.network = NetworkKey::from_bytes(key);
        self.is_secret = true;
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

    /// Does something about the NATs in front of this machine: asks the gateways for the ports that it listens on, and a few
    /// peers by STUN where they see its UDP port, which keeps that port's mapping too.
    ///
    /// Without it the node still hears from its peers where they see it, answers STUN (RFC 8489) on its UDP port, unless its
    /// network has a [key](NodeBuilder::network_key), and has peers dial it back to know how far it can be reached.
    #[cfg(feature = "nat")]
    pub fn nat(mut self, nat: Nat) -> Self {
        self.nat = Some(nat);
        self
    }

    /// Leaves out the built-in transports, so that only those of [`NodeBuilder::transport`] are used.
    pub fn without_built_in_transports(mut self) -> Self {
        self.transports
            .drain(..built_in().min(self.transports.len()));
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
}

/// How many transports features turn on.
const fn built_in() -> usize {
    cfg!(feature = "tcp") as usize + cfg!(feature = "utp") as usize
}
