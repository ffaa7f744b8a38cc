//! Whether this node can be reached: peers dial it back on fresh connections.
//!
//! Each address at which the node may be reached is asked about on its own. A helper dials only the address at which it sees
//! the asker, once for each request, and from a port that the asker never wrote to: what arrives went through whatever filters
//! are in between. A NAT's filter may go by IP address alone (RFC 4787 §5); so about what a NAT shows of the UDP port those are
//! asked whose address nothing was sent to over UDP.

pub(crate) mod asker;
mod helper;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use crust_core::{
    Addr, ControlChannel, ControlEvent, ControlEvents, DialOpts, PeerId, Reach, Role,
    TransportError, rt,
};
use futures::{
    AsyncWriteExt, StreamExt,
    future::{Either, select},
};

use self::{
    asker::{Asker, CandidateKind},
    helper::Helper,
};
use crate::{
    clock,
    control::Channel,
    error::{AttemptError, chain},
    event::Event,
    node::{
        control_line::ControlLine,
        endpoints::endpoints,
        gate::prefix,
        inner::{Inner, ip_of},
        keyring::{Opening, lost, shake_hands},
        tasks::Running,
    },
    sync::lock,
    wire::{
        frame::Frame,
        reach::{DialBack, ReachMessage},
    },
};

/// How far a node can be reached, the worst first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Reachability {
    /// Nobody has tried yet, or nobody could.
    #[default]
    Unknown,
    /// The gateway gave a port, and nobody who dialed it came through.
    Unreachable,
    /// Nobody is known to come through who dials it, but all peers see one address: a hole can be punched.
    Punchable,
    /// Peers come through by a port that the gateway gave.
    Mapped,
    /// Peers come through.
    Public,
}

impl Reachability {
    /// The word for it in logs and `--json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Unreachable => "unreachable",
            Self::Punchable => "punchable",
            Self::Mapped => "mapped",
            Self::Public => "public",
        }
    }
}

impl fmt::Display for Reachability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a node knows of its reachability, and what it does for others.
#[derive(Debug)]
pub(crate) struct Reaching {
    asker: Mutex<Asker>,
    helper: Mutex<Helper>,
    /// What the application was told, by scheme.
    told: Mutex<BTreeMap<String, Reachability>>,
}

impl Reaching {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            asker: Mutex::new(Asker::new(seed)),
            helper: Mutex::new(Helper::new()),
            told: Mutex::default(),
        }
    }

    pub(crate) fn reachability_at(&self, addr: &Addr) -> Reachability {
        lock(&self.asker).reachability_at(addr)
    }

    /// The network changed.
    pub(crate) fn forget(&self) {
        lock(&self.asker).forget();
    }

    /// A dial-back arrived from `remote`.
    fn on_here(&self, peer: &PeerId, remote: &Addr, nonce: u64) {
        let is_v4 = ip_of(remote).is_some_and(|ip| ip.is_ipv4());
        let way = (remote.scheme(), is_v4);
        let is_proof = lock(&self.asker).handle_here(rt::now(), peer, nonce, way);
        tracing::debug!(%peer, %remote, is_proof, "dialed back");
    }
}

impl Inner {
    /// The first word on a connection from `remote`, where it is that of a dial-back. Returns whether it was one, asked for or
    /// not: one that comes late is no offence. From a port that this node may have sent to it proves nothing.
    pub(crate) fn on_here(&self, peer: &PeerId, remote: &Addr, message: &[u8]) -> bool {
        let Ok(ReachMessage::Here { nonce }) = ReachMessage::decode(message) else {
            return false;
        };
        let session = self.registry.session(peer);
        let is_of_session = session.is_some_and(|session| session.remote == *remote);
        if !is_of_session && !self.addrs(peer).contains(remote) {
            self.reaching.on_here(peer, remote, nonce);
        }
        true
    }
}

/// Asks for dial-backs and makes those that others ask for, until the node is shut down.
pub(crate) async fn reach(inner: Arc<Inner>, mut events: ControlEvents, _running: Running) {
    let line = ControlLine::new(Arc::downgrade(&inner), Channel::Reach);
    let mut look_at = rt::now();
    loop {
        let look = std::pin::pin!(rt::sleep_until(look_at));
        match select(events.next(), look).await {
            Either::Left((Some(ControlEvent::Message { peer, message }), _)) => {
                on_message(&inner, &line, peer, &message);
            }
            Either::Left((Some(_), _)) => {}
            Either::Left((None, _)) => return,
            Either::Right(_) => {
                ask(&inner, &line);
                tell(&inner);
                look_at = rt::now() + LOOK_EVERY;
            }
        }
    }
}

fn on_message(inner: &Arc<Inner>, line: &ControlLine, peer: PeerId, message: &[u8]) {
    match ReachMessage::decode(message) {
        Ok(ReachMessage::Ask { nonce, addr }) => on_ask(inner, peer, nonce, addr),
        Ok(ReachMessage::Answer { nonce, outcome }) => {
            tracing::debug!(%peer, ?outcome, "answer to a dial-back");
            lock(&inner.reaching.asker).handle_answer(rt::now(), &peer, nonce, outcome);
            tell(inner);
        }
        // It belongs on a connection of its own.
        Ok(ReachMessage::Here { .. }) => {}
        Err(error) => line.report(&peer, &error),
    }
}

/// Asks somebody about the next address that is not known.
fn ask(inner: &Arc<Inner>, line: &ControlLine) {
    if !inner.is_open() {
        // A node with no room drops dial-backs too; that says nothing of its addresses.
        return;
    }
    let now = rt::now();
    // Before the lock: endpoints tell how far they can be reached.
    let candidates = candidates(inner);
    let is_due = {
        let mut asker = lock(&inner.reaching.asker);
        asker.handle_candidates(now, candidates);
        asker.is_due(now)
    };
    if !is_due {
        return;
    }
    let helpers = helpers(inner);
    let ask = lock(&inner.reaching.asker).poll_ask(now, &helpers);
    if let Some(ask) = ask {
        let (nonce, addr) = (ask.nonce, ask.addr);
        tracing::debug!(peer = %ask.helper, %addr, "asked for a dial-back");
        send(line, ask.helper, &ReachMessage::Ask { nonce, addr });
    }
}

/// Tells the application what has changed.
fn tell(inner: &Inner) {
    let mut told = lock(&inner.reaching.told);
    for addr in &inner.listening {
        let reachability = lock(&inner.reaching.asker).reachability(addr.scheme());
        let known = told.entry(addr.scheme().to_owned()).or_default();
        if *known != reachability {
            *known = reachability;
            tracing::info!(scheme = addr.scheme(), %reachability, "reachability");
            inner.hub.notify(Event::Reachability {
                scheme: addr.scheme().to_owned(),
                reachability,
            });
        }
    }
}

/// The addresses at which the world may find this node.
fn candidates(inner: &Inner) -> BTreeMap<Addr, CandidateKind> {
    let endpoints = endpoints(&inner.listening);
    let all = endpoints
        .iter()
        .flat_map(|endpoint| inner.externals(endpoint));
    all.collect()
}

/// Peers that see this node from the world's side.
fn helpers(inner: &Inner) -> Vec<asker::Helper> {
    let sessions = inner.registry.sessions();
    let helper = |session: &Arc<crate::session::shared::Shared>| {
        let ip = ip_of(&session.remote)?;
        let is_stranger = session.remote.scheme() != "utp" && !inner.outside.has_asked(ip);
        (Reach::of_ip(ip) == Reach::Everywhere).then(|| asker::Helper {
            peer: session.peer,
            network: prefix(ip),
            is_stranger_to_udp: is_stranger,
        })
    };
    sessions.iter().filter_map(helper).collect()
}

fn on_ask(inner: &Arc<Inner>, peer: PeerId, nonce: u64, addr: Addr) {
    let remote = inner
        .registry
        .session(&peer)
        .map(|session| session.remote.clone());
    let is_admitted = remote.is_some_and(|remote| {
        inner.transport(&addr).is_ok()
            && lock(&inner.reaching.helper).admit(rt::now(), peer, &remote, &addr)
    });
    let helping = is_admitted.then(|| Helping(inner.clone()));
    let running = inner.tasks.start();
    let inner = inner.clone();
    rt::detach(async move {
        let outcome = match &helping {
            Some(_) => {
                inner
                    .until_stopped(dial_back(&inner, peer, nonce, &addr))
                    .await
            }
            None => Some(DialBack::Refused),
        };
        if let Some(outcome) = outcome {
            let line = ControlLine::new(Arc::downgrade(&inner), Channel::Reach);
            send(&line, peer, &ReachMessage::Answer { nonce, outcome });
        }
        drop((helping, running));
    });
}

/// One of the dial-backs that are under way.
struct Helping(Arc<Inner>);

impl Drop for Helping {
    fn drop(&mut self) {
        lock(&self.0.reaching.helper).on_done();
    }
}

async fn dial_back(inner: &Inner, peer: PeerId, nonce: u64, addr: &Addr) -> DialBack {
    match clock::timeout(DIAL_WITHIN, knock(inner, peer, nonce, addr)).await {
        Some(Ok(())) => DialBack::Made,
        Some(Err(error)) => {
            tracing::debug!(%peer, %addr, error = %chain(&error), "dial-back failed");
            match error {
                // What is amiss here says nothing of the asker.
                AttemptError::Transport(
                    TransportError::InUse { .. }
                    | TransportError::Invalid { .. }
                    | TransportError::Unreachable { .. }
                    | TransportError::Unsupported { .. },
                ) => DialBack::Refused,
                _ => DialBack::Failed,
            }
        }
        None => DialBack::Failed,
    }
}

/// Opens a connection from a fresh port, says what it is for, and ends it.
async fn knock(inner: &Inner, peer: PeerId, nonce: u64, addr: &Addr) -> Result<(), AttemptError> {
    let any = format!("{}://[::]:0", addr.scheme());
    let any: Addr = any.parse().expect("a wildcard is an address");
    let fresh = DialOpts::default().with_from(any);
    let connection = inner.transport(addr)?.dial(addr, &fresh).await?;
    let opening = Opening {
        role: Role::Dialer,
        expect: Some(peer),
        pinned: false,
    };
    let mut keyring = shake_hands(inner, connection, opening).await?;
    let here = ReachMessage::Here { nonce }.encode();
    let here = Frame::Control {
        channel: Channel::Reach as u8,
        data: &here,
    };
    keyring.send(&here).await?;
    // Its hello, and that it has read the word: a socket that is closed with something unread takes the word back.
    while keyring.record().await.is_ok() {}
    keyring.connection.close().await.map_err(lost)
}

fn send(line: &ControlLine, peer: PeerId, message: &ReachMessage) {
    if let Err(error) = line.try_send(&peer, Bytes::from(message.encode())) {
        tracing::debug!(%peer, %error, "reach message not sent");
    }
}

/// How soon a new address is asked about.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Two lost SYNs fit in, and so does the handshake.
const DIAL_WITHIN: Duration = Duration::from_secs(5);
