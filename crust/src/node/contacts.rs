//! Contacts on request: whoever has nobody left to dial asks those it is connected to.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use crust_core::{
    Addr, ControlChannel, ControlEvent, ControlEvents, PeerId, PeerRecord, SignedRecord, rt,
};
use crust_crypto::Identity;
use futures::StreamExt;

use crate::{
    control::Channel,
    node::{control_line::ControlLine, inner::Inner, tasks::Running},
    recent::Recent,
    sync::lock,
    wire::contacts::{ContactsMessage, MAX_CONTACTS},
};

/// What the node asks of its peers and gives to them.
#[derive(Debug)]
pub(crate) struct Exchange {
    accounts: Mutex<Recent<PeerId, Account>>,
    handout: Mutex<Option<Handout>>,
    /// The message with this node's own record, once it was announced.
    own: Mutex<Option<Bytes>>,
}

/// What was asked and given between this node and a peer.
#[derive(Debug, Clone, Default)]
struct Account {
    asked: Turns,
    /// Its answer is still to come.
    is_awaited: bool,
    answered: Turns,
    introduced_at: Option<Instant>,
    /// Where it is, as it says; checked.
    record: Option<SignedRecord>,
}

/// What is done again and again, each time after twice the pause.
#[derive(Debug, Clone, Copy, Default)]
struct Turns {
    last: Option<Instant>,
    count: u32,
}

impl Turns {
    /// Whether it may be done at `now`, where the first pause is `pause` and it doubles `doublings` times; it is then held to
    /// be done.
    fn take(&mut self, now: Instant, pause: Duration, doublings: u32) -> bool {
        let pause = pause * (1 << self.count.saturating_sub(1).min(doublings));
        let is_due = is_past(self.last, now, pause);
        if is_due {
            self.last = Some(now);
            self.count = self.count.saturating_add(1);
        }
        is_due
    }
}

#[derive(Debug)]
struct Handout {
    message: Bytes,
    made_at: Instant,
    /// It has as many as there may be.
    is_full: bool,
}

impl Handout {
    fn is_fresh(&self, now: Instant) -> bool {
        let lasts = if self.is_full { FULL_LASTS } else { LASTS };
        now.saturating_duration_since(self.made_at) < lasts
    }
}

impl Exchange {
    pub(crate) fn new() -> Self {
        Self {
            accounts: Mutex::new(Recent::new(MAX_ACCOUNTS)),
            handout: Mutex::default(),
            own: Mutex::default(),
        }
    }

    /// The message that gives contacts, made of `records` where the one before is old.
    pub(crate) fn handout(
        &self,
        now: Instant,
        records: impl FnOnce() -> Vec<SignedRecord>,
    ) -> Bytes {
        let mut handout = lock(&self.handout);
        match &*handout {
            Some(made) if made.is_fresh(now) => made.message.clone(),
            _ => {
                let records = records();
                let is_full = records.len() >= MAX_CONTACTS;
                let message = Bytes::from(ContactsMessage::Contacts(records).encode());
                *handout = Some(Handout {
                    message: message.clone(),
                    made_at: now,
                    is_full,
                });
                message
            }
        }
    }

    /// Whether `peer` is to be asked at `now`; it is then held to have been.
    fn ask(&self, now: Instant, peer: PeerId) -> bool {
        self.with(peer, |account| {
            let is_due = account.asked.take(now, ASK_AGAIN, ASK_DOUBLINGS);
            account.is_awaited |= is_due;
            is_due
        })
    }

    /// Whether a request of `peer` at `now` is answered.
    fn on_request(&self, now: Instant, peer: PeerId) -> bool {
        self.with(peer, |account| {
            account.answered.take(now, ANSWER_AGAIN, ANSWER_DOUBLINGS)
        })
    }

    /// Whether `peer` may say who it is at `now`.
    fn on_introduced(&self, now: Instant, peer: PeerId) -> bool {
        self.with(peer, |account| {
            let is_due = is_past(account.introduced_at, now, INTRODUCED_EVERY);
            if is_due {
                account.introduced_at = Some(now);
            }
            is_due
        })
    }

    /// A session with `peer` begins: it may be asked at once.
    fn on_up(&self, peer: PeerId) {
        self.with(peer, |account| account.asked = Turns::default());
    }

    /// Remembers where `peer` is, by its own word.
    fn on_record(&self, peer: PeerId, record: SignedRecord) {
        self.with(peer, |account| account.record = Some(record));
    }

    /// What `peer` said of itself last.
    fn record(&self, peer: &PeerId) -> Option<SignedRecord> {
        lock(&self.accounts).get(peer)?.record.clone()
    }

    /// Whether contacts of `peer` were asked for.
    fn on_contacts(&self, peer: PeerId) -> bool {
        self.with(peer, |account| std::mem::take(&mut account.is_awaited))
    }

    fn with<T>(&self, peer: PeerId, change: impl FnOnce(&mut Account) -> T) -> T {
        let mut accounts = lock(&self.accounts);
        let mut account = accounts.get(&peer).cloned().unwrap_or_default();
        let result = change(&mut account);
        accounts.insert(peer, account);
        result
    }
}

fn is_past(last: Option<Instant>, now: Instant, pause: Duration) -> bool {
    last.is_none_or(|last| now.saturating_duration_since(last) >= pause)
}

/// Where this node is now is told to those it is connected to, signed, so that they can hand it on.
pub(crate) fn introduce(inner: &Arc<Inner>, signer: &Identity, addrs: &[Addr]) {
    let now_ms = u64::try_from(rt::unix_time().as_millis()).unwrap_or(u64::MAX);
    let record = PeerRecord {
        peer: inner.id,
        addrs: addrs.to_vec(),
        seq: now_ms,
        expires: now_ms.saturating_add(RECORD_LASTS_MS),
    };
    match record.sign(signer) {
        Ok(signed) => {
            let message = Bytes::from(ContactsMessage::Own(signed).encode());
            *lock(&inner.exchange.own) = Some(message.clone());
            let line = ControlLine::new(Arc::downgrade(inner), Channel::Contacts);
            for peer in line.peers() {
                send(&line, peer, message.clone());
            }
        }
        Err(error) => tracing::warn!(%error, "no record of this node"),
    }
}

/// Whom to tell others of: those who are connected now, and then those who are known otherwise.
pub(crate) fn known(inner: &Inner) -> Vec<SignedRecord> {
    let sessions = inner.registry.sessions();
    let introduced = sessions.iter().map(|session| session.peer);
    let introduced = introduced.filter_map(|peer| inner.exchange.record(&peer));
    let mut known: Vec<_> = introduced.take(MAX_CONTACTS).collect();
    let missing = MAX_CONTACTS - known.len();
    if missing > 0 {
        let others = inner.finders.contacts(MAX_CONTACTS);
        let others = others.into_iter().filter(|other| !known.contains(other));
        let others: Vec<_> = others.take(missing).collect();
        known.extend(others);
    }
    known
}

/// Asks those of `peers` that were not asked lately.
pub(crate) fn ask(inner: &Arc<Inner>, now: Instant, peers: impl IntoIterator<Item = PeerId>) {
    let line = ControlLine::new(Arc::downgrade(inner), Channel::Contacts);
    for peer in peers {
        if inner.exchange.ask(now, peer) {
            send(&line, peer, ContactsMessage::Request.encode().into());
        }
    }
}

/// Answers those who ask, and hears those who were asked, until the node is shut down.
pub(crate) async fn serve(inner: Arc<Inner>, mut events: ControlEvents, _running: Running) {
    let line = ControlLine::new(Arc::downgrade(&inner), Channel::Contacts);
    while let Some(event) = events.next().await {
        let (peer, message) = match event {
            ControlEvent::Message { peer, message } => (peer, message),
            ControlEvent::Up { peer } => {
                inner.exchange.on_up(peer);
                let own = lock(&inner.exchange.own).clone();
                own.into_iter().for_each(|own| send(&line, peer, own));
                continue;
            }
            _ => continue,
        };
        match ContactsMessage::decode(&message) {
            Ok(ContactsMessage::Request) => {
                let now = rt::now();
                if inner.exchange.on_request(now, peer) {
                    send(&line, peer, inner.exchange.handout(now, || known(&inner)));
                } else {
                    tracing::debug!(%peer, "asked for contacts again too soon, not answered");
                }
            }
            Ok(ContactsMessage::Contacts(records)) => {
                if inner.exchange.on_contacts(peer) {
                    inner.on_contacts(peer, &records);
                } else {
                    tracing::debug!(%peer, "contacts that nobody asked for, ignored");
                }
            }
            Ok(ContactsMessage::Own(record)) => {
                if inner.exchange.on_introduced(rt::now(), peer) && inner.on_record(peer, &record) {
                    inner.exchange.on_record(peer, record);
                }
            }
            Err(error) => line.report(&peer, &error),
        }
    }
}

fn send(line: &ControlLine, peer: PeerId, message: Bytes) {
    if let Err(error) = line.try_send(&peer, message) {
        tracing::debug!(%peer, %error, "contacts not sent");
    }
}

/// A peer is asked again after that, and then after twice as long each time.
pub(crate) const ASK_AGAIN: Duration = Duration::from_millis(1_250);
/// It ends at 80 s.
const ASK_DOUBLINGS: u32 = 6;
/// Requests of one peer that come sooner after the last are not answered, nor is the next after twice as long: an answer
/// has up to 16,000 bytes.
const ANSWER_AGAIN: Duration = Duration::from_secs(1);
/// It ends at 16 s.
const ANSWER_DOUBLINGS: u32 = 4;
/// Contacts are drawn anew after that: those who come together are told the same. Where few are known, it may soon be
/// more.
const LASTS: Duration = Duration::from_millis(100);
const FULL_LASTS: Duration = Duration::from_secs(5);
/// A peer's own record is taken as often as that: it is made anew where the peer's addresses change.
const INTRODUCED_EVERY: Duration = Duration::from_secs(1);
/// Who was not met again for a day has most likely another address.
pub(crate) const RECORD_LASTS: Duration = Duration::from_millis(RECORD_LASTS_MS);
const RECORD_LASTS_MS: u64 = 24 * 3_600_000;
/// Peers of which it is known what was asked and given; more than a node has sessions, as a rule.
const MAX_ACCOUNTS: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: PeerId = PeerId::from_bytes([1; 32]);

    #[test]
    fn peer_is_asked_less_and_less_and_heard_once_each_time() {
        let exchange = Exchange::new();
        let now = rt::now();
        assert!(!exchange.on_contacts(PEER), "nobody asked");
        assert!(exchange.ask(now, PEER));
        assert!(!exchange.ask(now + ASK_AGAIN / 2, PEER));
        assert!(exchange.on_contacts(PEER));
        assert!(!exchange.on_contacts(PEER), "once is enough");
        let asked = (0..1_000).filter(|i| exchange.ask(now + ASK_AGAIN * *i, PEER));
        assert_eq!(asked.count(), 6 + (1_000 - 63) / 64);
        assert!(exchange.on_contacts(PEER));
    }

    #[test]
    fn peer_that_asks_all_the_time_is_answered_now_and_then() {
        let exchange = Exchange::new();
        let now = rt::now();
        let seconds = |i: u32| now + Duration::from_millis(100) * i;
        let answered = (0..1_000).filter(|i| exchange.on_request(seconds(*i), PEER));
        assert_eq!(answered.count(), 10);
    }

    #[test]
    fn whoever_asks_as_we_do_is_answered_each_time() {
        let exchange = Exchange::new();
        let now = rt::now();
        for tick in 0..10_000 {
            let at = now + Duration::from_millis(50) * tick;
            if exchange.ask(at, PEER) {
                assert!(exchange.on_request(at, PEER), "{tick}");
            }
        }
    }

    #[test]
    fn contacts_are_drawn_now_and_then_however_many_ask() {
        let exchange = Exchange::new();
        let now = rt::now();
        let mut drawn = 0;
        for passed in [Duration::ZERO, LASTS / 2, LASTS, LASTS * 3 / 2] {
            exchange.handout(now + passed, || {
                drawn += 1;
                Vec::new()
            });
        }
        assert_eq!(drawn, 2);
    }
}
