//! Keeps a node connected: searches, dials whom discoveries find, and lets go what is too much.

mod bridges;
pub(crate) mod candidates;
mod living;
pub(crate) mod search;
pub(crate) mod wishes;

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use crust_core::{FoundPeer, PeerId, rt};
use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};

use self::{
    candidates::{Among, Candidates, Dialed, Ties, Whom},
    living::{drop_surplus, ties},
    search::Search,
    wishes::{Ended, Tried},
};
use crate::{
    error::{Attempt, BootstrapError, ConnectError, SearchReport},
    event::Event,
    node::{
        contacts,
        dial::{Target, connect},
        inner::Inner,
        tasks::Running,
    },
    reason::DisconnectReason,
    recent::Recent,
    session::{Session, shared::Shared},
};

/// Waits for the first session, whoever it is with.
pub(crate) async fn bootstrap(inner: &Inner) -> Result<Session, BootstrapError> {
    if inner.registry.is_closed() {
        return Err(BootstrapError::Shutdown);
    }
    if inner.discoveries.is_empty() {
        return match any_session(inner) {
            Some(session) => Ok(session),
            None => Err(BootstrapError::NoDiscovery),
        };
    }
    let waiting = inner.wishes.wait();
    let first = poll_fn(|cx| {
        let tried = waiting.poll_tried(cx);
        match any_session(inner) {
            Some(session) => Poll::Ready(Ok(session)),
            None => tried.map(|Tried { attempts, searches }| {
                Err(BootstrapError::Failed { attempts, searches })
            }),
        }
    });
    inner
        .until_stopped(first)
        .await
        .unwrap_or(Err(BootstrapError::Shutdown))
}

fn any_session(inner: &Inner) -> Option<Session> {
    let sessions = inner.registry.sessions();
    let open = sessions.into_iter().find(|session| !session.is_closing());
    open.map(Session)
}

/// Keeps the node connected until it is dropped.
pub(crate) async fn keep(inner: Arc<Inner>, _running: Running) {
    let mut keeper = Keeper::new(inner);
    loop {
        keeper.act(rt::now());
        poll_fn(|cx| keeper.poll(cx)).await;
        // A discovery that never has to wait must not keep others from their turn.
        rt::yield_now().await;
    }
}

type Dial = BoxFuture<'static, (Whom, Result<Session, ConnectError>)>;

struct Keeper {
    inner: Arc<Inner>,
    candidates: Candidates,
    searches: Vec<Search>,
    dials: FuturesUnordered<Dial>,
    /// Whom the application was told of, and by which discovery it was found.
    told: Recent<(PeerId, &'static str), ()>,
    had_sessions: bool,
    /// When it began anew last.
    began_at: Option<Instant>,
    /// The callers of [`bootstrap`] that are known.
    callers: Option<u64>,
    timer: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Keeper {
    fn new(inner: Arc<Inner>) -> Self {
        inner.wishes.begin();
        let now = rt::now();
        // Until there is a session, failures may be this machine's own.
        inner.finders.set_online(false);
        let search = |discovery: &Arc<_>| Search::new(Arc::clone(discovery), now);
        Self {
            candidates: Candidates::new(inner.id, inner.instance),
            searches: inner.discoveries.iter().map(search).collect(),
            dials: FuturesUnordered::new(),
            told: Recent::new(MAX_TOLD),
            had_sessions: false,
            began_at: None,
            callers: None,
            timer: None,
            inner,
        }
    }

    /// Does what is to be done at `now`.
    fn act(&mut self, now: Instant) {
        for (peer, ended) in self.inner.wishes.take_ended() {
            self.candidates.handle_ended(now, peer, ended);
        }
        for told in self.inner.wishes.take_told() {
            self.candidates.handle_told(now, &told.found, told.teller);
            if told.is_timely {
                self.tell(told.found);
            }
        }
        let sessions = self.inner.registry.sessions();
        let ties = ties(&sessions);
        self.candidates.handle_ties(&ties);
        let least = self.inner.wishes.least();
        self.begin_anew(now, sessions.is_empty());
        self.search(now, sessions.len() < least);
        self.dial(now, sessions.len(), &ties);
        self.ask(now, &sessions);
        drop_surplus(sessions.clone(), self.inner.wishes.most());
        self.give_up(now, &ties);
        let wake_at = self.wake_at(now, &ties, sessions.len());
        self.timer = wake_at.map(|at| rt::sleep_until(at).boxed());
    }

    /// Whoever has just lost everything, or is asked for a first session, does not wait for what failed before. But
    /// however often that happens, nobody is dialed more than once in [`ANEW_EVERY`] for it.
    fn begin_anew(&mut self, now: Instant, is_alone: bool) {
        let callers = self.inner.wishes.callers();
        if callers > self.callers || is_alone && self.had_sessions {
            if self.anew_at().is_some_and(|at| now < at) {
                return;
            }
            self.began_at = Some(now);
            self.candidates.hurry();
            self.searches
                .iter_mut()
                .for_each(|search| search.hurry(now));
        }
        if self.had_sessions == is_alone {
            self.inner.finders.set_online(!is_alone);
        }
        self.had_sessions = !is_alone;
        self.callers = callers;
    }

    /// When it may begin anew again.
    fn anew_at(&self) -> Option<Instant> {
        self.began_at.map(|at| at + ANEW_EVERY)
    }

    /// The searches of a node that keeps itself connected go on once they have begun: the network changes, and the
    /// application is told.
    fn search(&mut self, now: Instant, is_wanted: bool) {
        let is_idle = !is_wanted && !self.inner.wishes.is_keeping();
        for search in &mut self.searches {
            if is_idle {
                search.stop(now);
            } else if is_wanted {
                search.begin(now);
            }
        }
    }

    fn dial(&mut self, now: Instant, sessions: usize, ties: &Ties) {
        while let Some(among) = self.wanted(sessions)
            && let Some((whom, addrs)) = self.candidates.poll_dial(now, ties, among)
        {
            self.dials.push(dial(self.inner.clone(), whom, addrs));
        }
    }

    /// Asks those it is connected to for others, where sessions are missing and nobody is left to dial.
    fn ask(&self, now: Instant, sessions: &[Arc<Shared>]) {
        if self.is_stuck(sessions.len()) {
            let peers = sessions.iter().filter(|session| !session.is_closing());
            contacts::ask(&self.inner, now, peers.map(|session| session.peer));
        }
    }

    fn is_stuck(&self, sessions: usize) -> bool {
        sessions > 0 && sessions < self.inner.wishes.least() && self.candidates.dialing() == 0
    }

    /// Whom to dial one more of with so many sessions: as many at a time as are missing. Whoever has none dials a few at
    /// least, for most of those that are remembered may be gone.
    fn wanted(&self, sessions: usize) -> Option<Among> {
        let wishes = &self.inner.wishes;
        let dialing = self.candidates.dialing();
        let missing = wishes.least().saturating_sub(sessions);
        if missing > 0 {
            let at_once = if sessions == 0 {
                missing.max(FEW)
            } else {
                missing
            };
            (dialing < at_once).then_some(Among::All)
        } else if wishes.is_keeping() && sessions + dialing < wishes.most() {
            Some(Among::Unmet)
        } else {
            None
        }
    }

    /// Tells those who wait where nobody is left to try.
    fn give_up(&self, now: Instant, ties: &Ties) {
        if let Some(callers) = self.callers
            && self.is_exhausted(now, ties)
        {
            let reports = self.searches.iter().map(|search| SearchReport {
                source: search.name(),
                found: search.found(),
                error: search.error().cloned(),
            });
            self.inner.wishes.give_up(callers, reports.collect());
        }
    }

    fn is_exhausted(&self, now: Instant, ties: &Ties) -> bool {
        let patience = self.inner.timeouts.search;
        !self.candidates.is_trying(ties)
            && self
                .searches
                .iter()
                .all(|search| search.is_exhausted(now, patience))
    }

    fn wake_at(&self, now: Instant, ties: &Ties, sessions: usize) -> Option<Instant> {
        let among = self.wanted(sessions);
        let has_room = self.candidates.dialing() < candidates::MAX_DIALS;
        let dial = among
            .filter(|_| has_room)
            .and_then(|among| self.candidates.poll_timeout(ties, among));
        let is_wanted = sessions < self.inner.wishes.least();
        let searches = self.searches.iter().filter(|_| is_wanted);
        let searches = searches.filter_map(Search::poll_timeout);
        let patience = self.inner.timeouts.search;
        let patience = self
            .searches
            .iter()
            .filter(|_| self.callers.is_some())
            .filter_map(|search| search.exhausted_at(patience))
            .filter(|at| now < *at);
        let ask = self.is_stuck(sessions).then(|| now + contacts::ASK_AGAIN);
        let anew = self.anew_at().filter(|at| now < *at);
        let next = searches
            .chain(patience)
            .chain(dial)
            .chain(ask)
            .chain(anew)
            .min();
        next.map(|at| at.max(now + LEAST_PAUSE))
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let now = rt::now();
        let mut is_new = self.inner.wishes.poll_news(cx).is_ready();
        while let Poll::Ready(Some((whom, result))) = self.dials.poll_next_unpin(cx) {
            self.on_dialed(now, &whom, result);
            is_new = true;
        }
        is_new |= self.poll_found(cx, now);
        if let Some(timer) = &mut self.timer {
            is_new |= timer.poll_unpin(cx).is_ready();
        }
        if is_new {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    fn poll_found(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let mut is_new = false;
        for index in 0..self.searches.len() {
            let was_searching = self.searches[index].poll_timeout().is_none();
            for _ in 0..TURN {
                let Poll::Ready(found) = self.searches[index].poll_found(cx, now) else {
                    break;
                };
                self.on_found(now, found);
                is_new = true;
            }
            // One that has just ended matters to those who wait.
            is_new |= was_searching && self.searches[index].poll_timeout().is_some();
        }
        is_new
    }

    fn on_found(&mut self, now: Instant, found: FoundPeer) {
        self.candidates.handle_found(now, &found);
        self.tell(found);
    }

    /// Lets others know of somebody that was found.
    fn tell(&mut self, found: FoundPeer) {
        let Some(peer) = found.peer.filter(|peer| *peer != self.inner.id) else {
            return;
        };
        self.inner.on_heard(peer, &found.addrs);
        let source = found.source;
        let event = Event::Discovered { peer, source };
        if self.told.get(&(peer, source)).is_none() && self.inner.hub.notify_discovered(event) {
            self.told.insert((peer, source), ());
        }
    }

    fn on_dialed(&mut self, now: Instant, whom: &Whom, result: Result<Session, ConnectError>) {
        let dialed = match result {
            Ok(session) => Dialed::Connected(session.peer()),
            Err(ConnectError::Oneself) => Dialed::Oneself,
            Err(ConnectError::Failed { attempts, .. }) => {
                let full = attempts.iter().find_map(Attempt::met_a_limit);
                self.inner.wishes.on_failed(attempts);
                full.map_or(Dialed::Failed, Dialed::Full)
            }
            Err(_) => Dialed::Failed,
        };
        self.candidates.handle_dialed(now, whom, dialed);
    }
}

fn dial(inner: Arc<Inner>, whom: Whom, addrs: Vec<crust_core::Addr>) -> Dial {
    let target = match &whom {
        Whom::Peer(peer) => Target::Peer(*peer),
        Whom::Addr(addr) => Target::Addr(addr.clone()),
    };
    if let Whom::Peer(peer) = &whom {
        inner.on_heard(*peer, &addrs);
    }
    async move {
        let result = connect(&inner, target, false).await;
        (whom, result)
    }
    .boxed()
}

impl From<&DisconnectReason> for Ended {
    fn from(reason: &DisconnectReason) -> Self {
        match reason {
            DisconnectReason::Blocked
            | DisconnectReason::Closed
            | DisconnectReason::ClosedByPeer { .. } => Self::Unwanted,
            DisconnectReason::Limit => Self::Full,
            _ => Self::Lost,
        }
    }
}

/// How often everything may begin anew, whatever the application asks and however sessions come and go.
const ANEW_EVERY: Duration = Duration::from_secs(1);
/// Dials at a time of a node that has no session, though fewer are wanted.
const FEW: usize = 4;
/// Finds taken from one search before the next has its turn.
const TURN: usize = 64;
/// Peers of which it is known that the application heard of them.
const MAX_TOLD: usize = 4_096;
/// However much is overdue, other tasks have their turn.
const LEAST_PAUSE: Duration = Duration::from_millis(5);
