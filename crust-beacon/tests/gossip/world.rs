//! A network of nodes in virtual time: links with delays, bandwidth watched, every die from one seed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use crust_beacon::gossip::{Input, Known, Machine, Moment, Output};
use crust_core::PeerId;

use crate::keys::{Key, KeyVerifier, peer};

/// A network of nodes, known by their numbers.
pub(crate) struct World {
    seed: u64,
    drawn: u64,
    start: Instant,
    now: Instant,
    nodes: BTreeMap<u32, Node>,
    numbers: BTreeMap<PeerId, u32>,
    links: BTreeMap<(u32, u32), Link>,
    timers: BTreeSet<(Instant, u32)>,
    flying: BTreeMap<(Instant, u64), Flying>,
    breaches: Vec<(u32, u32)>,
}

struct Node {
    machine: Machine,
    timer: Instant,
    /// How far its clock is ahead of the true one.
    ahead_ms: u64,
}

/// One direction of a link.
struct Link {
    delay: Duration,
    /// What may be sent now by the bound that the documents give, and when that was so.
    tokens: f64,
    counted: Instant,
    sent: usize,
    lossless: bool,
}

struct Flying {
    from: u32,
    to: u32,
    message: Bytes,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let start = crust_core::rt::now();
        Self {
            seed,
            drawn: 0,
            start,
            now: start,
            nodes: BTreeMap::new(),
            numbers: BTreeMap::new(),
            links: BTreeMap::new(),
            timers: BTreeSet::new(),
            flying: BTreeMap::new(),
            breaches: Vec::new(),
        }
    }

    /// Starts a node that knows nobody.
    pub(crate) fn add(&mut self, number: u32) {
        let ahead_ms = self.below(4_000);
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.draw().to_be_bytes());
        let at = self.moment(ahead_ms);
        let mut machine = Machine::new(peer(number), Arc::new(KeyVerifier), seed, at);
        sign(&mut machine, number, at);
        let timer = machine.poll_timeout();
        self.timers.insert((timer, number));
        self.numbers.insert(peer(number), number);
        let node = Node {
            machine,
            timer,
            ahead_ms,
        };
        self.nodes.insert(number, node);
    }

    /// Opens a session between two nodes.
    pub(crate) fn link(&mut self, a: u32, b: u32) {
        if a == b || self.links.contains_key(&(a, b)) {
            return;
        }
        let delay = Duration::from_millis(10 + self.below(70));
        for (from, to) in [(a, b), (b, a)] {
            let link = Link {
                delay,
                tokens: BURST,
                counted: self.now,
                sent: 0,
                lossless: true,
            };
            self.links.insert((from, to), link);
        }
        self.input(a, Input::Up(peer(b)));
        self.input(b, Input::Up(peer(a)));
    }

    /// Makes the session between two nodes refuse one in four messages, as one does that is full.
    pub(crate) fn clog(&mut self, a: u32, b: u32) {
        for ends in [(a, b), (b, a)] {
            self.links.get_mut(&ends).unwrap().lossless = false;
        }
    }

    /// Takes a node away without a word.
    pub(crate) fn kill(&mut self, number: u32) {
        let node = self.nodes.remove(&number).unwrap();
        self.timers.remove(&(node.timer, number));
        for other in self.neighbours(number) {
            self.links.remove(&(number, other));
            self.links.remove(&(other, number));
            if self.nodes.contains_key(&other) {
                self.input(other, Input::Down(peer(number)));
            }
        }
    }

    /// Hands a node a message as if its peer had sent it, with no regard to bounds.
    pub(crate) fn inject(&mut self, from: u32, to: u32, bytes: &[u8]) {
        let peer = peer(from);
        self.input(to, Input::Message { peer, bytes });
    }

    /// Lets time pass until `goal` is reached, looking every 100 ms; when that was, or `None` after `limit`.
    pub(crate) fn run_until(
        &mut self,
        limit: Duration,
        mut goal: impl FnMut(&mut Self) -> bool,
    ) -> Option<Duration> {
        let began = self.now;
        while self.now < began + limit {
            self.run(Duration::from_millis(100));
            if goal(self) {
                return Some(self.now - began);
            }
        }
        None
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            let timer = self.timers.first().copied();
            let arrival = self.flying.first_key_value().map(|(key, _)| *key);
            let next = timer
                .map(|(at, _)| at)
                .into_iter()
                .chain(arrival.map(|(at, _)| at));
            match next.min() {
                Some(at) if at <= end => self.now = self.now.max(at),
                _ => break,
            }
            match (arrival, timer) {
                (Some(key), _) if key.0 <= self.now => self.arrive(key),
                (_, Some((_, number))) => self.tick(number),
                _ => {}
            }
        }
        self.now = end;
    }

    /// Whom a node knows.
    pub(crate) fn known(&self, number: u32) -> BTreeSet<u32> {
        let known = self.records(number);
        let known = known.iter().map(|known| known.record.peer);
        known
            .map(|peer| self.numbers.get(&peer).copied().unwrap_or(u32::MAX))
            .collect()
    }

    /// The records that a node knows.
    pub(crate) fn records(&self, number: u32) -> Vec<Known> {
        let node = &self.nodes[&number];
        let at = self.moment(node.ahead_ms);
        let mut records: Vec<Known> = Vec::new();
        let mut floor = 0;
        while let Some(known) = node.machine.next_after(floor, at) {
            floor = known.version;
            records.push(known);
        }
        records
    }

    /// Whether each of `numbers` knows all others of them.
    pub(crate) fn all_know(&self, numbers: &BTreeSet<u32>) -> bool {
        numbers.iter().all(|number| {
            let node = &self.nodes[number];
            let at = self.moment(node.ahead_ms);
            let knows = |other: &u32| node.machine.knows(&peer(*other), at);
            node.machine.stats().records >= numbers.len() && numbers.iter().all(knows)
        })
    }

    pub(crate) fn nodes(&self) -> BTreeSet<u32> {
        self.nodes.keys().copied().collect()
    }

    pub(crate) fn machine(&mut self, number: u32) -> &mut Machine {
        &mut self.nodes.get_mut(&number).unwrap().machine
    }

    /// Who told whom what broke the rules.
    pub(crate) fn breaches(&self) -> &[(u32, u32)] {
        &self.breaches
    }

    /// The most that was sent in one direction of a link.
    pub(crate) fn most_sent(&self) -> usize {
        self.links.values().map(|link| link.sent).max().unwrap()
    }

    pub(crate) fn neighbours(&self, number: u32) -> Vec<u32> {
        let links = self.links.range((number, 0)..=(number, u32::MAX));
        links.map(|((_, to), _)| *to).collect()
    }

    pub(crate) fn unix_ms(&self) -> u64 {
        self.moment(0).unix_ms
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound
    }

    pub(crate) fn pick(&mut self, from: &BTreeSet<u32>) -> u32 {
        let index = self.below(from.len() as u64);
        *from.iter().nth(usize::try_from(index).unwrap()).unwrap()
    }

    fn arrive(&mut self, key: (Instant, u64)) {
        let Flying { from, to, message } = self.flying.remove(&key).unwrap();
        if self.links.contains_key(&(from, to)) {
            self.inject(from, to, &message);
        }
    }

    fn tick(&mut self, number: u32) {
        let at = self.moment(self.nodes[&number].ahead_ms);
        self.machine(number).handle_timeout(at);
        self.drain(number);
    }

    fn input(&mut self, number: u32, input: Input<'_>) {
        let at = self.moment(self.nodes[&number].ahead_ms);
        self.machine(number).handle_input(at, input);
        self.drain(number);
    }

    fn drain(&mut self, number: u32) {
        let at = self.moment(self.nodes[&number].ahead_ms);
        while let Some(output) = self.machine(number).poll_output() {
            match output {
                Output::Breach { peer, .. } => self.breaches.push((self.numbers[&peer], number)),
                Output::Learned => {}
                Output::Renew => sign(self.machine(number), number, at),
                Output::Send { peer, message } => self.send(number, self.numbers[&peer], message),
                other => panic!("{other:?}"),
            }
        }
        let node = self.nodes.get_mut(&number).unwrap();
        self.timers.remove(&(node.timer, number));
        node.timer = node.machine.poll_timeout().max(self.now);
        self.timers.insert((node.timer, number));
    }

    fn send(&mut self, from: u32, to: u32, message: Bytes) {
        let full = self.below(4) == 0;
        let link = self.links.get_mut(&(from, to)).unwrap();
        if full && !link.lossless {
            let at = self.moment(self.nodes[&from].ahead_ms);
            let input = Input::Unsent(peer(to));
            self.machine(from).handle_input(at, input);
            return;
        }
        let elapsed = self.now.duration_since(link.counted).as_secs_f64();
        link.tokens = BURST.min(link.tokens + RATE * elapsed) - message.len() as f64;
        link.counted = self.now;
        link.sent += message.len();
        assert!(
            link.tokens > -1.0,
            "seed {}: {from} sends more to {to} than it may, after {:?}",
            self.seed,
            self.now - self.start
        );
        let arrival = self.now + link.delay;
        self.drawn += 1;
        let flying = Flying { from, to, message };
        self.flying.insert((arrival, self.drawn), flying);
    }

    fn moment(&self, ahead_ms: u64) -> Moment {
        let elapsed = u64::try_from((self.now - self.start).as_millis()).unwrap();
        Moment {
            now: self.now,
            unix_ms: START_MS + elapsed + ahead_ms,
        }
    }

    /// SplitMix64.
    fn draw(&mut self) -> u64 {
        self.drawn += 1;
        let mut z = self.seed ^ self.drawn.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// What a facade does when it is asked to: signs the node's record anew.
fn sign(machine: &mut Machine, number: u32, at: Moment) {
    let [_, a, b, c] = number.to_be_bytes();
    let addr = format!("tcp://10.{a}.{b}.{c}:5483");
    let lifetime = u64::try_from(machine.lifetime().as_millis()).unwrap();
    let record = Key::of(number).record(&addr, machine.next_seq(at), lifetime);
    machine.set_local(record, at).unwrap();
}

/// The bound of each direction of a session, from `docs/gossip.md`: so many bytes at once, and so many a second.
const BURST: f64 = 32_768.0;
const RATE: f64 = 2_048.0;

const START_MS: u64 = 1_800_000_000_000;
