//! The addresses of whom is to be reached, in the order in which they are tried.

use std::collections::{HashMap, VecDeque};

use crust_core::{Addr, PeerId};

use crate::node::inner::Inner;

/// Addresses to try: those known at the start, and those of the peer that come to be known meanwhile.
#[derive(Debug)]
pub(crate) struct Ways {
    peer: Option<PeerId>,
    waiting: VecDeque<Addr>,
    seen: Vec<Addr>,
    /// Where this node is itself; no peer is there, whatever others say.
    own: Vec<Addr>,
    /// The same place by uTP, where TCP alone was named.
    implied: Option<Addr>,
}

impl Ways {
    /// `asked`: the application wants it, and knows what it says.
    pub(crate) fn new(
        inner: &Inner,
        peer: Option<PeerId>,
        known: VecDeque<Addr>,
        asked: bool,
    ) -> Self {
        let mut own = Vec::new();
        if !asked {
            own.extend(inner.addrs_to_tell());
            own.extend(inner.listening.iter().cloned());
        }
        let mut ways = Self {
            peer,
            waiting: VecDeque::new(),
            seen: Vec::new(),
            own,
            implied: implied(inner, &known),
        };
        for addr in by_turns(known) {
            if ways.is_new(&addr) {
                ways.waiting.push_back(addr);
            }
        }
        ways
    }

    /// The next to try.
    pub(crate) fn next(&mut self) -> Option<Addr> {
        self.waiting.pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Another way to the one place that was named, once that has not answered for a while: nodes have both transports at one
    /// port where they can, and a network may carry only one.
    pub(crate) fn take_implied(&mut self) -> Option<Addr> {
        if !self.waiting.is_empty() {
            return None;
        }
        let implied = self.implied.take()?;
        self.is_new(&implied).then_some(implied)
    }

    /// Takes what was heard since: it comes first, for the peer may have moved.
    pub(crate) fn refresh(&mut self, inner: &Inner) {
        let Some(peer) = self.peer else { return };
        for addr in inner.addrs(&peer).into_iter().rev() {
            if self.is_new(&addr) {
                self.waiting.push_front(addr);
            }
        }
    }

    fn is_new(&mut self, addr: &Addr) -> bool {
        let is_known = self.seen.contains(addr) || self.own.contains(addr);
        let is_new = !is_known && self.seen.len() < MAX_SEEN;
        if is_new {
            self.seen.push(addr.clone());
        }
        is_new
    }
}

fn implied(inner: &Inner, known: &VecDeque<Addr>) -> Option<Addr> {
    let speaks_utp = inner
        .transports
        .iter()
        .any(|transport| transport.schemes().contains(&"utp"));
    match known.iter().collect::<Vec<_>>()[..] {
        [addr] if addr.scheme() == "tcp" && speaks_utp => Some(addr.with_scheme("utp")),
        _ => None,
    }
}

/// One of each transport after the other, in the order in which they come: where a network carries only one of them,
/// that one has its turn soon.
fn by_turns(addrs: VecDeque<Addr>) -> Vec<Addr> {
    let mut counts = HashMap::<String, usize>::new();
    let mut turns: Vec<_> = addrs
        .into_iter()
        .map(|addr| {
            let count = counts.entry(addr.scheme().to_owned()).or_default();
            *count += 1;
            (*count, addr)
        })
        .collect();
    turns.sort_by_key(|(turn, _)| *turn);
    turns.into_iter().map(|(_, addr)| addr).collect()
}

/// Addresses tried for one peer; after so many it is told that it cannot be reached.
const MAX_SEEN: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_transport_has_its_turn() {
        let addr = |text: &str| text.parse::<Addr>().unwrap();
        let known = [
            "tcp://a:1",
            "tcp://b:1",
            "tcp://c:1",
            "utp://a:1",
            "utp://b:1",
        ];
        let turns = by_turns(known.map(addr).into());
        let expected = [
            "tcp://a:1",
            "utp://a:1",
            "tcp://b:1",
            "utp://b:1",
            "tcp://c:1",
        ];
        assert_eq!(turns, expected.map(addr));
    }
}
