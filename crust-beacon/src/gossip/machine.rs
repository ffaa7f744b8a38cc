//! Gossip without I/O: it is told what peers say, and says what to tell them.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use crust_core::{Addr, PeerId, RecordError, SignedRecord, Verifier};

use super::{
    breach::Breach,
    candidate::{Candidate, MAX_LIFETIME, PATIENCES, read_again},
    dice::Dice,
    digest::Digest,
    exchange::{Input, Known, Output},
    gate::{Gate, Refusal},
    ignored::Ignored,
    moment::Moment,
    renewal::Renewal,
    session::Session,
    stats::Stats,
    table::Table,
    wire::{Message, Told},
};

/// Gossip without I/O.
///
/// After each `handle_*` and `set_*`, drain [`poll_output`](Self::poll_output), then wait for input, or until
/// [`poll_timeout`](Self::poll_timeout). Early and repeated timeouts are harmless.
#[derive(Debug)]
pub struct Machine {
    table: Table,
    sessions: BTreeMap<PeerId, Session>,
    gate: Gate,
    renewal: Renewal,
    dice: Dice,
    round_at: Instant,
    outputs: VecDeque<Output>,
    stats: Stats,
}

impl Machine {
    /// Gossip of the node `local`, which knows nobody yet.
    ///
    /// `seed` should be random and is to be kept secret: peers that could foresee what is drawn from it could hide
    /// records from a digest.
    pub fn new(local: PeerId, verifier: Arc<dyn Verifier>, seed: [u8; 32], at: Moment) -> Self {
        let mut dice = Dice::new(seed);
        let round_at = at.now + dice.about(ROUND);
        Self {
            table: Table::new(local),
            sessions: BTreeMap::new(),
            gate: Gate::new(verifier, at.now),
            renewal: Renewal::default(),
            dice,
            round_at,
            outputs: VecDeque::new(),
            stats: Stats::default(),
        }
    }

    /// Announces this node's own record, in place of the one before. It goes out before all others.
    ///
    /// # Errors
    ///
    /// [`RecordError`] where others would refuse it; the one before it stays.
    pub fn set_local(&mut self, signed: SignedRecord, at: Moment) -> Result<(), RecordError> {
        let own = self.gate.check_own(signed, at)?;
        let lifetime = Duration::from_millis(own.record.expires.saturating_sub(at.unix_ms));
        let is_withdrawn = own.record.addrs.is_empty();
        let renew_in = self.dice.about(lifetime / RENEWALS);
        let renew_at = (!is_withdrawn).then_some(at.now + renew_in.min(MAX_LIFETIME));
        self.renewal.on_signed(own.record.seq, renew_at);
        self.table.set_local(own);
        for (peer, session) in &mut self.sessions {
            if let Some(message) = session.announce(&mut self.table, at) {
                self.stats.sent_bytes += message.len() as u64;
                let peer = *peer;
                self.outputs.push_back(Output::Send { peer, message });
            }
        }
        Ok(())
    }

    /// Takes what happened.
    pub fn handle_input(&mut self, at: Moment, input: Input<'_>) {
        match input {
            Input::Down(peer) => self.on_down(&peer),
            Input::Message { peer, bytes } => self.on_message(peer, bytes, at),
            Input::Unsent(peer) => self.on_unsent(&peer, at.now),
            Input::Up(peer) => self.on_up(peer, at),
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, at: Moment) {
        if self.renewal.take_due(at.now) {
            self.outputs.push_back(Output::Renew);
        }
        if self.round_at <= at.now {
            self.round_at = at.now + self.dice.about(ROUND);
            self.table.purge(at.unix_ms);
            self.table.drop_silent(at.now);
            self.send_digests(at.now);
        }
        for (peer, session) in &mut self.sessions {
            if let Some(message) = session.flush(&mut self.table, at) {
                self.stats.sent_bytes += message.len() as u64;
                let peer = *peer;
                self.outputs.push_back(Output::Send { peer, message });
            }
        }
    }

    /// Holds `peer` to be dead: its record is dropped, and none taken that is as old. False where there is none, or a
    /// session with it.
    pub fn forget(&mut self, peer: &PeerId) -> bool {
        self.table.forget(peer)
    }

    /// Learns that a dial to `peer` at `addr` failed. It is forgotten when all its addresses have, twice: true.
    pub fn on_dial_failed(&mut self, peer: &PeerId, addr: &Addr) -> bool {
        self.table.on_failed(peer, addr)
    }

    /// Learns that a dial to `peer` succeeded.
    pub fn on_dialed(&mut self, peer: &PeerId) {
        self.table.on_reached(peer);
    }

    /// What is to be done next, until there is no more.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn poll_timeout(&self) -> Instant {
        let sessions = self.sessions.values().filter_map(Session::poll_timeout);
        let others = self.renewal.poll_timeout().into_iter();
        sessions.chain(others).fold(self.round_at, Instant::min)
    }

    /// The first record of another node that came after version `floor`; 0 for the first of all.
    pub fn next_after(&self, floor: u64, at: Moment) -> Option<Known> {
        let entry = self.table.next_after(floor, at)?;
        let signed = entry.signed().clone();
        Some(Known {
            record: read_again(&signed),
            signed,
            source: entry.source(),
            version: entry.version(),
        })
    }

    /// Whether there is a record of `peer`.
    pub fn knows(&self, peer: &PeerId, at: Moment) -> bool {
        self.table.of(peer, at.unix_ms).is_some()
    }

    /// This node's own record, as set last.
    pub fn local_record(&self) -> Option<SignedRecord> {
        self.table.local().map(|entry| entry.signed().clone())
    }

    /// The number that this node's next record is to have: now, and more than any before.
    pub fn next_seq(&self, at: Moment) -> u64 {
        self.renewal.next_seq(at.unix_ms)
    }

    /// How long this node's record should hold: 15 minutes in a network of a hundred, 25 hours in one of ten thousand.
    ///
    /// It is renewed sixty times in it, and its peer held to be dead when three of those are missing; but clocks differ,
    /// and a record must hold under each of them.
    pub fn lifetime(&self) -> Duration {
        let patience = self.renew_every() * MISSED;
        patience.saturating_mul(PATIENCES).min(MAX_LIFETIME)
    }

    /// Between two records of this node: longer in a large network, so that renewing takes a share of the bandwidth
    /// only.
    fn renew_every(&self) -> Duration {
        let records = u32::try_from(self.table.len()).unwrap_or(u32::MAX);
        RENEW_PER_RECORD.saturating_mul(records).max(LEAST_RENEW)
    }

    /// What was done so far, in numbers.
    pub fn stats(&self) -> Stats {
        Stats {
            records: self.table.len(),
            sessions: self.sessions.len(),
            checked: self.gate.checked(),
            ..self.stats.clone()
        }
    }

    fn on_up(&mut self, peer: PeerId, at: Moment) {
        let Some(slot) = self.table.join(peer) else {
            self.stats.on_ignored(Ignored::TooManySessions);
            return;
        };
        let mut session = Session::new(slot, at.now);
        let greeting = session.announce(&mut self.table, at);
        let digest = session.digest(&self.table, self.dice.draw(), at.now);
        self.sessions.insert(peer, session);
        for message in greeting.into_iter().chain(digest) {
            self.send(peer, message);
        }
    }

    fn on_down(&mut self, peer: &PeerId) {
        self.sessions.remove(peer);
        self.table.leave(peer);
    }

    fn on_unsent(&mut self, peer: &PeerId, now: Instant) {
        self.stats.unsent += 1;
        if let Some(session) = self.sessions.get_mut(peer) {
            session.on_unsent(&mut self.table, now);
        }
    }

    fn on_message(&mut self, peer: PeerId, bytes: &[u8], at: Moment) {
        self.stats.received_bytes += bytes.len() as u64;
        let Some(session) = self.sessions.get_mut(&peer) else {
            self.stats.on_ignored(Ignored::TooManySessions);
            return;
        };
        if let Err(ignored) = session.admit(bytes.len(), at.now) {
            self.stats.on_ignored(ignored);
            return;
        }
        match Message::decode(bytes) {
            Ok(Some(Message::Digest(digest))) => self.on_digest(peer, &digest, at.now),
            Ok(Some(Message::Records(records))) => self.on_records(peer, records, at),
            Ok(None) => self.stats.on_ignored(Ignored::LaterVersion),
            Err(source) => self.on_breach(peer, Breach::Message { peer, source }),
        }
    }

    fn on_digest(&mut self, peer: PeerId, digest: &Digest, now: Instant) {
        let start = self.dice.peer();
        let Some(session) = self.sessions.get_mut(&peer) else {
            return;
        };
        if let Err(ignored) = session.on_digest(digest, start, &mut self.table, now) {
            self.stats.on_ignored(ignored);
        }
    }

    fn on_records(&mut self, peer: PeerId, records: Vec<Told>, at: Moment) {
        let mut learned = false;
        for record in records {
            match self.on_record(peer, record, at) {
                Ok(()) => learned = true,
                Err(Refusal::Ignored(ignored)) => self.stats.on_ignored(ignored),
                Err(Refusal::Breach(source)) => {
                    self.on_breach(peer, Breach::Record { peer, source });
                    break;
                }
            }
        }
        if learned {
            self.outputs.push_back(Output::Learned);
            self.on_news(at.now);
        }
    }

    /// Cheap checks first; a signature is checked only of what would be taken.
    fn on_record(&mut self, peer: PeerId, told: Told, at: Moment) -> Result<(), Refusal> {
        let candidate = self.gate.read(told, at)?;
        match self.table.check(&candidate.record, &peer) {
            Ok(()) => {}
            Err(Ignored::Own) => return self.on_own(&candidate, at),
            Err(ignored) => {
                self.on_told(&peer, &candidate, at.now);
                return Err(Refusal::Ignored(ignored));
            }
        }
        self.gate.check(&candidate, at)?;
        self.table
            .insert(candidate, &peer)
            .map_err(Refusal::Ignored)
    }

    /// Never taken from others. If it is newer than ours, this node signed it before a restart, and must outrank it.
    fn on_own(&mut self, candidate: &Candidate, at: Moment) -> Result<(), Refusal> {
        if candidate.record.seq > self.renewal.last_seq() {
            self.gate.check(candidate, at)?;
            self.renewal.on_outranked(candidate.record.seq, at.now);
        }
        Err(Refusal::Ignored(Ignored::Own))
    }

    fn on_told(&mut self, peer: &PeerId, candidate: &Candidate, now: Instant) {
        let Candidate {
            record, made_at, ..
        } = candidate;
        if self.table.on_told(record, *made_at, peer)
            && let Some(session) = self.sessions.get_mut(peer)
        {
            session.on_outdated(now);
        }
    }

    fn on_breach(&mut self, peer: PeerId, breach: Breach) {
        self.stats.breaches += 1;
        if let Some(session) = self.sessions.get_mut(&peer) {
            session.on_breach();
        }
        self.outputs.push_back(Output::Breach { peer, breach });
    }

    fn on_news(&mut self, now: Instant) {
        let sessions = self.sessions.values_mut();
        sessions.for_each(|session| session.on_news(now));
    }

    /// Asks a few random peers for what this node does not know.
    fn send_digests(&mut self, now: Instant) {
        let due = self
            .sessions
            .iter()
            .filter(|(_, session)| session.is_due(now));
        let mut due: Vec<_> = due.map(|(peer, _)| *peer).collect();
        for _ in 0..FANOUT.min(due.len()) {
            let peer = due.swap_remove(self.dice.below(due.len()));
            let salt = self.dice.draw();
            let Some(session) = self.sessions.get_mut(&peer) else {
                continue;
            };
            if let Some(message) = session.digest(&self.table, salt, now) {
                self.send(peer, message);
            }
        }
    }

    fn send(&mut self, peer: PeerId, message: Bytes) {
        self.stats.sent_bytes += message.len() as u64;
        self.outputs.push_back(Output::Send { peer, message });
    }
}

/// How often a few peers are asked for what they know, on average. News goes at once; this finds what was lost.
const ROUND: Duration = Duration::from_secs(5);

/// Peers that are asked in a round.
const FANOUT: usize = 3;

/// So many renewals may be lost before a peer is held to be dead.
const MISSED: u32 = 3;

/// Renewals in a lifetime.
const RENEWALS: u32 = MISSED * PATIENCES;

/// A peer that vanishes is known to be gone within 50 s in a network of a hundred, round and way included.
const LEAST_RENEW: Duration = Duration::from_secs(15);

/// From a hundred records on renewals become rarer, so that they take half of what a session may carry though all of them
/// pass through it, as in a chain: 150 bytes each.
const RENEW_PER_RECORD: Duration = Duration::from_millis(150);
