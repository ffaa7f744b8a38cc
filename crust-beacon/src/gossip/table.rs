//! The records a node knows: so many in all, from each source, and of each prefix.

mod entry;
mod forgotten;
mod index;
mod prefix;
mod slots;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use crust_core::{Addr, PeerId, PeerRecord};

use self::{
    entry::Dials,
    forgotten::Forgotten,
    index::{Index, Place, gives_way, shares_of},
    prefix::Prefix,
    slots::{Marks, Slots},
};
pub(super) use self::{entry::Entry, slots::Slot};
use super::{
    candidate::Candidate, digest::Digest, ignored::Ignored, moment::Moment, wire::record_len,
};

/// The records a node knows, its own included.
///
/// Invariants: at most [`MAX_RECORDS`], [`MAX_PER_SOURCE`] told by any one peer, [`MAX_PER_PREFIX`] in any one prefix;
/// and while its source is connected, a record gives way to others only where that source has more than an equal share.
/// A source is the peer that told a record first, and later ones of the same peer count for it too; but a peer that has
/// proven itself, in a session or when it was dialed, is its own source.
#[derive(Debug)]
pub(super) struct Table {
    local: PeerId,
    entries: BTreeMap<PeerId, Entry>,
    index: Index,
    slots: Slots,
    forgotten: Forgotten,
    /// Counts changes; an entry keeps the count at its own last one.
    head: u64,
}

impl Table {
    /// An empty one of the node `local`.
    pub(super) fn new(local: PeerId) -> Self {
        Self {
            local,
            entries: BTreeMap::new(),
            index: Index::default(),
            slots: Slots::default(),
            forgotten: Forgotten::default(),
            head: 0,
        }
    }

    /// A session with `peer` began; `None` where no more can take part.
    pub(super) fn join(&mut self, peer: PeerId) -> Option<Slot> {
        self.on_proven(&peer);
        self.slots.join(peer)
    }

    /// The session with `peer` ended. What it told stays, and is the first to give way.
    pub(super) fn leave(&mut self, peer: &PeerId) {
        if let Some(slot) = self.slots.leave(peer) {
            let entries = self.entries.values_mut();
            entries.for_each(|entry| entry.known.set(slot, false));
        }
    }

    /// Puts this node's own record in. Its peer is this node's name from then on.
    pub(super) fn set_local(&mut self, candidate: Candidate) {
        if candidate.record.peer != self.local {
            self.remove(&self.local.clone());
            self.local = candidate.record.peer;
        }
        let prefixes = Prefix::all_of(&candidate.record.addrs);
        if !self.entries.contains_key(&self.local) && self.entries.len() >= MAX_RECORDS {
            let victim = self.overall_victim(&self.local);
            victim.iter().for_each(|peer| self.remove(peer));
        }
        self.put(candidate, self.local, prefixes, Marks::default());
    }

    /// Puts in what `teller` told, if there is or can be made room; its signature is the caller's to check.
    pub(super) fn insert(&mut self, candidate: Candidate, teller: &PeerId) -> Result<(), Ignored> {
        self.check(&candidate.record, teller)?;
        let source = self.source(&candidate.record.peer, teller);
        let prefixes = Prefix::all_of(&candidate.record.addrs);
        let victims = self.victims(&candidate.record.peer, &source, &prefixes)?;
        victims.iter().for_each(|peer| self.remove(peer));
        self.forgotten.remove(&candidate.record.peer);
        let mut known = Marks::default();
        if let Some(slot) = self.slots.of(teller) {
            known.set(slot, true);
        }
        self.put(candidate, source, prefixes, known);
        Ok(())
    }

    /// Learns from a record that `teller` has it, or has an older one; true where it should be sent ours therefore.
    ///
    /// Of two ages of one record the lower holds, so that who makes a record look old hides nobody.
    pub(super) fn on_told(
        &mut self,
        record: &PeerRecord,
        made_at: Instant,
        teller: &PeerId,
    ) -> bool {
        let slot = self.slots.of(teller);
        let (Some(slot), Some(entry)) = (slot, self.entries.get_mut(&record.peer)) else {
            return false;
        };
        let is_current = record.seq >= entry.seq;
        if record.seq == entry.seq && made_at > entry.made_at {
            entry.silent_at += made_at - entry.made_at;
            entry.made_at = made_at;
        }
        entry.known.set(slot, is_current);
        !is_current
    }

    /// Learns from a digest what the peer of `slot` has.
    ///
    /// What it lacks though it was sent it, it is sent again: [`MAX_REPAIRS`] of them, from `start` on, since it may
    /// have no room for them; and only what came here before `recheck`, since the rest may be on its way.
    pub(super) fn on_digest(&mut self, slot: Slot, digest: &Digest, recheck: u64, start: PeerId) {
        let mut repairs = MAX_REPAIRS;
        let mut learn = |peer: &PeerId, entry: &mut Entry| {
            let has_it = digest.contains(peer, entry.seq);
            let is_lost = entry.known.has(slot) && entry.place.version <= recheck;
            if has_it {
                entry.known.set(slot, true);
            } else if is_lost && repairs > 0 {
                repairs -= 1;
                entry.known.set(slot, false);
            }
        };
        let after = self.entries.range_mut(start..);
        after.for_each(|(peer, entry)| learn(peer, entry));
        let before = self.entries.range_mut(..start);
        before.for_each(|(peer, entry)| learn(peer, entry));
    }

    /// The peer of `slot` was sent the record of `peer`, or was not after all.
    pub(super) fn on_sent(&mut self, peer: &PeerId, slot: Slot, sent: bool) {
        if let Some(entry) = self.entries.get_mut(peer) {
            entry.known.set(slot, sent);
        }
    }

    /// Drops the record of `peer`, and takes none that is as old; false where there is none, or `peer` is connected.
    pub(super) fn forget(&mut self, peer: &PeerId) -> bool {
        if *peer == self.local || self.slots.has(peer) {
            return false;
        }
        let Some(entry) = self.entries.get(peer) else {
            return false;
        };
        self.forgotten.insert(*peer, entry.seq, entry.expires);
        self.remove(peer);
        true
    }

    /// Learns that a dial to `peer` at `addr` failed. Where all its addresses have, twice, it is forgotten: true.
    pub(super) fn on_failed(&mut self, peer: &PeerId, addr: &Addr) -> bool {
        let entry = self.entries.get_mut(peer);
        entry.is_some_and(|entry| entry.failed(addr)) && self.forget(peer)
    }

    /// Learns that a dial to `peer` succeeded.
    pub(super) fn on_reached(&mut self, peer: &PeerId) {
        if let Some(entry) = self.entries.get_mut(peer) {
            entry.dials = Dials::default();
        }
        self.on_proven(peer);
    }

    /// Holds to be dead whoever has renewed no record for too long; who is connected is not.
    pub(super) fn drop_silent(&mut self, now: Instant) {
        let entries = self.entries.iter();
        let silent = entries.filter(|(_, entry)| entry.silent_at <= now);
        let silent: Vec<_> = silent.map(|(peer, _)| *peer).collect();
        for peer in &silent {
            // Not forgotten: whoever tells the same record with a lower age knows better.
            if *peer != self.local && !self.slots.has(peer) {
                self.remove(peer);
            }
        }
    }

    /// Drops what has expired.
    pub(super) fn purge(&mut self, unix_ms: u64) {
        let entries = self.entries.iter();
        let expired = entries.filter(|(_, entry)| !entry.is_live(unix_ms));
        let expired: Vec<_> = expired.map(|(peer, _)| *peer).collect();
        expired.iter().for_each(|peer| self.remove(peer));
        self.forgotten.purge(unix_ms);
    }

    /// Whether `record` would be taken from `teller`, as far as that costs nothing to say.
    pub(super) fn check(&self, record: &PeerRecord, teller: &PeerId) -> Result<(), Ignored> {
        if record.peer == self.local {
            return Err(Ignored::Own);
        }
        if let Some(entry) = self.entries.get(&record.peer) {
            return match record.seq.cmp(&entry.seq) {
                std::cmp::Ordering::Less => Err(Ignored::Older),
                std::cmp::Ordering::Equal => Err(Ignored::Known),
                std::cmp::Ordering::Greater => Ok(()),
            };
        }
        if self.forgotten.has(&record.peer, record.seq) {
            return Err(Ignored::Forgotten);
        }
        if self.index.told_by(teller) >= MAX_PER_SOURCE {
            return Err(Ignored::SourceFull);
        }
        Ok(())
    }

    /// This node's own record.
    pub(super) fn local(&self) -> Option<&Entry> {
        self.entries.get(&self.local)
    }

    /// What the peer of `slot` does not have: this node's own record, then the last that came after `floor` first.
    pub(super) fn unknown_to(
        &self,
        slot: Slot,
        floor: u64,
        unix_ms: u64,
    ) -> impl Iterator<Item = (&PeerId, &Entry)> {
        let newest = self.index.newest_first(floor);
        let newest = newest.filter(|peer| **peer != self.local);
        std::iter::once(&self.local)
            .chain(newest)
            .filter_map(|peer| Some((peer, self.entries.get(peer)?)))
            .filter(move |(_, entry)| entry.is_unknown_to(slot) && entry.is_live(unix_ms))
    }

    /// The first record of another node that came after `floor`.
    pub(super) fn next_after(&self, floor: u64, at: Moment) -> Option<&Entry> {
        let mut others = self.index.oldest_first(floor);
        others.find_map(|peer| {
            let entry = self.entries.get(peer)?;
            let is_known = entry.is_live(at.unix_ms) && entry.silent_at > at.now;
            (*peer != self.local && is_known).then_some(entry)
        })
    }

    /// The record of `peer`, if it still holds.
    pub(super) fn of(&self, peer: &PeerId, unix_ms: u64) -> Option<&Entry> {
        let entry = self.entries.get(peer)?;
        entry.is_live(unix_ms).then_some(entry)
    }

    /// All that is known, in a few bytes.
    pub(super) fn digest(&self, salt: u64) -> Digest {
        let mut digest = Digest::with_room(self.entries.len(), salt);
        for (peer, entry) in &self.entries {
            digest.insert(peer, entry.seq);
        }
        digest
    }

    /// How many records there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many changes there were.
    pub(super) const fn head(&self) -> u64 {
        self.head
    }

    /// `peer` is no invention: its record counts for itself from now on, and no more for who told it.
    fn on_proven(&mut self, peer: &PeerId) {
        if let Some(entry) = self.entries.get_mut(peer) {
            self.index.remove(entry.place, &entry.prefixes);
            entry.place.source = *peer;
            self.index.insert(entry.place, &entry.prefixes);
        }
    }

    /// For whom a record of `peer` counts that `teller` tells: who told it first, unless that one is gone.
    fn source(&self, peer: &PeerId, teller: &PeerId) -> PeerId {
        let Some(entry) = self.entries.get(peer).filter(|_| teller != peer) else {
            return *teller;
        };
        let stays = self.slots.has(&entry.place.source);
        let has_room = self.index.told_by(teller) < MAX_PER_SOURCE;
        if stays || !has_room {
            entry.place.source
        } else {
            *teller
        }
    }

    /// Whose records give way to one of `peer` that `source` told; an error where they do not.
    fn victims(
        &self,
        peer: &PeerId,
        source: &PeerId,
        prefixes: &[Prefix],
    ) -> Result<BTreeSet<PeerId>, Ignored> {
        let mut victims = BTreeSet::new();
        for prefix in prefixes {
            let places = self.index.others_in(prefix, peer);
            let others: Vec<_> = places
                .filter(|place| !victims.contains(&place.peer))
                .collect();
            if others.len() >= MAX_PER_PREFIX {
                let victim = self.victim_among(&others, source);
                victims.insert(victim.ok_or(Ignored::PrefixFull)?);
            }
        }
        let is_new = !self.entries.contains_key(peer);
        if is_new && victims.is_empty() && self.entries.len() >= MAX_RECORDS {
            let victim = self.overall_victim(source);
            victims.insert(victim.ok_or(Ignored::TableFull)?);
        }
        Ok(victims)
    }

    fn victim_among(&self, places: &[&Place], newcomer: &PeerId) -> Option<PeerId> {
        let shares = shares_of(places.iter().copied());
        let loser = self.loser(shares.into_iter(), newcomer)?;
        let oldest = places.iter().find(|place| place.source == loser);
        oldest.map(|place| place.peer)
    }

    fn overall_victim(&self, newcomer: &PeerId) -> Option<PeerId> {
        let loser = self.loser(self.index.shares(), newcomer)?;
        self.index.oldest_of(&loser).map(|place| place.peer)
    }

    /// The source that gives way to `newcomer`; this node itself never does.
    fn loser(
        &self,
        shares: impl Iterator<Item = (PeerId, usize)>,
        newcomer: &PeerId,
    ) -> Option<PeerId> {
        let shares = shares.filter(|(source, _)| *source != self.local);
        gives_way(shares, newcomer, |source| self.slots.has(source))
    }

    fn put(&mut self, candidate: Candidate, source: PeerId, prefixes: Vec<Prefix>, known: Marks) {
        let silent_at = candidate.made_at + candidate.patience();
        let Candidate {
            record,
            signed,
            made_at,
        } = candidate;
        self.remove(&record.peer);
        self.head += 1;
        let place = Place {
            version: self.head,
            peer: record.peer,
            source,
        };
        self.index.insert(place, &prefixes);
        let entry = Entry {
            len: record_len(&signed),
            signed,
            seq: record.seq,
            expires: record.expires,
            made_at,
            silent_at,
            place,
            prefixes,
            known,
            dials: Dials::default(),
        };
        self.entries.insert(record.peer, entry);
    }

    fn remove(&mut self, peer: &PeerId) {
        if let Some(entry) = self.entries.remove(peer) {
            self.index.remove(entry.place, &entry.prefixes);
        }
    }
}

/// Records in all: 4 MB of those that are usual, 15 MB of the longest.
const MAX_RECORDS: usize = 10_000;

/// Records that one peer told: 5 % of the table, so that 19 that lie leave room for what others tell.
const MAX_PER_SOURCE: usize = MAX_RECORDS / 20;

/// Records of one prefix: as many as a /24 has addresses, so that a LAN is not cut.
const MAX_PER_PREFIX: usize = 256;

/// Records sent again in answer to one digest.
const MAX_REPAIRS: usize = 16;

#[cfg(test)]
mod tests;
