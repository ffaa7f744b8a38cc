//! The start of a node, as its builder was told.

use std::{ops::RangeInclusive, path::PathBuf, sync::Arc};

use crust_core::{Addr, Listener, Transport, TransportError, listen_live, rt};
use crust_crypto::{Identity, Keys};
#[cfg(all(feature = "nat", feature = "utp"))]
use crust_nat::stun::{ServerConfig, Stun, StunConfig};

#[cfg(feature = "nat")]
use crate::node::{
    outside::{Outside, watch_network},
    reach::reach,
};
use crate::{
    control::{Channel, Switchboard},
    error::StartError,
    node::{
        Node,
        accept::accept,
        announce::announce,
        builder::{NodeBuilder, Source},
        contacts::serve,
        finders::Finders,
        inner::{Inner, Parts},
        keep::keep,
        random,
    },
};

impl NodeBuilder {
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
        let listening: Vec<_> = listeners
            .iter()
            .map(|listener| listener.local_addr().clone())
            .collect();
        #[cfg(all(feature = "nat", feature = "utp"))]
        let stun = self.stun(&listening);
        #[cfg(all(feature = "nat", not(feature = "utp")))]
        let stun = Vec::new();
        let identity = Arc::new(self.identity.get().await?);
        #[cfg(feature = "nat")]
        let secrets = (nonce_key(&identity), self.is_secret);
        #[cfg(feature = "nat")]
        let outside = Outside::start(self.nat, &listening, stun, secrets);
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
                listening,
                seed: random::seed(&identity),
                switchboard,
                #[cfg(feature = "nat")]
                outside,
            })
        });
        let loops = start_loops(&inner, &identity, listeners);
        Ok(Node::new(inner, loops))
    }

    /// Has the UDP ports of `listening` speak STUN, and answer it where nobody's silence is broken.
    #[cfg(all(feature = "nat", feature = "utp"))]
    fn stun(&self, listening: &[Addr]) -> Vec<Stun> {
        let server = (!self.is_secret).then(ServerConfig::default);
        let config = StunConfig::default().with_server(server);
        let of_utp = listening.iter().filter(|addr| addr.scheme() == "utp");
        let ports = of_utp.filter_map(|addr| self.utp.port(addr.socket_addr()?));
        let stun = ports.map(|port| Stun::new(&port, config));
        stun.filter_map(Result::ok).collect()
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

/// What gateways know this node by when it asks for its ports again, in a later run too: nobody without its key can tell it.
#[cfg(feature = "nat")]
fn nonce_key(identity: &Identity) -> [u8; 32] {
    let signature = identity.sign(b"crust: the nonces of port mappings");
    *signature.first_chunk().expect("a signature is longer")
}

async fn load(path: PathBuf) -> Result<Identity, StartError> {
    let loaded = rt::unblock(move || Identity::load_or_create(path)).await;
    Ok(loaded.expect("reading a file does not panic")?)
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
