//! Contacts on request: whoever has nobody left to dial asks those it is connected to.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use crust_core::{ControlChannel, ControlEvent, ControlEvents, PeerId, SignedRecord, rt};
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
}

/// What was asked and given between this node and a peer.
#[derive(Debug, Clone, Copy, Default)]
struct Account {
    asked_at: Option<Instant>,
    /// Its answer is still to come.
    is_awaited: bool,
    answered_at: Option<Instant>,
}

#[derive(Debug)]
struct Handout {
    message: Bytes,
    made_at: Instant,
}

impl Exchange {
    pub(crate) fn new() -> Self {
        Self {
            accounts: Mutex::new(Recent::new(MAX_ACCOUNTS)),
            handout: Mutex::default(),
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
            Some(made) if now.saturating_duration_since(made.made_at) < FRESH => {
                made.message.clone()
            }
            _ => {
                let message = Bytes::from(ContactsMessage::Contacts(records()).encode());
                *handout = Some(Handout {
                    message: message.clone(),
                    made_at: now,
                });
                message
            }
        }
    }

    /// Whether `peer` is to be asked at `now`; it is then held to have been.
    fn ask(&self, now: Instant, peer: PeerId) -> bool {
        self.with(peer, |account| {
            let is_due = is_past(account.asked_at, now, ASK_EVERY);
            if is_due {
                account.asked_at = Some(now);
                account.is_awaited = true;
            }
            is_due
        })
    }

    /// Whether a request of `peer` at `now` is answered.
    fn on_request(&self, now: Instant, peer: PeerId) -> bool {
        self.with(peer, |account| {
            let is_due = is_past(account.answered_at, now, ANSWER_EVERY);
            if is_due {
                account.answered_at = Some(now);
            }
            is_due
        })
    }

    /// Whether contacts of `peer` were asked for.
    fn on_contacts(&self, peer: PeerId) -> bool {
        self.with(peer, |account| std::mem::take(&mut account.is_awaited))
    }

    fn with<T>(&self, peer: PeerId, change: impl FnOnce(&mut Account) -> T) -> T {
        let mut accounts = lock(&self.accounts);
        let mut account = accounts.get(&peer).copied().unwrap_or_default();
        let result = change(&mut account);
        accounts.insert(peer, account);
        result
    }
}

fn is_past(last: Option<Instant>, now: Instant, pause: Duration) -> bool {
    last.is_none_or(|last| now.saturating_duration_since(last) >= pause)
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
        let ControlEvent::Message { peer, message } = event else {
            continue;
        };
        match ContactsMessage::decode(&message) {
            Ok(ContactsMessage::Request) => {
                let now = rt::now();
                if inner.exchange.on_request(now, peer) {
                    let records = || inner.finders.contacts(MAX_CONTACTS);
                    send(&line, peer, inner.exchange.handout(now, records));
                } else {
                    tracing::debug!(%peer, "asked for contacts again too soon, not answered");
                }
            }
            Ok(ContactsMessage::Contacts(records)) => {
                if inner.exchange.on_contacts(peer) {
                    inner.on_contacts(&records);
                } else {
                    tracing::debug!(%peer, "contacts that nobody asked for, ignored");
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

/// A peer is asked again after that.
pub(crate) const ASK_EVERY: Duration = Duration::from_secs(15);
/// Requests of one peer that come sooner after the last are not answered: an answer has up to 35 KiB.
const ANSWER_EVERY: Duration = Duration::from_secs(10);
/// Contacts are drawn anew after that: those who come together are told the same.
const FRESH: Duration = Duration::from_millis(100);
/// Peers of which it is known what was asked and given; more than a node has sessions, as a rule.
const MAX_ACCOUNTS: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: PeerId = PeerId::from_bytes([1; 32]);

    #[test]
    fn peer_is_asked_once_in_a_while_and_heard_once_each_time() {
        let exchange = Exchange::new();
        let now = rt::now();
        assert!(!exchange.on_contacts(PEER), "nobody asked");
        assert!(exchange.ask(now, PEER));
        assert!(!exchange.ask(now + ASK_EVERY / 2, PEER));
        assert!(exchange.on_contacts(PEER));
        assert!(!exchange.on_contacts(PEER), "once is enough");
        assert!(exchange.ask(now + ASK_EVERY, PEER));
        assert!(exchange.on_contacts(PEER));
    }

    #[test]
    fn peer_that_asks_all_the_time_is_answered_now_and_then() {
        let exchange = Exchange::new();
        let now = rt::now();
        let answered = (0..100).filter(|i| exchange.on_request(now + ANSWER_EVERY / 50 * *i, PEER));
        assert_eq!(answered.count(), 2);
    }

    #[test]
    fn contacts_are_drawn_now_and_then_however_many_ask() {
        let exchange = Exchange::new();
        let now = rt::now();
        let mut drawn = 0;
        for passed in [Duration::ZERO, FRESH / 2, FRESH, FRESH * 3 / 2] {
            exchange.handout(now + passed, || {
                drawn += 1;
                Vec::new()
            });
        }
        assert_eq!(drawn, 2);
    }
}
