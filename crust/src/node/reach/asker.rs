//! Whom to ask for a dial-back, where to, and what the outcomes mean. No clock, no socket.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use crust_core::{Addr, PeerId};
use ipnet::IpNet;

use super::Reachability;
use crate::wire::reach::DialBack;

/// The addresses at which this node may be reached, and what is known of each.
///
/// A dial-back that arrives proves an address; dial-backs from two networks that failed disprove it, for one of them may be at
/// fault, or lie. Whoever refuses or does not answer tells nothing, and others are asked.
#[derive(Debug)]
pub(crate) struct Asker {
    candidates: BTreeMap<Addr, Candidate>,
    /// Whom was asked a moment ago: nobody helps twice in that time.
    recent: Vec<(PeerId, Instant)>,
    nonces: u64,
}

/// What an address is to this node (RFC 8445 §5.1.1, and ports that a gateway gave).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CandidateKind {
    /// It is an interface's own.
    Host,
    /// A gateway gave it.
    Mapped,
    /// Peers see the node there.
    ServerReflexive,
}

/// A dial-back to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) helper: PeerId,
    pub(crate) nonce: u64,
    pub(crate) addr: Addr,
}

/// A peer that may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Helper {
    pub(crate) peer: PeerId,
    /// Its network (/24, /48): two of one network are one, who may lie.
    pub(crate) network: IpNet,
    /// Whether nothing was sent to its address over UDP: a filter that goes by address does not let it in for that.
    pub(crate) is_stranger_to_udp: bool,
}

#[derive(Debug)]
struct Candidate {
    kind: CandidateKind,
    /// Whether a connection arrived there, where that is known.
    is_reached: Option<bool>,
    /// When it is to be asked about.
    due_at: Instant,
    /// What was asked, of whose network, and until when an answer is waited for.
    pending: Option<(Ask, IpNet, Instant)>,
    /// Those who were asked since it was due.
    asked: Vec<PeerId>,
    /// The networks from which it was dialed in vain since a dial came through.
    failed_from: BTreeSet<IpNet>,
}

impl Asker {
    /// `seed` is what nobody can guess the nonces by.
    pub(crate) const fn new(seed: u64) -> Self {
        Self {
            candidates: BTreeMap::new(),
            recent: Vec::new(),
            nonces: seed,
        }
    }

    /// These are the addresses from now on. Of those that were there before, what is known stays.
    pub(crate) fn handle_candidates(
        &mut self,
        now: Instant,
        candidates: BTreeMap<Addr, CandidateKind>,
    ) {
        self.candidates
            .retain(|addr, candidate| candidates.get(addr) == Some(&candidate.kind));
        for (addr, kind) in candidates.into_iter().take(MAX_CANDIDATES) {
            self.candidates.entry(addr).or_insert_with(|| Candidate {
                kind,
                is_reached: None,
                due_at: now,
                pending: None,
                asked: Vec::new(),
                failed_from: BTreeSet::new(),
            });
        }
    }

    /// The network changed: nothing that was known holds.
    pub(crate) fn forget(&mut self) {
        self.candidates.clear();
    }

    /// Whether somebody is to be asked, if there is anybody.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.candidates.values().any(|candidate| {
            let pending = candidate.pending.as_ref();
            now >= candidate.due_at && pending.is_none_or(|(.., until)| now >= *until)
        })
    }

    /// What to ask next of one of `helpers`. One dial-back is asked for at a time: more could look like a flood.
    pub(crate) fn poll_ask(&mut self, now: Instant, helpers: &[Helper]) -> Option<Ask> {
        for candidate in self.candidates.values_mut() {
            candidate.pending.take_if(|(.., until)| now >= *until);
        }
        let mut all = self.candidates.values();
        if all.any(|candidate| candidate.pending.is_some()) {
            return None;
        }
        self.recent
            .retain(|(_, at)| now.saturating_duration_since(*at) < HELPER_AGAIN);
        let nonce = self.nonces;
        for (addr, candidate) in &mut self.candidates {
            let Some(helper) = candidate.next_helper(now, addr, helpers, &self.recent) else {
                continue;
            };
            self.recent.push((helper.peer, now));
            let ask = Ask {
                helper: helper.peer,
                nonce,
                addr: addr.clone(),
            };
            candidate.asked.push(helper.peer);
            candidate.pending = Some((ask.clone(), helper.network, now + ANSWER_WITHIN));
            // Two helpers never have one nonce, and each sees its own alone.
            self.nonces = nonce.wrapping_add(0x9e37_79b9_7f4a_7c15);
            return Some(ask);
        }
        None
    }

    /// `helper` says what came of a dial-back.
    pub(crate) fn handle_answer(
        &mut self,
        now: Instant,
        helper: &PeerId,
        nonce: u64,
        outcome: DialBack,
    ) {
        let Some(candidate) = self.asked_for(helper, nonce) else {
            return;
        };
        match outcome {
            // The connection itself says so; it may be a moment behind its herald.
            DialBack::Made => {}
            DialBack::Failed => candidate.on_failed(now),
            DialBack::Refused => candidate.pending = None,
        }
    }

    /// The dial-back of `helper` arrived, over a transport of `scheme` and this version of IP. Returns whether it was asked
    /// for.
    pub(crate) fn handle_here(
        &mut self,
        now: Instant,
        helper: &PeerId,
        nonce: u64,
        (scheme, is_v4): (&str, bool),
    ) -> bool {
        let is_way = |candidate: &&mut Candidate| {
            let addr = candidate.pending.as_ref().map(|(ask, ..)| &ask.addr);
            addr.is_some_and(|addr| {
                let is_of_version = addr.socket_addr().is_some_and(|it| it.is_ipv4() == is_v4);
                addr.scheme() == scheme && is_of_version
            })
        };
        let candidate = self.asked_for(helper, nonce).filter(is_way);
        let was_asked_for = candidate.is_some();
        candidate
            .into_iter()
            .for_each(|candidate| candidate.on_reached(now));
        was_asked_for
    }

    /// How far this node can be reached by addresses of `scheme`.
    pub(crate) fn reachability(&self, scheme: &str) -> Reachability {
        let of_scheme = |(addr, _): &(&Addr, &Candidate)| addr.scheme() == scheme;
        let candidates = self.candidates.iter().filter(of_scheme);
        let each = candidates.map(|(_, candidate)| candidate.reachability());
        each.max().unwrap_or(Reachability::Unknown)
    }

    /// How far this node can be reached at `addr`.
    pub(crate) fn reachability_at(&self, addr: &Addr) -> Reachability {
        let candidate = self.candidates.get(addr);
        candidate.map_or(Reachability::Unknown, Candidate::reachability)
    }

    fn asked_for(&mut self, helper: &PeerId, nonce: u64) -> Option<&mut Candidate> {
        let is_meant = |candidate: &&mut Candidate| {
            let pending = candidate.pending.as_ref();
            pending.is_some_and(|(ask, ..)| ask.nonce == nonce && ask.helper == *helper)
        };
        self.candidates.values_mut().find(is_meant)
    }
}

impl Candidate {
    fn next_helper<'a>(
        &mut self,
        now: Instant,
        addr: &Addr,
        helpers: &'a [Helper],
        recent: &[(PeerId, Instant)],
    ) -> Option<&'a Helper> {
        if now < self.due_at {
            return None;
        }
        let is_v4 = addr.socket_addr()?.is_ipv4();
        // What a NAT shows of this node's UDP port is open to whom that has sent to, perhaps, and to nobody else.
        let is_strict = addr.scheme() == "utp" && self.kind == CandidateKind::ServerReflexive;
        let fits = |helper: &&Helper| {
            let is_of_version = matches!(helper.network, IpNet::V4(_)) == is_v4;
            is_of_version && (!is_strict || helper.is_stranger_to_udp)
        };
        let is_new = |helper: &&Helper| !self.asked.contains(&helper.peer);
        let mut new = helpers.iter().filter(fits).filter(is_new).peekable();
        if new.peek().is_none() && !self.asked.is_empty() {
            // All were asked. In a small network the same ones are, after a while.
            self.asked.clear();
            self.due_at = now + ASK_AGAIN;
            return None;
        }
        let is_rested = |helper: &&Helper| recent.iter().all(|(peer, _)| *peer != helper.peer);
        // One in another network than those who dialed in vain tells more.
        let mut new: Vec<_> = new.filter(is_rested).collect();
        new.sort_by_key(|helper| self.failed_from.contains(&helper.network));
        new.first().copied()
    }

    fn on_reached(&mut self, now: Instant) {
        self.settle(true, now + REACHED_LASTS);
    }

    fn on_failed(&mut self, now: Instant) {
        let pending = self.pending.take();
        self.failed_from
            .extend(pending.map(|(_, network, _)| network));
        if self.failed_from.len() >= DISPROVE {
            self.settle(false, now + FAILED_LASTS);
        }
    }

    fn settle(&mut self, is_reached: bool, due_at: Instant) {
        self.is_reached = Some(is_reached);
        self.due_at = due_at;
        self.pending = None;
        self.asked.clear();
        self.failed_from.clear();
    }

    const fn reachability(&self) -> Reachability {
        match (self.is_reached, self.kind) {
            // Its address is the same for all, so a punched hole is where peers look for it.
            (None | Some(false), CandidateKind::ServerReflexive) => Reachability::Punchable,
            (None, CandidateKind::Mapped | CandidateKind::Host) => Reachability::Unknown,
            (Some(true), CandidateKind::Mapped) => Reachability::Mapped,
            (Some(true), CandidateKind::Host | CandidateKind::ServerReflexive) => {
                Reachability::Public
            }
            (Some(false), CandidateKind::Mapped) => Reachability::Unreachable,
            (Some(false), CandidateKind::Host) => Reachability::Punchable,
        }
    }
}

/// Addresses that are looked after: a node has a few.
const MAX_CANDIDATES: usize = 32;
/// Networks from which dial-backs have to fail.
const DISPROVE: usize = 2;
/// More than a helper gives a dial.
const ANSWER_WITHIN: Duration = Duration::from_secs(8);
/// Until those are asked again who were asked before.
const ASK_AGAIN: Duration = Duration::from_secs(60);
/// A helper dials once in two seconds for one peer.
const HELPER_AGAIN: Duration = Duration::from_millis(2_500);
/// A lease may end, a rule may change.
const REACHED_LASTS: Duration = Duration::from_secs(1_800);
/// Sooner than that: somebody may be at work on the router.
const FAILED_LASTS: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;

    fn helper(number: u8) -> Helper {
        Helper {
            peer: PeerId::from_bytes([number; 32]),
            network: format!("11.0.{number}.0/24").parse().unwrap(),
            is_stranger_to_udp: true,
        }
    }

    const TCP_V4: (&str, bool) = ("tcp", true);

    fn addr() -> Addr {
        "tcp://22.0.0.1:5483".parse().unwrap()
    }

    /// One candidate, asked of helpers.
    struct Scene {
        asker: Asker,
        now: Instant,
    }

    impl Scene {
        fn new(kind: CandidateKind) -> Self {
            let now = crust_core::rt::now();
            let mut asker = Asker::new(7);
            asker.handle_candidates(now, [(addr(), kind)].into());
            Self { asker, now }
        }

        fn ask(&mut self, helpers: &[Helper]) -> Option<Ask> {
            self.asker.poll_ask(self.now, helpers)
        }

        fn answer(&mut self, ask: &Ask, outcome: DialBack) {
            let Self { asker, now } = self;
            asker.handle_answer(*now, &ask.helper, ask.nonce, outcome);
        }

        fn reachability(&self) -> Reachability {
            self.asker.reachability("tcp")
        }

        fn wait(&mut self, time: Duration) {
            self.now += time;
        }
    }

    #[test]
    fn dial_back_that_arrives_proves_an_address() {
        for (kind, expected) in [
            (CandidateKind::Host, Reachability::Public),
            (CandidateKind::ServerReflexive, Reachability::Public),
            (CandidateKind::Mapped, Reachability::Mapped),
        ] {
            let mut scene = Scene::new(kind);
            let ask = scene.ask(&[helper(1)]).unwrap();
            assert_eq!(ask.addr, addr());
            assert!(
                scene
                    .asker
                    .handle_here(scene.now, &ask.helper, ask.nonce, TCP_V4)
            );
            assert_eq!(scene.reachability(), expected);
            assert_eq!(scene.ask(&[helper(2)]), None);
        }
    }

    #[test]
    fn two_in_vain_disprove_it_and_one_does_not() {
        let mut scene = Scene::new(CandidateKind::Host);
        let helpers = [helper(1), helper(2)];
        let first = scene.ask(&helpers).unwrap();
        scene.answer(&first, DialBack::Failed);
        assert_eq!(scene.reachability(), Reachability::Unknown);
        let second = scene.ask(&helpers).unwrap();
        assert_ne!(first.helper, second.helper);
        scene.answer(&second, DialBack::Failed);
        assert_eq!(scene.reachability(), Reachability::Punchable);
    }

    #[test]
    fn one_network_disproves_nothing_however_often_it_fails() {
        let mut scene = Scene::new(CandidateKind::Mapped);
        for _ in 0..5 {
            let ask = scene.ask(&[helper(1)]).unwrap();
            scene.answer(&ask, DialBack::Failed);
            scene.wait(HELPER_AGAIN);
            assert_eq!(scene.ask(&[helper(1)]), None);
            scene.wait(ASK_AGAIN);
        }
        assert_eq!(scene.reachability(), Reachability::Unknown);
    }

    #[test]
    fn only_helper_is_asked_about_the_next_address_when_it_helps_again() {
        let mut scene = Scene::new(CandidateKind::Host);
        let utp: Addr = "utp://22.0.0.1:5483".parse().unwrap();
        let both = [
            (addr(), CandidateKind::Host),
            (utp.clone(), CandidateKind::Host),
        ]
        .into();
        scene.asker.handle_candidates(scene.now, both);
        let first = scene.ask(&[helper(1)]).unwrap();
        scene
            .asker
            .handle_here(scene.now, &first.helper, first.nonce, TCP_V4);
        assert_eq!(scene.ask(&[helper(1)]), None);
        scene.wait(HELPER_AGAIN);
        assert_eq!(scene.ask(&[helper(1)]).unwrap().addr, utp);
    }

    #[test]
    fn dial_back_that_came_another_way_proves_nothing() {
        let mut scene = Scene::new(CandidateKind::Host);
        let ask = scene.ask(&[helper(1)]).unwrap();
        for way in [("utp", true), ("tcp", false)] {
            let is_proof = scene
                .asker
                .handle_here(scene.now, &ask.helper, ask.nonce, way);
            assert!(!is_proof, "{way:?}");
        }
        assert_eq!(scene.reachability(), Reachability::Unknown);
    }

    #[test]
    fn whom_udp_was_sent_to_is_not_asked_about_what_a_nat_shows_of_it() {
        let mut scene = Scene::new(CandidateKind::Host);
        let utp: Addr = "utp://22.0.0.1:5483".parse().unwrap();
        let seen = [(utp, CandidateKind::ServerReflexive)].into();
        scene.asker.handle_candidates(scene.now, seen);
        let known = Helper {
            is_stranger_to_udp: false,
            ..helper(1)
        };
        assert_eq!(scene.ask(&[known]), None);
        assert!(scene.ask(&[known, helper(2)]).is_some());
    }

    #[test]
    fn word_of_others_than_who_was_asked_counts_for_nothing() {
        let mut scene = Scene::new(CandidateKind::Host);
        let ask = scene.ask(&[helper(1)]).unwrap();
        let stranger = helper(2).peer;
        assert!(
            !scene
                .asker
                .handle_here(scene.now, &stranger, ask.nonce, TCP_V4)
        );
        assert!(
            !scene
                .asker
                .handle_here(scene.now, &ask.helper, ask.nonce + 1, TCP_V4)
        );
        for _ in 0..DISPROVE {
            let forged = Ask {
                helper: stranger,
                ..ask.clone()
            };
            scene.answer(&forged, DialBack::Failed);
        }
        assert_eq!(scene.reachability(), Reachability::Unknown);
    }

    #[test]
    fn made_without_a_connection_proves_nothing() {
        let mut scene = Scene::new(CandidateKind::Host);
        let ask = scene.ask(&[helper(1)]).unwrap();
        scene.answer(&ask, DialBack::Made);
        assert_eq!(scene.reachability(), Reachability::Unknown);
    }

    #[test]
    fn whoever_refuses_or_is_silent_is_passed_over() {
        let mut scene = Scene::new(CandidateKind::Host);
        let helpers = [helper(1), helper(2), helper(3)];
        let first = scene.ask(&helpers).unwrap();
        scene.answer(&first, DialBack::Refused);
        let second = scene.ask(&helpers).unwrap();
        assert_eq!(scene.ask(&helpers), None);
        scene.wait(ANSWER_WITHIN);
        let third = scene.ask(&helpers).unwrap();
        assert_ne!(second.helper, third.helper);
        assert_eq!(scene.reachability(), Reachability::Unknown);
    }

    #[test]
    fn what_is_known_holds_while_it_is_asked_about_again() {
        let mut scene = Scene::new(CandidateKind::Host);
        let ask = scene.ask(&[helper(1)]).unwrap();
        scene
            .asker
            .handle_here(scene.now, &ask.helper, ask.nonce, TCP_V4);
        scene.wait(REACHED_LASTS);
        assert!(scene.ask(&[helper(1)]).is_some());
        assert_eq!(scene.reachability(), Reachability::Public);
    }

    #[test]
    fn address_that_is_gone_takes_what_was_known_with_it() {
        let mut scene = Scene::new(CandidateKind::Host);
        let ask = scene.ask(&[helper(1)]).unwrap();
        scene.asker.handle_candidates(scene.now, BTreeMap::new());
        assert!(
            !scene
                .asker
                .handle_here(scene.now, &ask.helper, ask.nonce, TCP_V4)
        );
        assert_eq!(scene.reachability(), Reachability::Unknown);
    }

    #[test]
    fn helper_over_another_ip_version_is_not_asked() {
        let mut scene = Scene::new(CandidateKind::Host);
        let over_v6 = Helper {
            network: "2d00::/48".parse().unwrap(),
            ..helper(1)
        };
        assert_eq!(scene.ask(&[over_v6]), None);
        assert!(scene.ask(&[helper(1)]).is_some());
    }
}
