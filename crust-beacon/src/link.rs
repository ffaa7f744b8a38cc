//! What a beacon knows and plans on one link.

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use crate::{
    freshness::Tokens, interface::Interface, limit::Limit, replay::Replays, replies::Replies,
    schedule::Schedule,
};

/// What a beacon knows and plans on one link.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) interface: Interface,
    /// Whether it hears what is said to everybody.
    pub(crate) hears: bool,
    pub(crate) limits: Limits,
    pub(crate) replays: Replays,
    /// Those that were not fresh: whoever sends them again takes no place from those that are.
    pub(crate) stale: Replays,
    pub(crate) tokens: Tokens,
    pub(crate) replies: Replies,
    pub(crate) announcing: Schedule,
    pub(crate) querying: Schedule,
    pub(crate) probes: Probes,
    /// When everybody here was told where we are.
    said: Option<Instant>,
    retries: u8,
}

impl Link {
    pub(crate) fn new(interface: Interface, hears: bool, now: Instant) -> Self {
        Self {
            interface,
            hears,
            limits: Limits::default(),
            replays: Replays::new(now),
            stale: Replays::new(now),
            tokens: Tokens::default(),
            replies: Replies::default(),
            announcing: Schedule::default(),
            querying: Schedule::default(),
            probes: Probes::default(),
            said: None,
            retries: 0,
        }
    }

    /// Replaces the interface; what was said of the old one is no longer true.
    pub(crate) fn set_interface(&mut self, interface: Interface) {
        self.interface = interface;
        self.retries = 0;
    }

    /// Takes notice that where we are was said, to everybody or not.
    pub(crate) fn on_said(&mut self, now: Instant, to: &Destination) {
        if !matches!(to, Destination::One(_)) {
            self.said = Some(now);
        }
    }

    /// Whether everybody was told where we are within the last second.
    pub(crate) fn was_said(&self, now: Instant) -> bool {
        let since = |said| now.saturating_duration_since(said);
        self.said
            .is_some_and(|said| since(said) < Duration::from_secs(1))
    }

    /// Says again soon what the system did not send, a few times.
    pub(crate) fn retry(&mut self, now: Instant) {
        if self.retries < MAX_RETRIES {
            self.retries += 1;
            self.announcing.hasten(now);
            self.querying.hasten(now);
        }
    }

    /// When something is to be done here.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let times = [
            self.announcing.at(),
            self.querying.at(),
            self.replies.at(),
            self.probes.at,
        ];
        times.into_iter().flatten().min()
    }

    /// How many datagrams it takes to reach `to`.
    pub(crate) fn datagrams_to(&self, to: &Destination) -> usize {
        let (v4, v6) = (
            self.interface.subnets().len(),
            usize::from(self.interface.has_v6()),
        );
        match to {
            Destination::Everybody => v4 + v6,
            Destination::Family(Family::V4) => v4,
            Destination::Family(Family::V6) => v6,
            Destination::One(_) => 1,
        }
    }
}

/// The limits of a link, in datagrams a second.
#[derive(Debug)]
pub(crate) struct Limits {
    /// Opened; those that turn out stale take no place from the fresh ones.
    pub(crate) opened: Limit,
    /// Believed.
    pub(crate) taken: Limit,
    pub(crate) sent: Limit,
    /// Of those sent, challenges.
    pub(crate) challenges: Limit,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            opened: Limit::new(OPENED_PER_SECOND),
            taken: Limit::new(TAKEN_PER_SECOND),
            sent: Limit::new(SENT_PER_SECOND),
            challenges: Limit::new(CHALLENGES_PER_SECOND),
        }
    }
}

/// Hosts still to be asked one by one.
#[derive(Debug, Default)]
pub(crate) struct Probes {
    waiting: VecDeque<IpAddr>,
    at: Option<Instant>,
}

impl Probes {
    /// Asks those of `hosts` that are on the link of `interface`, unless others are being asked.
    pub(crate) fn refill(
        &mut self,
        now: Instant,
        interface: &Interface,
        hosts: impl Iterator<Item = IpAddr>,
    ) {
        if self.waiting.is_empty() {
            let asked = |host: &IpAddr| interface.is_on_link(*host) && !interface.is_own(*host);
            self.waiting.extend(hosts.filter(asked));
            self.at = (!self.waiting.is_empty()).then_some(now);
        }
    }

    /// The host that is to be asked now.
    pub(crate) fn due(&mut self, now: Instant) -> Option<IpAddr> {
        self.at.filter(|at| now >= *at)?;
        let host = self.waiting.pop_front();
        self.at = (!self.waiting.is_empty()).then_some(now + BETWEEN_PROBES);
        host
    }
}

/// Where a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Destination {
    /// The link, over each family it has.
    Everybody,
    /// The link, over one family.
    Family(Family),
    /// One host, on the link.
    One(SocketAddr),
}

/// The family of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    pub(crate) fn of(ip: IpAddr) -> Self {
        if ip.is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

/// The issue of a LAN beacon is to be quiet, whatever the size of the LAN.
const TAKEN_PER_SECOND: usize = 20;
const SENT_PER_SECOND: usize = 20;
/// A millisecond of work at most. Only members of the network, and whoever sends again what they sent minutes ago, get
/// a datagram opened at all.
const OPENED_PER_SECOND: usize = 400;
/// Somebody's clock is wrong; if it is ours, there is one for each neighbour.
const CHALLENGES_PER_SECOND: usize = 4;
/// An address that is new can be used after two seconds; one that the system does not send from by then never can.
const MAX_RETRIES: u8 = 8;
/// Half of what may be sent.
const BETWEEN_PROBES: Duration = Duration::from_millis(100);
