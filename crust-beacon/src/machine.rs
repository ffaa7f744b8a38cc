//! The beacon without I/O: what it says and believes, on all links.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use crust_core::{Announcement, PeerId, Signer, Verifier};

use crate::{
    counters::Counters,
    ear::{Ear, Verdict},
    freshness::{Fresh, Source},
    interface::Interface,
    link::{Destination, Family, Link},
    neighbours::Neighbours,
    replies::{ENOUGH, MAX_DELAY, Reply, ReplyKind},
    rng::Rng,
    voice::{Now, Transmit, Voice},
    wire::{Flags, Kind, Message},
};

/// The beacon without I/O.
///
/// After each call, send all that [`poll_transmit`](Self::poll_transmit) gives, and call
/// [`handle_timeout`](Self::handle_timeout) when [`poll_timeout`](Self::poll_timeout) says.
#[derive(Debug)]
pub(crate) struct Machine {
    voice: Voice,
    ear: Ear,
    links: BTreeMap<u32, Link>,
    probes: Vec<IpAddr>,
    is_searching: bool,
    expire_at: Option<Instant>,
    counters: Counters,
}

/// What a beacon is made with.
#[derive(Clone, Default)]
pub(crate) struct Config {
    pub(crate) port: u16,
    pub(crate) signer: Option<Arc<dyn Signer>>,
    pub(crate) verifier: Option<Arc<dyn Verifier>>,
    pub(crate) offers_contacts: bool,
    pub(crate) seed: u64,
}

/// Where a datagram came in, and its stamp.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    pub(crate) link: u32,
    pub(crate) from: SocketAddr,
    pub(crate) stamp: u64,
}

impl Machine {
    pub(crate) fn new(config: Config) -> Self {
        let mut voice = Voice::new(config.signer, config.port, Rng::new(config.seed));
        voice.set_offers_contacts(config.offers_contacts);
        Self {
            voice,
            ear: Ear::new(config.verifier),
            links: BTreeMap::new(),
            probes: Vec::new(),
            is_searching: false,
            expire_at: None,
            counters: Counters::default(),
        }
    }

    /// Replaces the links, each with whether it hears what is said to everybody.
    ///
    /// On one that is new or has other addresses, everything is said again at once.
    pub(crate) fn set_links(&mut self, now: Now, links: Vec<(Interface, bool)>) {
        self.links.retain(|index, _| {
            let mut links = links.iter();
            let is_up = links.any(|(interface, _)| interface.index == *index);
            if !is_up {
                self.ear.neighbours_mut().forget_link(*index);
            }
            is_up
        });
        for (interface, hears) in links {
            self.set_link(now, interface, hears);
        }
    }

    /// Says everything again on a link: there may be more who can hear it.
    pub(crate) fn say_again(&mut self, now: Now, link: u32) {
        let is_announcing = self.voice.announcement().is_some();
        if let Some(link) = self.links.get_mut(&link) {
            if is_announcing {
                link.announcing.restart(now.at);
            }
            if self.is_searching {
                link.querying.restart(now.at);
            }
        }
    }

    /// Replaces what is announced; an empty announcement says goodbye.
    pub(crate) fn announce(&mut self, now: Now, announcement: &Announcement) {
        if announcement.addrs.is_empty() {
            return self.goodbye(now);
        }
        let old = self.voice.set_announcement(Some(announcement.clone()));
        if old.as_ref() != Some(announcement) {
            for link in self.links.values_mut() {
                link.announcing.restart(now.at);
                let hosts = self.probes.iter().copied();
                link.probes.refill(now.at, &link.interface, hosts);
            }
        }
    }

    /// Says goodbye on all links, and announces nothing from then on.
    pub(crate) fn goodbye(&mut self, now: Now) {
        let Some(announcement) = self.voice.set_announcement(None) else {
            return;
        };
        for link in self.links.values_mut() {
            link.announcing.stop();
            self.voice.goodbye(now, link, &announcement);
        }
    }

    /// Whether anybody searches; the first search asks at once.
    pub(crate) fn set_searching(&mut self, now: Now, is_searching: bool) {
        if self.is_searching == is_searching {
            return;
        }
        self.is_searching = is_searching;
        for link in self.links.values_mut() {
            if is_searching {
                link.querying.restart(now.at);
            } else {
                link.querying.stop();
            }
        }
    }

    /// Replaces the hosts that are asked one by one; [`MAX_PROBES`] at most.
    pub(crate) fn set_probes(&mut self, now: Now, hosts: &[IpAddr]) {
        self.probes = hosts.iter().copied().take(MAX_PROBES).collect();
        if self.is_active() {
            for link in self.links.values_mut() {
                let hosts = self.probes.iter().copied();
                link.probes.refill(now.at, &link.interface, hosts);
            }
        }
    }

    /// Whether a datagram is worth opening.
    pub(crate) fn admit(&mut self, now: Now, arrival: Arrival) -> bool {
        let Some(link) = self.links.get_mut(&arrival.link) else {
            self.counters.off_link += 1;
            return false;
        };
        let refused = if !link.interface.is_neighbour(arrival.from) {
            &mut self.counters.off_link
        } else if link.replays.knows(arrival.stamp) || link.stale.knows(arrival.stamp) {
            &mut self.counters.repeated
        } else if !link.limits.opened.admit(now.at, 1) {
            &mut self.counters.over_limit
        } else {
            return true;
        };
        *refused += 1;
        false
    }

    /// Takes what an admitted datagram says.
    pub(crate) fn handle_message(&mut self, now: Now, arrival: Arrival, message: &Message) {
        let own = self.own_peer();
        let Some(link) = self.links.get_mut(&arrival.link) else {
            return;
        };
        let Some(fresh) = link.tokens.judge(now.at, now.unix_ms, message) else {
            link.stale.remember(now.at, arrival.stamp);
            return self.challenge(now, arrival, message);
        };
        if !link.limits.taken.admit(now.at, 1) {
            self.counters.over_limit += 1;
            return;
        }
        link.replays.remember(now.at, arrival.stamp);
        match self.ear.learn(now, (link, arrival.from), message, own) {
            Verdict::Taken => self.counters.taken += 1,
            Verdict::Older => self.counters.stale += 1,
            Verdict::Own => return self.counters.repeated += 1,
            Verdict::Refused => return self.counters.refused += 1,
        }
        self.expire_at.get_or_insert(now.at + EXPIRY_INTERVAL);
        self.heed(now, arrival, message, fresh);
    }

    /// A datagram of our own was sent with this stamp; it is not taken when it comes back.
    pub(crate) fn handle_sent(&mut self, now: Now, link: u32, stamp: Option<u64>) {
        self.counters.sent += 1;
        if let (Some(link), Some(stamp)) = (self.links.get_mut(&link), stamp) {
            link.replays.remember(now.at, stamp);
        }
    }

    /// The system did not send a datagram; what was said on that link is said again soon.
    pub(crate) fn handle_unsent(&mut self, now: Now, link: u32) {
        self.counters.unsent += 1;
        if let Some(link) = self.links.get_mut(&link) {
            link.retry(now.at);
        }
    }

    /// Does what is due.
    pub(crate) fn handle_timeout(&mut self, now: Now) {
        let neighbours = self.ear.neighbours_mut();
        if self.expire_at.is_some_and(|at| now.at >= at) {
            neighbours.expire(now.at);
            self.expire_at = (!neighbours.is_empty()).then_some(now.at + EXPIRY_INTERVAL);
        }
        let neighbours = &*neighbours;
        for (index, link) in &mut self.links {
            let knows_enough = || neighbours.count_on(*index) >= ENOUGH;
            if self.voice.say_what_is_due(now, link, knows_enough) {
                let heard = |host: &IpAddr| {
                    let since = now.at.checked_sub(HEARD_LATELY);
                    since.is_some_and(|since| neighbours.heard_since(*index, *host, since))
                };
                let silent = self.probes.iter().copied().filter(|host| !heard(host));
                link.probes.refill(now.at, &link.interface, silent);
            }
            while let Some(reply) = link.replies.due(now.at) {
                self.voice.reply(now, link, &reply);
            }
            if let Some(host) = link.probes.due(now.at) {
                self.voice.probe(now, link, host);
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let links = self.links.values().filter_map(Link::next_timeout);
        links.chain(self.expire_at).min()
    }

    /// What is to be sent next.
    pub(crate) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.voice.poll_transmit()
    }

    pub(crate) fn neighbours(&self) -> &Neighbours {
        self.ear.neighbours()
    }

    pub(crate) fn counters(&self) -> Counters {
        let mut counters = self.counters;
        counters.unsent += self.voice.held_back();
        counters
    }

    pub(crate) fn counters_mut(&mut self) -> &mut Counters {
        &mut self.counters
    }

    fn set_link(&mut self, now: Now, interface: Interface, hears: bool) {
        let index = interface.index;
        if let Some(link) = self.links.get_mut(&index) {
            link.hears = hears;
            if link.interface == interface {
                return;
            }
            link.set_interface(interface);
        } else {
            let link = Link::new(interface, hears, now.at);
            self.links.insert(index, link);
        }
        self.say_again(now, index);
    }

    /// Does what a fresh message asks for.
    fn heed(&mut self, now: Now, arrival: Arrival, message: &Message, fresh: Fresh) {
        if let Some(link) = self.links.get_mut(&arrival.link) {
            link.tokens.remember(now.at, message.token, Source::Heard);
            if let Some(echo) = message.echo {
                link.replies.hear(message.kind, echo);
            }
        }
        if message.kind == Kind::Query {
            self.plan_answer(now, arrival, message, fresh);
        }
    }

    fn plan_answer(&mut self, now: Now, arrival: Arrival, message: &Message, fresh: Fresh) {
        let others = self.ear.neighbours().count_on(arrival.link);
        let is_for_us = message.asked.is_some_and(|host| self.is_own(host))
            || message.echo.is_some() && fresh == Fresh::ByToken(Source::Own);
        let is_for_one = message.asked.is_some() || message.echo.is_some();
        if is_for_one && !is_for_us {
            return;
        }
        let speaks = is_for_us || self.speaks_up(now, arrival.link, message, others);
        let kind = if is_for_us {
            ReplyKind::AnswerAlways
        } else {
            ReplyKind::Answer { heard: 0 }
        };
        if speaks {
            self.plan(now, arrival, message, kind);
        }
    }

    /// Whether to answer a question to everybody, on a link where `others` are known.
    fn speaks_up(&mut self, now: Now, link: u32, message: &Message, others: usize) -> bool {
        if message.flags.has(Flags::UNICAST) {
            return self.speaks_alone(others);
        }
        let was_said = |link: &Link| link.was_said(now.at);
        others < ENOUGH || !self.links.get(&link).is_some_and(was_said)
    }

    /// Asks whether a message that looks old was made just now. An old one gets no more than that.
    fn challenge(&mut self, now: Now, arrival: Arrival, message: &Message) {
        self.counters.stale += 1;
        let asks = matches!(message.kind, Kind::Announce | Kind::Query);
        if asks && self.is_active() && self.doubts(arrival.link, message) {
            self.plan(now, arrival, message, ReplyKind::Challenge);
        }
    }

    /// Whether it is for us to challenge a message.
    fn doubts(&mut self, link: u32, message: &Message) -> bool {
        if let Some(host) = message.asked {
            return self.is_own(host);
        }
        let others = self.ear.neighbours().count_on(link);
        !message.flags.has(Flags::UNICAST) || self.speaks_alone(others)
    }

    /// Whether to reply where nobody hears the replies of the `others`, so that each holds back by chance.
    fn speaks_alone(&mut self, others: usize) -> bool {
        self.voice.rng().chance(2 * ENOUGH, others)
    }

    fn plan(&mut self, now: Now, arrival: Arrival, message: &Message, kind: ReplyKind) {
        let Some(link) = self.links.get_mut(&arrival.link) else {
            return;
        };
        if kind != ReplyKind::Challenge && !self.voice.has_news_for(link) {
            return;
        }
        let to = if message.flags.has(Flags::UNICAST) {
            Destination::One(arrival.from)
        } else {
            Destination::Family(Family::of(arrival.from.ip()))
        };
        let reply = Reply {
            kind,
            token: message.token,
            due: now.at + self.voice.rng().up_to(MAX_DELAY),
            to,
            wants_contacts: message.flags.has(Flags::WANTS_CONTACTS),
        };
        if !link.replies.plan(reply) {
            self.counters.over_limit += 1;
        }
    }

    /// Whether a question to `host` is to us: a host may have two interfaces on one link, and answer for one on the other.
    fn is_own(&self, host: IpAddr) -> bool {
        self.links.values().any(|link| link.interface.is_own(host))
    }

    fn own_peer(&self) -> Option<PeerId> {
        self.voice.announcement().map(|own| own.peer)
    }

    /// Whether anything may be sent that nobody asked for.
    fn is_active(&self) -> bool {
        self.is_searching || self.voice.announcement().is_some()
    }
}

/// How often the table is searched for those that fell silent.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(5);
/// Less than the shortest of the longest intervals: a host that is probed is probed again before it is forgotten.
const HEARD_LATELY: Duration = Duration::from_secs(40);
/// At ten a second they are asked in six seconds.
pub(crate) const MAX_PROBES: usize = 64;

#[cfg(test)]
mod tests;
