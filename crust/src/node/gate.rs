//! Who may come in, decided before any cryptography: blocks, limits, and refusal of those who make work for nothing.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    time::{Duration, Instant},
};

use crust_core::PeerId;
use ipnet::IpNet;

use crate::{event::AbuseKind, node::config::Limits};

/// Counts who is here and who misbehaves. Sans-IO.
///
/// Invariants: every admission is given back by [`Gate::release`] once; no table outgrows its bound, whatever others
/// do; blocks are the application's and are never forgotten.
#[derive(Debug)]
pub(crate) struct Gate {
    limits: Limits,
    blocked_peers: HashSet<PeerId>,
    blocked_nets: HashSet<IpNet>,
    handshakes: Counts,
    sessions: Counts,
    offenders: HashMap<IpAddr, Offender>,
}

/// What is counted by address and prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    Handshake,
    Session,
}

/// Why somebody may not come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The application blocked it.
    Blocked,
    /// One address or prefix has as many as it may.
    Flood,
    /// As many as may be are here already.
    Full,
    /// It misbehaved lately.
    Penalty,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    addresses: HashMap<IpAddr, usize>,
    prefixes: HashMap<IpNet, usize>,
}

#[derive(Debug)]
struct Offender {
    score: f32,
    seen_at: Instant,
    refused_until: Option<Instant>,
    /// Times it was refused for a while; each is twice as long as the one before.
    refusals: u32,
    told_at: Option<Instant>,
    untold: u32,
}

/// An offence to tell the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Offence {
    pub(crate) kind: AbuseKind,
    pub(crate) count: u32,
    pub(crate) refused: bool,
}

impl Gate {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            blocked_peers: HashSet::new(),
            blocked_nets: HashSet::new(),
            handshakes: Counts::default(),
            sessions: Counts::default(),
            offenders: HashMap::new(),
        }
    }

    /// Lets one in from `ip`, or says why not. Transports without IP addresses count in total only.
    pub(crate) fn admit(
        &mut self,
        slot: Slot,
        ip: Option<IpAddr>,
        now: Instant,
    ) -> Result<(), Refusal> {
        if let Some(ip) = ip {
            if self.is_blocked_ip(ip) {
                return Err(Refusal::Blocked);
            }
            if self
                .offenders
                .get(&source(ip))
                .is_some_and(|offender| offender.is_refused(now))
            {
                return Err(Refusal::Penalty);
            }
        }
        let limits = &self.limits;
        let (counts, total, per_address, per_prefix) = match slot {
            Slot::Handshake => (
                &mut self.handshakes,
                limits.handshakes,
                limits.handshakes_per_address,
                limits.handshakes_per_prefix,
            ),
            Slot::Session => (
                &mut self.sessions,
                limits.sessions,
                limits.sessions_per_address,
                limits.sessions_per_prefix,
            ),
        };
        counts.admit(ip, total, per_address, per_prefix)
    }

    /// Whether `slot` has room in total.
    pub(crate) const fn has_room(&self, slot: Slot) -> bool {
        match slot {
            Slot::Handshake => self.handshakes.total < self.limits.handshakes,
            Slot::Session => self.sessions.total < self.limits.sessions,
        }
    }

    /// One that was let in has left.
    pub(crate) fn release(&mut self, slot: Slot, ip: Option<IpAddr>) {
        match slot {
            Slot::Handshake => self.handshakes.release(ip),
            Slot::Session => self.sessions.release(ip),
        }
    }

    pub(crate) fn block_peer(&mut self, peer: PeerId) {
        self.blocked_peers.insert(peer);
    }

    pub(crate) fn unblock_peer(&mut self, peer: &PeerId) -> bool {
        self.blocked_peers.remove(peer)
    }

    pub(crate) fn block_net(&mut self, net: IpNet) {
        self.blocked_nets.insert(net.trunc());
    }

    pub(crate) fn unblock_net(&mut self, net: IpNet) -> bool {
        self.blocked_nets.remove(&net.trunc())
    }

    pub(crate) fn is_blocked_peer(&self, peer: &PeerId) -> bool {
        self.blocked_peers.contains(peer)
    }

    pub(crate) fn is_blocked_ip(&self, ip: IpAddr) -> bool {
        !self.blocked_nets.is_empty() && self.blocked_nets.iter().any(|net| net.contains(&ip))
    }

    /// `ip` did something wrong. Says what to tell the application, which is not every time.
    pub(crate) fn on_offence(
        &mut self,
        ip: IpAddr,
        kind: AbuseKind,
        now: Instant,
    ) -> Option<Offence> {
        if !self.offenders.contains_key(&source(ip)) {
            self.make_room(now);
        }
        let offender = self
            .offenders
            .entry(source(ip))
            .or_insert_with(|| Offender::new(now));
        offender.on_offence(now);
        let due = offender
            .told_at
            .is_none_or(|told_at| now.saturating_duration_since(told_at) >= TELL_EVERY);
        if !due {
            return None;
        }
        offender.told_at = Some(now);
        let count = std::mem::take(&mut offender.untold);
        Some(Offence {
            kind,
            count,
            refused: offender.is_refused(now),
        })
    }

    /// Keeps the table of offenders within its bound: those who have calmed down go, then the mildest.
    fn make_room(&mut self, now: Instant) {
        if self.offenders.len() < MAX_OFFENDERS {
            return;
        }
        self.offenders
            .retain(|_, offender| offender.is_refused(now) || offender.score_at(now) >= 1.0);
        if self.offenders.len() >= MAX_OFFENDERS {
            let rank = |offender: &Offender| (offender.is_refused(now), offender.score_at(now));
            let mildest = self.offenders.iter().min_by(|(_, a), (_, b)| {
                let (a, b) = (rank(a), rank(b));
                a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
            });
            if let Some(mildest) = mildest.map(|(ip, _)| *ip) {
                self.offenders.remove(&mildest);
            }
        }
    }
}

impl Counts {
    fn admit(
        &mut self,
        ip: Option<IpAddr>,
        total: usize,
        per_address: usize,
        per_prefix: usize,
    ) -> Result<(), Refusal> {
        if self.total >= total {
            return Err(Refusal::Full);
        }
        if let Some(ip) = ip {
            let of_address = self.addresses.get(&ip).copied().unwrap_or_default();
            let of_prefix = self.prefixes.get(&prefix(ip)).copied().unwrap_or_default();
            if of_address >= per_address || of_prefix >= per_prefix {
                return Err(Refusal::Flood);
            }
            *self.addresses.entry(ip).or_default() += 1;
            *self.prefixes.entry(prefix(ip)).or_default() += 1;
        }
        self.total += 1;
        Ok(())
    }

    fn release(&mut self, ip: Option<IpAddr>) {
        self.total -= 1;
        if let Some(ip) = ip {
            decrement(&mut self.addresses, ip);
            decrement(&mut self.prefixes, prefix(ip));
        }
    }
}

fn decrement<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: K) {
    if let std::collections::hash_map::Entry::Occupied(mut entry) = counts.entry(key) {
        *entry.get_mut() -= 1;
        if *entry.get() == 0 {
            entry.remove();
        }
    }
}

impl Offender {
    const fn new(now: Instant) -> Self {
        Self {
            score: 0.0,
            seen_at: now,
            refused_until: None,
            refusals: 0,
            told_at: None,
            untold: 0,
        }
    }

    fn on_offence(&mut self, now: Instant) {
        self.score = self.score_at(now) + 1.0;
        self.seen_at = now;
        self.untold = self.untold.saturating_add(1);
        if self.score < REFUSE_AT || self.is_refused(now) {
            return;
        }
        if self
            .refused_until
            .is_some_and(|until| now.saturating_duration_since(until) > FORGIVE_AFTER)
        {
            self.refusals = 0;
        }
        let time = FIRST_REFUSAL
            .saturating_mul(1 << self.refusals.min(16))
            .min(LONGEST_REFUSAL);
        self.refused_until = Some(now + time);
        self.refusals += 1;
        self.score = 0.0;
    }

    /// Half of a score is forgotten in each [`HALF_LIFE`].
    fn score_at(&self, now: Instant) -> f32 {
        let age = now.saturating_duration_since(self.seen_at);
        self.score * 0.5_f32.powf(age.as_secs_f32() / HALF_LIFE.as_secs_f32())
    }

    fn is_refused(&self, now: Instant) -> bool {
        self.refused_until.is_some_and(|until| now < until)
    }
}

/// Who answers for an address: itself, or under IPv6 the /64, in which one host takes as many as it likes.
fn source(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(_) => IpNet::new_assert(ip, 64).trunc().addr(),
    }
}

/// The network that an address stands for: what one person gets from a provider.
pub(crate) fn prefix(ip: IpAddr) -> IpNet {
    let len = if ip.is_ipv4() { 24 } else { 48 };
    IpNet::new_assert(ip, len).trunc()
}

/// Offences in one [`HALF_LIFE`] before a source is refused: a user who mistypes a network name stays far below.
const REFUSE_AT: f32 = 20.0;
const HALF_LIFE: Duration = Duration::from_secs(60);
/// The first refusal is short, since an honest peer may stand behind the same address.
const FIRST_REFUSAL: Duration = Duration::from_secs(10);
const LONGEST_REFUSAL: Duration = Duration::from_secs(3_600);
/// After that long without a refusal, the next one is a first one again.
const FORGIVE_AFTER: Duration = Duration::from_secs(3_600);
/// How often the application hears of one source.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// Sources remembered; about 400 KiB. Whoever has more addresses than that meets the limits of prefixes.
const MAX_OFFENDERS: usize = 4_096;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn gate() -> (Gate, Instant) {
        let limits = Limits {
            handshakes: 10,
            handshakes_per_address: 2,
            handshakes_per_prefix: 3,
            ..Limits::default()
        };
        (Gate::new(limits), crust_core::rt::now())
    }

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn one_address_or_prefix_cannot_take_every_handshake() {
        let (mut gate, now) = gate();
        let mut admit = |text| gate.admit(Slot::Handshake, ip(text), now);
        assert_eq!(admit("192.0.2.1"), Ok(()));
        assert_eq!(admit("192.0.2.1"), Ok(()));
        assert_eq!(admit("192.0.2.1"), Err(Refusal::Flood));
        assert_eq!(admit("192.0.2.2"), Ok(()));
        assert_eq!(admit("192.0.2.3"), Err(Refusal::Flood));
        assert_eq!(admit("198.51.100.1"), Ok(()));
        assert_eq!(admit("2001:db8:1:1::1"), Ok(()));
        assert_eq!(admit("2001:db8:1:2::1"), Ok(()));
        assert_eq!(admit("2001:db8:1:3::1"), Ok(()));
        assert_eq!(admit("2001:db8:1:4::1"), Err(Refusal::Flood));
    }

    #[test]
    fn handshakes_are_bounded_in_total_and_given_back() {
        let (mut gate, now) = gate();
        for _ in 0..10 {
            gate.admit(Slot::Handshake, None, now).unwrap();
        }
        assert_eq!(gate.admit(Slot::Handshake, None, now), Err(Refusal::Full));
        gate.release(Slot::Handshake, None);
        assert_eq!(gate.admit(Slot::Handshake, ip("192.0.2.1"), now), Ok(()));
    }

    #[test]
    fn blocked_prefix_is_refused_and_unblocked_again() {
        let (mut gate, now) = gate();
        gate.block_net("192.0.2.77/24".parse().unwrap());
        assert_eq!(
            gate.admit(Slot::Handshake, ip("192.0.2.1"), now),
            Err(Refusal::Blocked)
        );
        assert!(gate.unblock_net("192.0.2.0/24".parse().unwrap()));
        assert_eq!(gate.admit(Slot::Handshake, ip("192.0.2.1"), now), Ok(()));
    }

    #[test]
    fn offender_is_refused_for_a_time_that_grows_and_ends() {
        let (mut gate, start) = gate();
        let offender = ip("192.0.2.1").unwrap();
        let mut now = start;
        let mut times = Vec::new();
        for _ in 0..3 {
            while gate.admit(Slot::Session, Some(offender), now).is_ok() {
                gate.on_offence(offender, AbuseKind::Handshake, now);
            }
            let refused_at = now;
            while gate.admit(Slot::Session, Some(offender), now) == Err(Refusal::Penalty) {
                now += Duration::from_secs(1);
            }
            times.push(now - refused_at);
        }
        assert_eq!(times, [FIRST_REFUSAL, 2 * FIRST_REFUSAL, 4 * FIRST_REFUSAL]);
        assert_eq!(gate.admit(Slot::Session, ip("192.0.2.2"), start), Ok(()));
    }

    #[test]
    fn rare_mistakes_are_never_refused() {
        let (mut gate, mut now) = gate();
        for _ in 0..200 {
            gate.on_offence(ip("192.0.2.1").unwrap(), AbuseKind::Handshake, now);
            now += Duration::from_secs(10);
            assert_eq!(gate.admit(Slot::Session, ip("192.0.2.1"), now), Ok(()));
        }
    }

    #[test]
    fn application_hears_at_once_and_then_now_and_then() {
        let (mut gate, now) = gate();
        let offender = ip("192.0.2.1").unwrap();
        let mut told = |at| {
            gate.on_offence(offender, AbuseKind::Handshake, at)
                .map(|offence| offence.count)
        };
        assert_eq!(told(now), Some(1));
        assert_eq!(told(now), None);
        assert_eq!(told(now), None);
        assert_eq!(told(now + TELL_EVERY), Some(3));
    }

    #[test]
    fn table_of_offenders_is_bounded() {
        let (mut gate, now) = gate();
        for number in 0..10_000_u32 {
            gate.on_offence(
                IpAddr::from(number.to_be_bytes()),
                AbuseKind::Handshake,
                now,
            );
        }
        assert!(gate.offenders.len() <= MAX_OFFENDERS);
    }

    proptest! {
        #[test]
        fn counts_return_to_nothing(steps in prop::collection::vec((0_u8..4, any::<bool>()), 0..200)) {
            let (mut gate, now) = gate();
            let mut inside = Vec::new();
            for (host, come) in steps {
                let from = Some(IpAddr::from([192, 0, 2, host]));
                if come && gate.admit(Slot::Handshake, from, now).is_ok() {
                    inside.push(from);
                } else if let Some(from) = inside.pop() {
                    gate.release(Slot::Handshake, from);
                }
            }
            inside.into_iter().for_each(|from| gate.release(Slot::Handshake, from));
            prop_assert_eq!(gate.handshakes.total, 0);
            prop_assert!(gate.handshakes.addresses.is_empty() && gate.handshakes.prefixes.is_empty());
        }
    }
}
