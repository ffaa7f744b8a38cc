//! Contacts that have no room: the ways into their parts of the network.

use std::collections::{HashMap, HashSet};

use crust_core::{Addr, PeerId};

use crate::recent::Recent;

/// Whoever is told of a contact is to meet it once, or one that it tells of: two parts of a network, each content with
/// itself, would otherwise never hear of each other where the contact between them is always full.
#[derive(Debug)]
pub(super) struct Bridges {
    /// Who told of a peer last.
    told: Recent<PeerId, PeerId>,
    /// Those without room, and the contact that led to each.
    full: Recent<PeerId, Addr>,
    /// How many each contact has led to, of those that were dialed in its place.
    tried: HashMap<Addr, u32>,
}

impl Bridges {
    pub(super) fn new() -> Self {
        Self {
            told: Recent::new(MAX_TOLD),
            full: Recent::new(MAX_FULL),
            tried: HashMap::new(),
        }
    }

    /// `teller` told of `peer`. Whoever was told of by one that is full stays with that one: others that name it too do not take
    /// the way away.
    pub(super) fn on_told(&mut self, peer: PeerId, teller: PeerId) {
        if !self.leads(&peer) {
            self.told.insert(peer, teller);
        }
    }

    /// `peer` is dialed in a contact's place. Of all that a contact leads to no more than [`MOST_TRIED`] are, until it is dialed
    /// again: whoever is told of is a stranger, and may be told of for its harm.
    pub(super) fn on_dialed(&mut self, peer: &PeerId) {
        if let Some(contact) = self.contact(peer).cloned() {
            if self.tried.len() >= MAX_FULL {
                self.tried.clear();
            }
            *self.tried.entry(contact).or_default() += 1;
        }
    }

    /// `peer` answered at the contact's address, and has no room. So those that it tells of lead to the contact's part.
    pub(super) fn on_contact_full(&mut self, contact: &Addr, peer: PeerId) {
        self.tried.remove(contact);
        self.full.insert(peer, contact.clone());
    }

    /// `peer` has no room: what it tells of leads where it leads.
    pub(super) fn on_full(&mut self, peer: PeerId) {
        if let Some(contact) = self.contact(&peer).cloned() {
            self.full.insert(peer, contact);
        }
    }

    /// Whether `peer` leads to where a contact is that was not met, and is to be tried.
    pub(super) fn leads(&self, peer: &PeerId) -> bool {
        self.contact(peer).is_some_and(|contact| {
            self.tried
                .get(contact)
                .is_none_or(|tried| *tried < MOST_TRIED)
        })
    }

    /// Gives the contacts whose parts of the network are reached, for there is a session with somebody there.
    pub(super) fn take_reached<'a>(
        &mut self,
        peers: impl Iterator<Item = &'a PeerId>,
    ) -> HashSet<Addr> {
        let reached: HashSet<_> = peers
            .filter_map(|peer| self.contact(peer))
            .cloned()
            .collect();
        if !reached.is_empty() {
            self.full.retain(|contact| !reached.contains(contact));
            self.tried.retain(|contact, _| !reached.contains(contact));
        }
        reached
    }

    fn contact(&self, peer: &PeerId) -> Option<&Addr> {
        self.full.get(self.told.get(peer)?)
    }
}

/// As many as 32 that are full tell of.
const MAX_TOLD: usize = 1_024;
const MAX_FULL: usize = 64;
/// As many as one that is full tells of.
const MOST_TRIED: u32 = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u8) -> PeerId {
        PeerId::from_bytes([number; 32])
    }

    #[test]
    fn one_that_a_full_contact_tells_of_leads_to_it_until_it_is_met() {
        let mut bridges = Bridges::new();
        let contact: Addr = "tcp://192.0.2.1:1".parse().unwrap();
        bridges.on_told(peer(2), peer(1));
        assert!(!bridges.leads(&peer(2)), "nobody was full");
        bridges.on_contact_full(&contact, peer(1));
        assert!(bridges.leads(&peer(2)));
        // It is full too, and tells of another.
        bridges.on_told(peer(3), peer(2));
        assert!(!bridges.leads(&peer(3)));
        bridges.on_full(peer(2));
        assert!(bridges.leads(&peer(3)));
        assert_eq!(bridges.take_reached([peer(9)].iter()).len(), 0);
        let reached = bridges.take_reached([peer(9), peer(3)].iter());
        assert_eq!(reached, HashSet::from([contact]));
        assert!(!bridges.leads(&peer(2)) && !bridges.leads(&peer(3)));
    }

    #[test]
    fn contact_leads_to_so_many_and_its_tellers_keep_whom_they_told_of() {
        let mut bridges = Bridges::new();
        let contact: Addr = "tcp://192.0.2.1:1".parse().unwrap();
        bridges.on_told(peer(2), peer(1));
        bridges.on_contact_full(&contact, peer(1));
        bridges.on_told(peer(2), peer(9));
        assert!(bridges.leads(&peer(2)));
        for _ in 0..MOST_TRIED {
            assert!(bridges.leads(&peer(2)));
            bridges.on_dialed(&peer(2));
        }
        assert!(!bridges.leads(&peer(2)), "enough was tried");
        bridges.on_contact_full(&contact, peer(1));
        assert!(bridges.leads(&peer(2)), "the contact was dialed again");
        bridges.on_dialed(&peer(2));
        assert_eq!(bridges.take_reached([peer(2)].iter()).len(), 1);
    }

    #[test]
    fn contact_whose_part_is_full_of_those_that_are_full_stands_in_no_others_way() {
        let mut bridges = Bridges::new();
        let [first, second] =
            ["tcp://192.0.2.1:1", "tcp://192.0.2.2:1"].map(|addr| addr.parse::<Addr>().unwrap());
        for number in 0..80 {
            bridges.on_contact_full(&first, peer(number));
        }
        bridges.on_told(peer(201), peer(200));
        bridges.on_contact_full(&second, peer(200));
        assert!(bridges.leads(&peer(201)));
    }

    #[test]
    fn one_that_is_full_and_came_by_no_contact_leads_nowhere() {
        let mut bridges = Bridges::new();
        bridges.on_told(peer(2), peer(1));
        bridges.on_full(peer(1));
        assert!(!bridges.leads(&peer(2)));
    }
}
