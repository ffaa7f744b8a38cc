//! Gossip over a control channel: the task, and the discovery that it is to a node.

use std::{
    fmt, io,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
    time::Instant,
};

use bytes::Bytes;
use crust_core::Notify;
use crust_core::{
    Addr, Announcement, ControlChannel, ControlError, ControlEvent, ControlEvents, DialOutcome,
    Discovery, DiscoveryError, FoundPeers, PeerId, PeerRecord, RecordError, SignedRecord, Signer,
    Verifier, async_trait, rt,
};
use futures::{
    StreamExt,
    future::{Either, select},
};
use ring::rand::{SecureRandom, SystemRandom};
use tracing::{Instrument, debug, debug_span, trace};

use super::{
    candidate::read_again,
    exchange::{Input, Known, Output},
    machine::Machine,
    moment::Moment,
    search::{Search, Searches, Source},
    stats::Stats,
};

/// Gossip of signed records with the peers that a node has sessions with.
///
/// It runs from [`start`](Self::start) until it is dropped. What the node announces, it signs, renews before it
/// expires, and tells; what it hears, it checks, and hands on. A search finds all it knows.
pub struct Gossip {
    shared: Arc<Shared>,
    _task: rt::Task<()>,
}

impl Gossip {
    /// Starts to gossip over `control`, of which `events` tell. `signer` is the node's own key.
    ///
    /// # Panics
    ///
    /// Where the system has no random bytes, as `std`'s hash maps do.
    pub fn start<C, S, V>(control: C, events: ControlEvents, signer: S, verifier: V) -> Self
    where
        C: ControlChannel,
        S: Signer + 'static,
        V: Verifier + 'static,
    {
        let shared = Shared::new(Arc::new(control), Arc::new(signer), Arc::new(verifier));
        let shared = Arc::new(shared);
        let run = run(shared.clone(), events).instrument(debug_span!("gossip"));
        Self {
            shared,
            _task: rt::spawn(run),
        }
    }

    /// All records of other nodes that are known, the longest known first.
    pub fn known(&self) -> Vec<Known> {
        let mut all: Vec<Known> = Vec::new();
        let state = self.shared.lock();
        let at = Moment::current();
        while let Some(known) = state
            .machine
            .next_after(all.last().map_or(0, |last| last.version), at)
        {
            all.push(known);
        }
        all
    }

    /// This node's own record, as announced last: to be handed on elsewhere too.
    pub fn local_record(&self) -> Option<SignedRecord> {
        self.shared.lock().machine.local_record()
    }

    /// Announces a record that was signed elsewhere, in place of [`announce`](Discovery::announce).
    ///
    /// It is renewed, with the same addresses, before it expires.
    ///
    /// # Errors
    ///
    /// [`RecordError`] where others would refuse it; what was announced before still holds.
    pub fn set_local(&self, record: SignedRecord) -> Result<(), RecordError> {
        self.shared.act(|machine, at| machine.set_local(record, at))
    }

    /// Holds `peer` to be dead: drops its record, and takes none from others until it makes a new one.
    ///
    /// False where it is not known, or there is a session with it. [`report`](Discovery::report) does this by itself
    /// when dials to all its addresses have failed twice.
    pub fn forget(&self, peer: &PeerId) -> bool {
        self.shared.act(|machine, _| machine.forget(peer))
    }

    /// What was done so far, in numbers.
    pub fn stats(&self) -> Stats {
        let state = self.shared.lock();
        Stats {
            searches: state.searches.len(),
            ..state.machine.stats()
        }
    }
}

#[async_trait]
impl Discovery for Gossip {
    fn name(&self) -> &'static str {
        NAME
    }

    /// An empty announcement tells others that this node can be dialed nowhere.
    async fn announce(&self, announcement: &Announcement) -> Result<(), DiscoveryError> {
        let signed = self.shared.sign(announcement.peer, &announcement.addrs);
        let result = signed.and_then(|signed| self.set_local(signed));
        result.map_err(|error| refused(error, announcement))
    }

    fn discover(&self) -> FoundPeers {
        Search::new(self.shared.clone(), NAME).boxed()
    }

    fn report(&self, addr: &Addr, outcome: &DialOutcome) {
        self.shared.act(|machine, _| match outcome {
            DialOutcome::Connected { peer, .. } => machine.on_dialed(peer),
            DialOutcome::Failed { peer: Some(peer) } => {
                let forgotten = machine.on_dial_failed(peer, addr);
                trace!(%peer, %addr, forgotten, "dial failed");
            }
            _ => {}
        });
    }
}

impl fmt::Debug for Gossip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Gossip").field(&self.stats()).finish()
    }
}

impl Drop for Gossip {
    fn drop(&mut self) {
        self.shared.close();
    }
}

/// What the task, the searches and the program share. No call waits while it holds the lock.
struct Shared {
    state: Mutex<State>,
    control: Arc<dyn ControlChannel>,
    signer: Arc<dyn Signer>,
    /// For the task: its next timeout may be another.
    news: Notify,
}

struct State {
    machine: Machine,
    searches: Searches,
}

impl Shared {
    fn new(
        control: Arc<dyn ControlChannel>,
        signer: Arc<dyn Signer>,
        verifier: Arc<dyn Verifier>,
    ) -> Self {
        let mut seed = [0; 32];
        let filled = SystemRandom::new().fill(&mut seed);
        filled.expect("the system gives random bytes");
        let local = signer.peer_id();
        Self {
            state: Mutex::new(State {
                machine: Machine::new(local, verifier, seed, Moment::current()),
                searches: Searches::default(),
            }),
            control,
            signer,
            news: Notify::default(),
        }
    }

    /// Calls `change` on the machine and does what that wants done.
    fn act<T>(&self, change: impl FnOnce(&mut Machine, Moment) -> T) -> T {
        let (result, outputs, wakers) = {
            let mut state = self.lock();
            let result = change(&mut state.machine, Moment::current());
            let outputs: Vec<_> = std::iter::from_fn(|| state.machine.poll_output()).collect();
            let learned = outputs
                .iter()
                .any(|output| matches!(output, Output::Learned));
            let wakers = if learned {
                state.searches.take_wakers()
            } else {
                Vec::new()
            };
            (result, outputs, wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
        outputs.into_iter().for_each(|output| self.output(output));
        self.news.notify();
        result
    }

    fn output(&self, output: Output) {
        match output {
            Output::Breach { peer, breach } => {
                debug!(%peer, error = %breach, "peer broke the rules");
                self.control.report(&peer, &breach);
            }
            Output::Learned => {}
            Output::Renew => self.renew(),
            Output::Send { peer, message } => self.send(&peer, message),
        }
    }

    fn send(&self, peer: &PeerId, message: Bytes) {
        let bytes = message.len();
        match self.control.try_send(peer, message) {
            Ok(()) => trace!(%peer, bytes, "sent"),
            Err(error @ ControlError::Full { .. }) => {
                trace!(%peer, %error, "not sent");
                self.act(|machine, at| machine.handle_input(at, Input::Unsent(*peer)));
            }
            // Its end is on its way as an event.
            Err(error) => debug!(%peer, %error, "not sent"),
        }
    }

    /// Signs this node's record anew, with the same addresses.
    fn renew(&self) {
        let local = self.lock().machine.local_record();
        let Some(record) = local.map(|signed| read_again(&signed)) else {
            return;
        };
        let signed = self.sign(record.peer, &record.addrs);
        let result =
            signed.and_then(|signed| self.act(|machine, at| machine.set_local(signed, at)));
        if let Err(error) = result {
            debug!(%error, "own record not renewed");
        }
    }

    fn sign(&self, peer: PeerId, addrs: &[Addr]) -> Result<SignedRecord, RecordError> {
        let at = Moment::current();
        let (seq, lifetime) = {
            let state = self.lock();
            (state.machine.next_seq(at), state.machine.lifetime())
        };
        let lifetime_ms = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
        let record = PeerRecord {
            peer,
            addrs: addrs.to_vec(),
            seq,
            expires: at.unix_ms.saturating_add(lifetime_ms),
        };
        record.sign(&*self.signer)
    }

    fn on_event(&self, event: ControlEvent) {
        self.act(|machine, at| match event {
            ControlEvent::Down { peer } => machine.handle_input(at, Input::Down(peer)),
            ControlEvent::Message { peer, message } => {
                let bytes = &message;
                machine.handle_input(at, Input::Message { peer, bytes });
            }
            ControlEvent::Up { peer } => machine.handle_input(at, Input::Up(peer)),
            _ => {}
        });
    }

    fn poll_timeout(&self) -> Instant {
        self.lock().machine.poll_timeout()
    }

    /// Ends all searches.
    fn close(&self) {
        let wakers = {
            let mut state = self.lock();
            state.searches.close();
            state.searches.take_wakers()
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// The machine asserts its invariants only; what a panic left is whole, or its own to find.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source for Shared {
    fn next_after(&self, floor: u64) -> Option<Known> {
        self.lock().machine.next_after(floor, Moment::current())
    }

    fn with_searches(&self, change: &mut dyn FnMut(&mut Searches)) {
        change(&mut self.lock().searches);
    }
}

/// Hands on events and timeouts until there are no more events.
async fn run(shared: Arc<Shared>, mut events: ControlEvents) {
    loop {
        let wait = shared.poll_timeout().saturating_duration_since(rt::now());
        let news = pin!(shared.news.notified());
        let next = rt::timeout(wait, select(events.next(), news)).await;
        match next {
            Ok(Either::Left((Some(event), _))) => shared.on_event(event),
            Ok(Either::Left((None, _))) => break,
            Ok(Either::Right(_)) => continue,
            Err(_) => {}
        }
        shared.act(|machine, at| machine.handle_timeout(at));
        // Peers that send without a pause are not alone on this thread.
        rt::yield_now().await;
    }
    shared.close();
}

fn refused(error: RecordError, announcement: &Announcement) -> DiscoveryError {
    match error {
        RecordError::Codec(_) => DiscoveryError::AnnouncementTooLong {
            name: NAME,
            limit: SignedRecord::MAX_LEN,
            len: announcement
                .addrs
                .iter()
                .map(|addr| addr.as_str().len())
                .sum(),
        },
        error => DiscoveryError::Io {
            name: NAME,
            source: io::Error::new(io::ErrorKind::InvalidInput, error),
        },
    }
}

const NAME: &str = "gossip";
