//! What the handle, the searches and the tasks of a beacon share.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
    time::Instant,
};

use crust_core::Notify;
use crust_core::{DatagramSealer, rt};
use tracing::{debug, trace};

use crate::{
    counters::Counters,
    machine::{Arrival, Machine},
    neighbours::{Neighbour, Neighbours},
    sockets::Sockets,
    voice::{Now, Transmit},
    wire::{MAX_DATAGRAM, Message, SIZES},
};

/// What the handle, the searches and the tasks of a beacon share.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    sealer: Arc<dyn DatagramSealer>,
    /// Tells the driver that a time-out or something else has changed.
    pub(crate) changed: Notify,
}

#[derive(Debug)]
struct State {
    machine: Machine,
    sockets: BTreeMap<u32, Arc<Sockets>>,
    last_search: u64,
    /// The searches that were polled, and whom to wake when there is news for them.
    searches: BTreeMap<u64, Option<Waker>>,
    is_closing: bool,
}

impl Shared {
    pub(crate) fn new(machine: Machine, sealer: Arc<dyn DatagramSealer>) -> Self {
        let state = State {
            machine,
            sockets: BTreeMap::new(),
            last_search: 0,
            searches: BTreeMap::new(),
            is_closing: false,
        };
        Self {
            state: Mutex::new(state),
            sealer,
            changed: Notify::default(),
        }
    }

    /// Calls the machine, sends what it says, and wakes whom it concerns.
    pub(crate) fn with(&self, call: impl FnOnce(&mut Machine, Now)) {
        self.with_state(|state| call(&mut state.machine, now()));
    }

    /// Takes a datagram that came in on `link`.
    pub(crate) fn receive(&self, link: u32, from: SocketAddr, datagram: &mut [u8]) {
        let has_size = SIZES.contains(&datagram.len());
        let stamp = has_size.then(|| self.sealer.stamp(datagram)).flatten();
        let Some(stamp) = stamp else {
            return self.count(|counters| counters.junk += 1);
        };
        let arrival = Arrival { link, from, stamp };
        if !self.lock().machine.admit(now(), arrival) {
            return;
        }
        let Some(plaintext) = self.sealer.open(datagram) else {
            return self.count(|counters| counters.junk += 1);
        };
        match Message::decode(plaintext) {
            Ok(message) => {
                trace!(%from, kind = ?message.kind, "datagram received");
                self.with(|machine, now| machine.handle_message(now, arrival, &message));
            }
            Err(error) => {
                debug!(%from, %error, "datagram not understood");
                self.count(|counters| counters.malformed += 1);
            }
        }
    }

    /// Counts datagrams that the machine never sees.
    pub(crate) fn count(&self, count: impl FnOnce(&mut Counters)) {
        count(self.lock().machine.counters_mut());
    }

    /// Replaces the sockets of all links.
    pub(crate) fn set_sockets(&self, sockets: BTreeMap<u32, Arc<Sockets>>) {
        let old = std::mem::replace(&mut self.lock().sockets, sockets);
        drop(old);
    }

    /// When the machine has something to do.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.lock().machine.poll_timeout()
    }

    pub(crate) fn close(&self) {
        self.lock().is_closing = true;
        self.changed.notify();
    }

    /// Ends all searches.
    pub(crate) fn end(&self) {
        let woken = self.lock().wakers();
        woken.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.lock().is_closing
    }

    pub(crate) fn counters(&self) -> Counters {
        self.lock().machine.counters()
    }

    pub(crate) fn neighbours(&self) -> Vec<Neighbour> {
        self.lock().machine.neighbours().list()
    }

    pub(crate) fn links(&self) -> usize {
        self.lock().sockets.len()
    }

    /// Searches that were polled and not dropped.
    pub(crate) fn searches(&self) -> usize {
        self.lock().searches.len()
    }

    /// Lets a search look for what it has not seen yet.
    ///
    /// The first call, with no `id`, begins the search. Where there is nothing, `waker` is kept.
    pub(crate) fn look<T>(
        &self,
        id: &mut Option<u64>,
        waker: &Waker,
        look: impl FnOnce(&Neighbours) -> Option<T>,
    ) -> Look<T> {
        let is_first = id.is_none();
        let (found, stale) = {
            let mut state = self.lock();
            if state.is_closing {
                return Look::Ended;
            }
            if is_first {
                state.last_search += 1;
            }
            let id = *id.get_or_insert(state.last_search);
            let found = look(state.machine.neighbours());
            let waker = found.is_none().then(|| waker.clone());
            (found, state.searches.insert(id, waker))
        };
        drop(stale);
        if is_first {
            self.settle_searches();
        }
        found.map_or(Look::Nothing, Look::Found)
    }

    /// Ends a search.
    pub(crate) fn end_search(&self, id: u64) {
        let waker = self.lock().searches.remove(&id);
        drop(waker);
        self.settle_searches();
    }

    /// Tells the machine whether anybody searches now; who began or ended a search last may come first.
    fn settle_searches(&self) {
        self.with_state(|state| {
            let is_searching = !state.searches.is_empty();
            state.machine.set_searching(now(), is_searching);
        });
    }

    fn with_state(&self, call: impl FnOnce(&mut State)) {
        let (woken, has_other_timeout) = {
            let mut state = self.lock();
            let before = state.marks();
            call(&mut state);
            state.transmit(&*self.sealer);
            let after = state.marks();
            let has_news = after.changes != before.changes;
            let woken = if has_news { state.wakers() } else { Vec::new() };
            (woken, after.timeout != before.timeout)
        };
        if has_other_timeout {
            self.changed.notify();
        }
        woken.into_iter().for_each(Waker::wake);
    }

    /// No holder of the lock panics, and what it guards is whole after each line.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a search sees.
pub(crate) enum Look<T> {
    Found(T),
    Nothing,
    /// The beacon is shut down.
    Ended,
}

#[derive(PartialEq, Eq)]
struct Marks {
    changes: u64,
    timeout: Option<Instant>,
}

impl State {
    fn marks(&self) -> Marks {
        Marks {
            changes: self.machine.neighbours().changes(),
            timeout: self.machine.poll_timeout(),
        }
    }

    fn wakers(&mut self) -> Vec<Waker> {
        self.searches
            .values_mut()
            .filter_map(Option::take)
            .collect()
    }

    /// Seals and sends what the machine says.
    fn transmit(&mut self, sealer: &dyn DatagramSealer) {
        let (mut plaintext, mut datagram) = (Vec::new(), Vec::new());
        while let Some(transmit) = self.machine.poll_transmit() {
            plaintext.clear();
            datagram.clear();
            let sizes = SIZES.map(|size| size.saturating_sub(sealer.overhead()));
            if let Err(error) = transmit.message.encode(&sizes, &mut plaintext) {
                debug!(%error, "message not sent");
                continue;
            }
            sealer.seal(&plaintext, &mut datagram);
            debug_assert!(datagram.len() <= MAX_DATAGRAM);
            self.send(&transmit, sealer.stamp(&datagram), &datagram);
        }
    }

    fn send(&mut self, transmit: &Transmit, stamp: Option<u64>, datagram: &[u8]) {
        let (machine, now, link) = (&mut self.machine, now(), transmit.link);
        let Some(sockets) = self.sockets.get(&link) else {
            return machine.handle_unsent(now, link);
        };
        sockets.send(&transmit.to, datagram, |result| match result {
            Ok(()) => {
                trace!(link, to = ?transmit.to, kind = ?transmit.message.kind, "datagram sent");
                machine.handle_sent(now, link, stamp);
            }
            Err(error) => {
                debug!(link, to = ?transmit.to, %error, "datagram not sent");
                machine.handle_unsent(now, link);
            }
        });
    }
}

fn now() -> Now {
    let unix_ms = u64::try_from(rt::unix_time().as_millis()).unwrap_or(u64::MAX);
    Now {
        at: rt::now(),
        unix_ms,
    }
}
