//! How a peer is reached: all its addresses, one after the other and then side by side, until one has it.

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crust_core::{Addr, Contact, DialOpts, DialOutcome, PeerId, Role, rt};
use futures::{
    FutureExt, StreamExt, select_biased,
    stream::{FuturesUnordered, select_all},
};

use crate::{
    clock,
    error::{Attempt, AttemptError, ConnectError},
    node::{
        establish::{EstablishError, attempt},
        inner::Inner,
        keyring::Opening,
        ways::Ways,
    },
    session::{Session, shared::Shared},
};

/// Whom to connect to: a peer, an address, or both.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// Whoever answers there.
    Addr(Addr),
    /// This peer, at an address that it or the application told before.
    Peer(PeerId),
    /// This peer, there or at an address told before.
    PeerAt(PeerId, Addr),
}

impl Target {
    const fn peer(&self) -> Option<PeerId> {
        match self {
            Self::Addr(_) => None,
            Self::Peer(peer) | Self::PeerAt(peer, _) => Some(*peer),
        }
    }
}

impl From<Addr> for Target {
    fn from(addr: Addr) -> Self {
        Self::Addr(addr)
    }
}

impl From<&Addr> for Target {
    fn from(addr: &Addr) -> Self {
        Self::Addr(addr.clone())
    }
}

impl From<PeerId> for Target {
    fn from(peer: PeerId) -> Self {
        Self::Peer(peer)
    }
}

impl From<&PeerId> for Target {
    fn from(peer: &PeerId) -> Self {
        Self::Peer(*peer)
    }
}

impl From<Contact> for Target {
    fn from(contact: Contact) -> Self {
        match contact.peer {
            Some(peer) => Self::PeerAt(peer, contact.addr),
            None => Self::Addr(contact.addr),
        }
    }
}

impl From<&Contact> for Target {
    fn from(contact: &Contact) -> Self {
        contact.clone().into()
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Addr(addr) => addr.fmt(f),
            Self::Peer(peer) => peer.fmt(f),
            Self::PeerAt(peer, addr) => write!(f, "{peer}@{addr}"),
        }
    }
}

/// Connects to `target`.
///
/// `pinned`: the application asked for it.
pub(crate) async fn connect(
    inner: &Arc<Inner>,
    target: Target,
    pinned: bool,
) -> Result<Session, ConnectError> {
    if inner.registry.is_closed() {
        return Err(ConnectError::Shutdown);
    }
    if let Some(peer) = target.peer() {
        if peer == inner.id {
            return Err(ConnectError::Oneself);
        }
        if inner.is_blocked_peer(&peer) {
            return Err(ConnectError::Blocked {
                target: target.to_string(),
            });
        }
        if let Some(session) = inner.registry.session(&peer) {
            if !session.is_closing() {
                return Ok(Session(session));
            }
            session.ended().await;
        }
    }
    let reached = async {
        let addrs = match (addrs(inner, &target), target.peer()) {
            (known, Some(peer)) if known.is_empty() => search(inner, peer).await?,
            (known, _) => known,
        };
        let had_any = !addrs.is_empty();
        let ways = Ways::new(inner, target.peer(), addrs, pinned);
        if had_any && ways.is_empty() {
            // Behind another NAT a peer may have the very address that this machine has behind its own.
            return Err(match target.peer() {
                Some(peer) => ConnectError::NoAddress { peer },
                None => ConnectError::Oneself,
            });
        }
        race(inner, &target, pinned, ways).await
    };
    let session = inner.until_stopped(reached).await;
    session.ok_or(ConnectError::Shutdown)?.map(Session)
}

/// Where to try, the best first.
fn addrs(inner: &Inner, target: &Target) -> VecDeque<Addr> {
    let mut addrs = VecDeque::new();
    if let Target::Addr(addr) | Target::PeerAt(_, addr) = target {
        addrs.push_back(addr.clone());
    }
    if let Some(peer) = target.peer() {
        for known in inner.addrs(&peer) {
            if !addrs.contains(&known) {
                addrs.push_back(known);
            }
        }
    }
    addrs
}

/// Asks the discoveries where `peer` is; takes the first answer.
async fn search(inner: &Inner, peer: PeerId) -> Result<VecDeque<Addr>, ConnectError> {
    let searches = inner
        .discoveries
        .iter()
        .map(|discovery| discovery.discover());
    let mut found = select_all(searches).filter_map(|found| {
        let addrs = found.ok().filter(|found| found.peer == Some(peer));
        std::future::ready(
            addrs
                .map(|found| found.addrs)
                .filter(|addrs| !addrs.is_empty()),
        )
    });
    let first = rt::timeout(inner.timeouts.search, found.next()).await;
    let addrs = first
        .ok()
        .flatten()
        .ok_or(ConnectError::NoAddress { peer })?;
    inner.on_heard(peer, &addrs);
    Ok(addrs.into())
}

/// Tries one address after the other, each [`Timeouts::stagger`](crate::Timeouts) after the one before or at once when that
/// failed (RFC 8305 §5), addresses that are heard of meanwhile, and the one that is implied where nobody has answered by then.
/// The first session ends the rest. What nobody asked for goes on at [`ADDRS_AT_ONCE`] at most.
async fn race(
    inner: &Arc<Inner>,
    target: &Target,
    pinned: bool,
    mut ways: Ways,
) -> Result<Arc<Shared>, ConnectError> {
    let opening = Opening {
        role: Role::Dialer,
        expect: target.peer(),
        pinned,
    };
    let at_once = if pinned { usize::MAX } else { ADDRS_AT_ONCE };
    // Somebody took a connection; the handshake is on its way.
    let is_answered = AtomicBool::new(false);
    let mut running = FuturesUnordered::new();
    let mut failed = Vec::new();
    loop {
        ways.refresh(inner);
        if running.len() < at_once
            && let Some(addr) = ways.next()
        {
            running.push(try_addr(inner, addr, opening, &is_answered));
        }
        let stagger = inner.timeouts.stagger;
        let wait = if ways.is_empty() || running.len() >= at_once {
            stagger.max(LOOK_EVERY)
        } else {
            stagger
        };
        select_biased! {
            result = running.select_next_some() => match result {
                Ok(session) => return Ok(session),
                Err(Attempt { error: AttemptError::Oneself, .. }) => return Err(ConnectError::Oneself),
                Err(attempt) => {
                    tracing::debug!(addr = %attempt.addr, error = %attempt, "dial failed");
                    failed.push(attempt);
                }
            },
            () = rt::sleep(wait).fuse() => {
                if !running.is_empty() && !is_answered.load(Ordering::Relaxed)
                    && let Some(addr) = ways.take_implied()
                {
                    running.push(try_addr(inner, addr, opening, &is_answered));
                }
            }
        }
        if running.is_empty() && ways.is_empty() {
            return Err(ConnectError::Failed {
                target: target.to_string(),
                attempts: failed,
            });
        }
    }
}

/// Addresses of one peer that are dialed at a time where the application asked for nobody: whoever tells of sixteen that
/// lead nowhere must not make this node dial them all.
pub(crate) const ADDRS_AT_ONCE: usize = 4;
/// How often it is looked for addresses that were heard of meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(250);

async fn try_addr(
    inner: &Arc<Inner>,
    addr: Addr,
    opening: Opening,
    is_answered: &AtomicBool,
) -> Result<Arc<Shared>, Attempt> {
    let started_at = rt::now();
    let result = open(inner, &addr, opening, is_answered).await;
    let elapsed = rt::now().saturating_duration_since(started_at);
    match &result {
        Ok(session) => inner.report(
            &addr,
            &DialOutcome::Connected {
                peer: session.peer,
                elapsed,
            },
        ),
        Err(error) if error.tells_of_the_address() => {
            inner.report(
                &addr,
                &DialOutcome::Failed {
                    peer: opening.expect,
                },
            );
        }
        Err(_) => {}
    }
    result.map_err(|error| attempt(&addr, started_at, error))
}

async fn open(
    inner: &Arc<Inner>,
    addr: &Addr,
    opening: Opening,
    is_answered: &AtomicBool,
) -> Result<Arc<Shared>, AttemptError> {
    if inner.is_blocked_addr(addr) {
        return Err(AttemptError::Blocked);
    }
    let transport = inner.transport(addr)?;
    let limit = inner.timeouts.dial;
    let opts = DialOpts::default();
    let connection = clock::timeout(limit, transport.dial(addr, &opts))
        .await
        .ok_or(AttemptError::Timeout { limit })??;
    is_answered.store(true, Ordering::Relaxed);
    // A name may stand for a blocked address.
    if inner.is_blocked_addr(connection.remote_addr()) {
        return Err(AttemptError::Blocked);
    }
    match inner.begin(connection, opening).await {
        Ok(session) => Ok(session),
        Err(EstablishError::Attempt(error)) => Err(error),
        Err(EstablishError::Duplicate(peer)) => other_connection(inner, peer).await,
        #[cfg(feature = "nat")]
        Err(EstablishError::DialedBack) => unreachable!("a listener alone is dialed back"),
    }
}

/// The arbiter keeps another connection to the same peer; it is about to be a session here too.
async fn other_connection(inner: &Inner, peer: PeerId) -> Result<Arc<Shared>, AttemptError> {
    let session = poll_fn(|cx| inner.registry.poll_session(&peer, cx));
    let limit = inner.timeouts.handshake;
    clock::timeout(limit, session)
        .await
        .ok_or(AttemptError::Duplicate { limit })
}
