//! Whom a node that keeps itself connected dials next.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use crust_core::{Addr, FoundPeer, PeerId, SplitMix64};
use ipnet::IpNet;

use super::bridges::Bridges;
use crate::node::{dial::ADDRS_AT_ONCE, gate::prefix, keep::wishes::Ended};

/// Peers that were found, and how dialing them went. Sans-IO.
///
/// Invariants: nobody is dialed twice at a time, at most [`MAX_DIALS`] are; whoever failed is left alone for a time
/// that doubles; the node itself is never dialed once it is known to be itself; at most [`MAX_CANDIDATES`] are kept.
#[derive(Debug)]
pub(crate) struct Candidates {
    own: PeerId,
    all: HashMap<Whom, Candidate>,
    dialing: usize,
    /// How many were heard of.
    heard: u64,
    random: SplitMix64,
    bridges: Bridges,
}

/// Somebody to dial.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Whom {
    /// This peer.
    Peer(PeerId),
    /// Whoever answers there.
    Addr(Addr),
}

#[derive(Debug)]
struct Candidate {
    /// Counts those heard of: the lower, the earlier.
    number: u64,
    addrs: Vec<Addr>,
    /// Who answered there, where that was not said.
    peer: Option<PeerId>,
    /// It has no room, but there was a session with somebody that it told of.
    is_reached: bool,
    failures: u32,
    not_before: Option<Instant>,
    dialing: bool,
    /// The application ended the last session with it, here or there.
    unwanted: bool,
    connected_at: Option<Instant>,
    heard_at: Instant,
}

/// How a dial ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialed {
    Connected(PeerId),
    Failed,
    /// This peer answered, and has no room for another session now.
    Full(PeerId),
    /// The node itself answered.
    Oneself,
}

/// Of whom somebody is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Among {
    All,
    /// Contacts that were never met, addresses that nobody has a name for; and those that full ones told of.
    Unmet,
}

/// Failures and neighbours of its network, then when it was heard of, and chance: the lowest is dialed.
type Rank = ((u32, usize), (u64, u64));

/// Where the node has sessions.
#[derive(Debug, Default)]
pub(crate) struct Ties {
    pub(crate) peers: HashSet<PeerId>,
    pub(crate) prefixes: HashMap<IpNet, usize>,
}

impl Candidates {
    /// None yet. `seed` makes the choices of two nodes differ.
    pub(crate) fn new(own: PeerId, seed: u64) -> Self {
        Self {
            own,
            all: HashMap::new(),
            dialing: 0,
            heard: 0,
            random: SplitMix64::new(seed),
            bridges: Bridges::new(),
        }
    }

    /// A discovery found somebody. An address that is new makes up for failures before.
    pub(crate) fn handle_found(&mut self, now: Instant, found: &FoundPeer) {
        if found.peer == Some(self.own) || found.addrs.is_empty() {
            return;
        }
        match found.peer {
            Some(peer) => self.hear(now, Whom::Peer(peer), &found.addrs),
            None => {
                for addr in found.addrs.iter().take(MAX_ADDRS) {
                    self.hear(now, Whom::Addr(addr.clone()), std::slice::from_ref(addr));
                }
            }
        }
    }

    /// `teller` told of somebody.
    pub(crate) fn handle_told(&mut self, now: Instant, found: &FoundPeer, teller: PeerId) {
        if let Some(peer) = found.peer {
            self.bridges.on_told(peer, teller);
        }
        self.handle_found(now, found);
    }

    /// There are sessions with these.
    pub(crate) fn handle_ties(&mut self, ties: &Ties) {
        for contact in self.bridges.take_reached(ties.peers.iter()) {
            if let Some(candidate) = self.all.get_mut(&Whom::Addr(contact)) {
                candidate.is_reached = true;
            }
        }
    }

    /// Somebody to dial now, if there is anybody: any candidate, or a contact that was never met alone.
    ///
    /// Contacts are to be met once whatever sessions there are: two parts of a network that started apart, each content
    /// with itself, would never hear of each other.
    pub(crate) fn poll_dial(
        &mut self,
        now: Instant,
        ties: &Ties,
        among: Among,
    ) -> Option<(Whom, Vec<Addr>)> {
        if self.dialing >= MAX_DIALS {
            return None;
        }
        let dialing: Vec<_> = self.all.values().filter(|it| it.dialing).collect();
        let dialing: Vec<_> = dialing.iter().filter_map(|it| it.prefix()).collect();
        let mut best: Option<(Rank, &Whom)> = None;
        let mut random = self.random.clone();
        for (whom, candidate) in &self.all {
            if !candidate.is_due(now)
                || (among == Among::Unmet && !self.is_unmet(whom, candidate))
                || candidate.peer == Some(self.own)
                || candidate.is_tied(whom, ties)
            {
                continue;
            }
            // Those found first come first, a few at a time in no order: nodes that are told the same must not all dial
            // the same.
            let turn = candidate.number / TOGETHER;
            let rank = (
                (candidate.failures, candidate.crowd(ties, &dialing)),
                (turn, random.next_u64()),
            );
            if best.as_ref().is_none_or(|(least, _)| rank < *least) {
                best = Some((rank, whom));
            }
        }
        self.random = random;
        let whom = best?.1.clone();
        if let (Among::Unmet, Whom::Peer(peer)) = (among, &whom) {
            self.bridges.on_dialed(peer);
        }
        let candidate = self.all.get_mut(&whom)?;
        candidate.dialing = true;
        self.dialing += 1;
        Some((whom, candidate.addrs.clone()))
    }

    /// A dial of [`Candidates::poll_dial`] ended.
    pub(crate) fn handle_dialed(&mut self, now: Instant, whom: &Whom, dialed: Dialed) {
        self.dialing -= 1;
        let jitter = self.random.next_u64();
        let Some(candidate) = self.all.get_mut(whom) else {
            return;
        };
        candidate.dialing = false;
        match dialed {
            Dialed::Connected(peer) => {
                candidate.peer = Some(peer);
                candidate.not_before = None;
                candidate.unwanted = false;
                candidate.connected_at = Some(now);
            }
            Dialed::Failed => candidate.on_failed(now, FIRST_WAIT, jitter),
            Dialed::Full(peer) => {
                candidate.on_failed(now, FULL_WAIT, jitter);
                match whom {
                    Whom::Addr(contact) if !candidate.is_met() => {
                        self.bridges.on_contact_full(contact, peer);
                    }
                    _ => self.bridges.on_full(peer),
                }
            }
            Dialed::Oneself => candidate.peer = Some(self.own),
        }
    }

    fn is_unmet(&self, whom: &Whom, candidate: &Candidate) -> bool {
        match whom {
            Whom::Peer(peer) => self.bridges.leads(peer),
            Whom::Addr(_) => !candidate.is_met(),
        }
    }

    /// A session with `peer` ended. One that was soon over counts as a failure.
    pub(crate) fn handle_ended(&mut self, now: Instant, peer: PeerId, ended: Ended) {
        for (whom, candidate) in &mut self.all {
            if *whom == Whom::Peer(peer) || candidate.peer == Some(peer) {
                let jitter = self.random.next_u64();
                candidate.on_ended(now, ended, jitter);
            }
        }
    }

    /// Everything begins anew: who failed may be tried at once, but for those that are not wanted.
    pub(crate) fn hurry(&mut self) {
        for candidate in self.all.values_mut().filter(|it| !it.unwanted) {
            candidate.failures = 0;
            candidate.not_before = None;
        }
    }

    /// When [`Candidates::poll_dial`] may have somebody again, without anything having happened.
    pub(crate) fn poll_timeout(&self, ties: &Ties, among: Among) -> Option<Instant> {
        self.all
            .iter()
            .filter(|(whom, candidate)| among == Among::All || self.is_unmet(whom, candidate))
            .filter(|(whom, candidate)| !candidate.dialing && !candidate.is_tied(whom, ties))
            .filter(|(_, candidate)| candidate.peer != Some(self.own))
            .map(|(_, candidate)| candidate.not_before.unwrap_or(candidate.heard_at))
            .min()
    }

    /// Whether anybody is being dialed, or has not been tried yet.
    pub(crate) fn is_trying(&self, ties: &Ties) -> bool {
        self.dialing > 0
            || self.all.iter().any(|(whom, candidate)| {
                candidate.failures == 0
                    && !candidate.unwanted
                    && candidate.peer.is_none()
                    && !candidate.is_tied(whom, ties)
            })
    }

    /// Dials that are on their way.
    pub(crate) const fn dialing(&self) -> usize {
        self.dialing
    }

    fn hear(&mut self, now: Instant, whom: Whom, addrs: &[Addr]) {
        if !self.all.contains_key(&whom) {
            self.make_room();
        }
        self.heard += 1;
        let number = self.heard;
        let candidate = self
            .all
            .entry(whom)
            .or_insert_with(|| Candidate::new(now, number));
        candidate.heard_at = now;
        for addr in addrs.iter().take(MAX_ADDRS).rev() {
            if !candidate.addrs.contains(addr) {
                candidate.addrs.insert(0, addr.clone());
                candidate.failures = 0;
                candidate.not_before = None;
            }
        }
        candidate.addrs.truncate(MAX_ADDRS);
    }

    /// Of those that were never met the one that failed most goes, and of those the one that was heard of longest ago.
    fn make_room(&mut self) {
        if self.all.len() < MAX_CANDIDATES {
            return;
        }
        let worst = self
            .all
            .iter()
            .filter(|(_, candidate)| !candidate.dialing)
            .max_by_key(|(whom, c)| {
                let age = std::cmp::Reverse(c.heard_at);
                (c.peer.is_none(), c.failures, age, *whom)
            })
            .map(|(whom, _)| whom.clone());
        if let Some(worst) = worst {
            self.all.remove(&worst);
        }
    }
}

impl Candidate {
    const fn new(now: Instant, number: u64) -> Self {
        Self {
            number,
            addrs: Vec::new(),
            peer: None,
            is_reached: false,
            failures: 0,
            not_before: None,
            dialing: false,
            unwanted: false,
            connected_at: None,
            heard_at: now,
        }
    }

    /// For one without a name: whether somebody answered, or somebody that it told of.
    const fn is_met(&self) -> bool {
        self.peer.is_some() || self.is_reached
    }

    fn is_due(&self, now: Instant) -> bool {
        !self.dialing && self.not_before.is_none_or(|at| at <= now)
    }

    /// Whether there is a session with it.
    fn is_tied(&self, whom: &Whom, ties: &Ties) -> bool {
        let peer = match whom {
            Whom::Peer(peer) => Some(peer),
            Whom::Addr(_) => self.peer.as_ref(),
        };
        peer.is_some_and(|peer| ties.peers.contains(peer))
    }

    /// Sessions, and dials on their way, in the network that it is in: those of other networks come first, so that no
    /// network that goes dark takes all sessions along.
    fn crowd(&self, ties: &Ties, dialing: &[IpNet]) -> usize {
        self.prefix().map_or(0, |prefix| {
            let sessions = ties.prefixes.get(&prefix).copied();
            let dials = dialing.iter().filter(|other| **other == prefix).count();
            sessions.unwrap_or_default() + dials
        })
    }

    fn prefix(&self) -> Option<IpNet> {
        let ip = self.addrs.iter().find_map(Addr::socket_addr);
        ip.map(|addr| prefix(addr.ip().to_canonical()))
    }

    fn on_ended(&mut self, now: Instant, ended: Ended, jitter: u64) {
        let lasted = self.connected_at.take();
        let lasted = lasted.is_some_and(|at| now.saturating_duration_since(at) >= LASTING);
        self.failures = if lasted { 0 } else { self.failures };
        self.unwanted = ended == Ended::Unwanted;
        match ended {
            Ended::Unwanted => self.not_before = Some(now + jittered(LONGEST_WAIT, jitter)),
            Ended::Full => self.on_failed(now, FULL_WAIT, jitter),
            Ended::Lost => self.on_failed(now, FIRST_WAIT, jitter),
        }
    }

    fn on_failed(&mut self, now: Instant, first: Duration, jitter: u64) {
        // Twice as long each time, and four times from the third on: who restarts is met again at once, and who is gone
        // for minutes is not given up for it.
        let doublings = self.failures + self.failures.saturating_sub(2);
        let wait = first.saturating_mul(1 << doublings.min(16));
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(now + jittered(wait.min(LONGEST_WAIT), jitter));
    }
}

/// A half to one and a half times `wait`.
fn jittered(wait: Duration, random: u64) -> Duration {
    wait / 2 + wait.mul_f64((random >> 11) as f64 / (1_u64 << 53) as f64)
}

/// Peers dialed at a time, so that sixteen addresses are at most: enough to find somebody quickly among many that are
/// gone.
pub(crate) const MAX_DIALS: usize = 16 / ADDRS_AT_ONCE;
/// Candidates kept; about 2 MiB with four addresses each.
const MAX_CANDIDATES: usize = 4_096;
/// Found one after the other and dialed in no order: as many as are dialed at a time.
const TOGETHER: u64 = MAX_DIALS as u64;
/// A session of that length shows that the peer is one to keep.
const LASTING: Duration = Duration::from_secs(30);
/// Addresses of one candidate: as many as a record has.
const MAX_ADDRS: usize = 16;
/// Left alone after the first failure: nodes that start together find each other at the second try.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// Left alone the first time it had no room.
const FULL_WAIT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u8) -> PeerId {
        PeerId::from_bytes([number; 32])
    }

    fn found(number: u8, addr: &str) -> FoundPeer {
        FoundPeer {
            peer: (number != 0).then(|| peer(number)),
            addrs: vec![addr.parse().unwrap()],
            source: "test",
        }
    }

    fn candidates() -> (Candidates, Instant, Ties) {
        (
            Candidates::new(peer(255), 7),
            crust_core::rt::now(),
            Ties::default(),
        )
    }

    #[test]
    fn each_is_dialed_once_at_a_time_and_no_more_than_there_may_be() {
        let (mut candidates, now, ties) = candidates();
        for number in 1..=40 {
            candidates.handle_found(now, &found(number, &format!("tcp://192.0.{number}.1:1")));
        }
        let dialed: HashSet<_> = std::iter::from_fn(|| {
            candidates
                .poll_dial(now, &ties, Among::All)
                .map(|(whom, _)| whom)
        })
        .collect();
        assert_eq!(dialed.len(), MAX_DIALS);
    }

    #[test]
    fn whoever_went_away_on_purpose_is_nobody_to_wait_for() {
        let (mut candidates, now, ties) = candidates();
        candidates.handle_found(now, &found(1, "tcp://192.0.2.1:1"));
        candidates.handle_ended(now, peer(1), Ended::Unwanted);
        candidates.hurry();
        assert_eq!(candidates.poll_dial(now, &ties, Among::All), None);
        assert!(!candidates.is_trying(&ties));
    }

    #[test]
    fn other_networks_come_first_though_no_dial_has_ended() {
        let (mut candidates, now, ties) = candidates();
        for number in 1..=40 {
            candidates.handle_found(now, &found(number, &format!("tcp://192.0.2.{number}:1")));
        }
        candidates.handle_found(now, &found(41, "tcp://198.51.100.1:1"));
        let dialed = std::iter::from_fn(|| candidates.poll_dial(now, &ties, Among::All));
        let places: Vec<_> = dialed
            .map(|(whom, _)| whom == Whom::Peer(peer(41)))
            .collect();
        assert!(places[..2].contains(&true), "{places:?}");
    }

    #[test]
    fn node_itself_is_never_dialed_again() {
        let (mut candidates, now, ties) = candidates();
        candidates.handle_found(now, &found(255, "tcp://192.0.2.1:1"));
        assert_eq!(candidates.poll_dial(now, &ties, Among::All), None);
        candidates.handle_found(now, &found(0, "tcp://192.0.2.1:1"));
        let (whom, _) = candidates.poll_dial(now, &ties, Among::All).unwrap();
        candidates.handle_dialed(now, &whom, Dialed::Oneself);
        let own = Ties {
            peers: [peer(255)].into(),
            ..Ties::default()
        };
        let later = now + Duration::from_secs(10_000);
        candidates.handle_found(later, &found(0, "tcp://192.0.2.1:1"));
        assert_eq!(candidates.poll_dial(later, &own, Among::All), None);
        assert_eq!(candidates.poll_timeout(&ties, Among::All), None);
    }

    #[test]
    fn who_failed_is_left_alone_for_longer_each_time() {
        let (mut candidates, mut now, ties) = candidates();
        candidates.handle_found(now, &found(1, "tcp://192.0.2.1:1"));
        let mut waits = Vec::new();
        for _ in 0..14 {
            let (whom, _) = candidates.poll_dial(now, &ties, Among::All).unwrap();
            candidates.handle_dialed(now, &whom, Dialed::Failed);
            assert_eq!(candidates.poll_dial(now, &ties, Among::All), None);
            let at = candidates.poll_timeout(&ties, Among::All).unwrap();
            waits.push(at - now);
            now = at;
        }
        assert!(waits[0] >= FIRST_WAIT / 2 && waits[0] <= FIRST_WAIT * 3 / 2);
        assert!(waits[2] >= 2 * FIRST_WAIT && waits[2] <= 6 * FIRST_WAIT);
        assert!(waits[5] >= 128 * FIRST_WAIT && waits[5] <= 384 * FIRST_WAIT);
        assert!(waits.iter().all(|wait| *wait <= LONGEST_WAIT * 3 / 2));
    }

    #[test]
    fn new_address_makes_up_for_failures() {
        let (mut candidates, now, ties) = candidates();
        candidates.handle_found(now, &found(1, "tcp://192.0.2.1:1"));
        for _ in 0..5 {
            let at = candidates.poll_timeout(&ties, Among::All).unwrap();
            let (whom, _) = candidates.poll_dial(at, &ties, Among::All).unwrap();
            candidates.handle_dialed(at, &whom, Dialed::Failed);
        }
        candidates.handle_found(now, &found(1, "tcp://192.0.2.1:1"));
        assert_eq!(candidates.poll_dial(now, &ties, Among::All), None);
        candidates.handle_found(now, &found(1, "tcp://198.51.100.1:1"));
        let (_, addrs) = candidates.poll_dial(now, &ties, Among::All).unwrap();
        assert_eq!(addrs[0].to_string(), "tcp://198.51.100.1:1");
        assert_eq!(addrs.len(), 2);
    }

    #[test]
    fn networks_without_a_session_come_first() {
        let (mut candidates, now, mut ties) = candidates();
        for number in 1..=20 {
            candidates.handle_found(now, &found(number, &format!("tcp://192.0.2.{number}:1")));
        }
        candidates.handle_found(now, &found(21, "tcp://198.51.100.1:1"));
        ties.prefixes.insert("192.0.2.0/24".parse().unwrap(), 1);
        let (whom, _) = candidates.poll_dial(now, &ties, Among::All).unwrap();
        assert_eq!(whom, Whom::Peer(peer(21)));
    }

    #[test]
    fn who_has_a_session_is_not_dialed() {
        let (mut candidates, now, mut ties) = candidates();
        candidates.handle_found(now, &found(0, "tcp://192.0.2.1:1"));
        let (whom, _) = candidates.poll_dial(now, &ties, Among::All).unwrap();
        candidates.handle_dialed(now, &whom, Dialed::Connected(peer(1)));
        ties.peers.insert(peer(1));
        assert_eq!(candidates.poll_dial(now, &ties, Among::All), None);
        ties.peers.clear();
        candidates.handle_ended(now, peer(1), Ended::Lost);
        assert_eq!(candidates.poll_dial(now, &ties, Among::All), None);
        let later = now + FIRST_WAIT * 2;
        assert!(candidates.poll_dial(later, &ties, Among::All).is_some());
    }

    #[test]
    fn contact_is_met_though_there_are_sessions_enough() {
        let (mut candidates, now, ties) = candidates();
        candidates.handle_found(now, &found(1, "tcp://192.0.2.1:1"));
        assert_eq!(candidates.poll_dial(now, &ties, Among::Unmet), None);
        candidates.handle_found(now, &found(0, "tcp://192.0.2.2:1"));
        let (contact, _) = candidates.poll_dial(now, &ties, Among::Unmet).unwrap();
        candidates.handle_dialed(now, &contact, Dialed::Failed);
        let at = candidates.poll_timeout(&ties, Among::Unmet).unwrap();
        assert!(candidates.poll_dial(at, &ties, Among::Unmet).is_some());
        candidates.handle_dialed(at, &contact, Dialed::Connected(peer(2)));
        assert_eq!(candidates.poll_timeout(&ties, Among::Unmet), None);
    }

    #[test]
    fn one_that_a_full_contact_told_of_is_met_in_its_place() {
        let (mut candidates, now, mut ties) = candidates();
        candidates.handle_found(now, &found(0, "tcp://192.0.2.2:1"));
        candidates.handle_found(now, &found(8, "tcp://192.0.2.8:1"));
        let (contact, _) = candidates.poll_dial(now, &ties, Among::Unmet).unwrap();
        candidates.handle_told(now, &found(3, "tcp://192.0.2.3:1"), peer(2));
        assert_eq!(candidates.poll_dial(now, &ties, Among::Unmet), None);
        candidates.handle_dialed(now, &contact, Dialed::Full(peer(2)));
        let (told, _) = candidates.poll_dial(now, &ties, Among::Unmet).unwrap();
        assert_eq!(told, Whom::Peer(peer(3)));
        candidates.handle_dialed(now, &told, Dialed::Connected(peer(3)));
        ties.peers.insert(peer(3));
        candidates.handle_ties(&ties);
        assert_eq!(candidates.poll_timeout(&ties, Among::Unmet), None);
        // It may go again: that part of the network was heard of.
        ties.peers.clear();
        candidates.handle_ties(&ties);
        assert_eq!(candidates.poll_timeout(&ties, Among::Unmet), None);
    }

    #[test]
    fn candidates_are_bounded_and_the_worst_go_first() {
        let (mut candidates, now, ties) = candidates();
        candidates.handle_found(now, &found(1, "tcp://192.0.2.1:1"));
        let (good, _) = candidates.poll_dial(now, &ties, Among::All).unwrap();
        candidates.handle_dialed(now, &good, Dialed::Connected(peer(1)));
        for number in 0..2 * u32::try_from(MAX_CANDIDATES).unwrap() {
            let [a, b, c, d] = number.to_be_bytes();
            let later = now + Duration::from_millis(u64::from(number));
            candidates.handle_found(later, &found(0, &format!("tcp://{a}.{b}.{c}.{d}:1")));
        }
        assert_eq!(candidates.all.len(), MAX_CANDIDATES);
    }
}
