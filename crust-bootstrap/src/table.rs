//! All that the cache knows, in memory: told what happens and what time it is.

use std::{collections::BTreeMap, time::Duration};

use crust_core::{Addr, PeerId, Reach, SignedRecord};

use crate::{
    entry::{Entry, Record},
    imported::NotKept,
    known::{MAX_FAILURES, MAX_OFFLINE_FAILURES},
    lans::Lans,
    rank::{Rank, rank},
    settle::settle,
};

/// All that the cache knows. Times are in milliseconds since the Unix epoch.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    own: PeerId,
    lans: Lans,
    online: bool,
    entries: BTreeMap<PeerId, Entry>,
    /// Who was removed: what others say of it from before then is no news.
    gone: BTreeMap<PeerId, Gone>,
    /// Everything heard until then was cleared; zero where nothing ever was.
    cleared_ms: u64,
}

impl Table {
    /// An empty one, for the peer `own`, who never gets in.
    pub(crate) fn new(own: PeerId) -> Self {
        Self {
            own,
            lans: Lans::default(),
            online: true,
            entries: BTreeMap::new(),
            gone: BTreeMap::new(),
            cleared_ms: 0,
        }
    }

    /// `peer` proved itself at `addr`, `rtt` after the dial began. True where that changed anything.
    pub(crate) fn on_reached(
        &mut self,
        addr: &Addr,
        peer: PeerId,
        rtt: Duration,
        now_ms: u64,
    ) -> bool {
        if peer == self.own {
            return false;
        }
        let rtt_ms = u32::try_from(rtt.as_millis()).unwrap_or(u32::MAX);
        let changed = self.change(peer, now_ms, |entry, lans| {
            entry.on_reached(addr, lans, now_ms, rtt_ms)
        });
        if changed {
            self.gone.remove(&peer);
        }
        changed
    }

    /// Nobody answered at `addr`, or not `peer`. True where that changed anything.
    pub(crate) fn on_failed(&mut self, addr: &Addr, peer: Option<PeerId>, now_ms: u64) -> bool {
        let limit = match self.online {
            true => MAX_FAILURES,
            false => MAX_OFFLINE_FAILURES,
        };
        let meant: Vec<PeerId> = match peer {
            Some(peer) => vec![peer],
            None => self.entries.keys().copied().collect(),
        };
        let mut changed = false;
        for peer in meant {
            let Some(entry) = self.entries.get_mut(&peer) else {
                continue;
            };
            changed |= entry.on_failed(addr, now_ms, limit);
            if entry.is_dead() {
                self.bury(peer, now_ms);
            }
        }
        changed
    }

    /// Takes a record that was verified. True where that changed anything.
    pub(crate) fn on_record(&mut self, record: Record, now_ms: u64) -> bool {
        let (peer, seq) = (record.said.peer, record.said.seq);
        let is_old = |gone: &Gone| seq <= gone.seq;
        if peer == self.own || self.gone.get(&peer).is_some_and(is_old) {
            return false;
        }
        self.change(peer, now_ms, |entry, lans| {
            entry.on_record(record, lans, now_ms)
        })
    }

    /// The user says that `peer` is at `addr`. True where that is news.
    pub(crate) fn on_import(
        &mut self,
        peer: PeerId,
        addr: &Addr,
        now_ms: u64,
    ) -> Result<bool, NotKept> {
        if peer == self.own {
            return Err(NotKept::Oneself);
        }
        if self.knows(&peer, addr) {
            return Ok(false);
        }
        let reach = Reach::of(addr);
        if self.lans.place(reach, false).is_none() {
            return Err(match reach {
                Reach::Nowhere => NotKept::Nowhere,
                _ => NotKept::OtherLan,
            });
        }
        self.gone.remove(&peer);
        self.change(peer, now_ms, |entry, lans| {
            let is_new = entry.on_heard(addr, lans);
            entry.tidy(now_ms);
            is_new
        });
        match self.knows(&peer, addr) {
            true => Ok(true),
            false => Err(NotKept::NoRoom),
        }
    }

    /// Forgets everybody, and makes those who share the file forget them too.
    pub(crate) fn clear(&mut self, now_ms: u64) {
        self.entries.clear();
        self.gone.clear();
        self.cleared_ms = now_ms;
    }

    /// Takes what others know more, in whatever order, and however often.
    pub(crate) fn merge(
        &mut self,
        entries: impl IntoIterator<Item = Entry>,
        cleared_ms: u64,
        now_ms: u64,
    ) {
        let mut entries: Vec<Entry> = entries.into_iter().collect();
        settle(self.entries.values_mut().chain(&mut entries), now_ms);
        self.settle(cleared_ms, now_ms);
        for mut entry in entries {
            if entry.peer == self.own || self.is_gone(&entry) {
                continue;
            }
            match self.entries.get_mut(&entry.peer) {
                Some(ours) => ours.merge(entry, now_ms),
                None => {
                    entry.tidy(now_ms);
                    self.entries.insert(entry.peer, entry);
                }
            }
        }
        let cleared_ms = self.cleared_ms;
        let is_left = |entry: &Entry| cleared_ms == 0 || entry.last_sign_ms() > cleared_ms;
        self.entries.retain(|_, entry| is_left(entry));
        // Together they may know enough failures.
        let dead = self.entries.values().filter(|entry| entry.is_dead());
        for peer in dead.map(|entry| entry.peer).collect::<Vec<_>>() {
            self.bury(peer, now_ms);
        }
        self.trim(now_ms);
    }

    /// The prefixes in which this node has addresses.
    pub(crate) fn set_lans(&mut self, lans: Lans) {
        self.lans = lans;
    }

    /// Whether this node reaches anybody at all.
    pub(crate) fn set_online(&mut self, online: bool) {
        self.online = online;
    }

    /// Peers and addresses to dial from here, the best first.
    pub(crate) fn offers(&self, now_ms: u64) -> Vec<(PeerId, Vec<Addr>)> {
        let mut offers: Vec<_> = self
            .entries
            .values()
            .filter_map(|entry| {
                let known = entry.offers(&self.lans, now_ms);
                let rank = rank(known.first()?, entry.heard_ms, now_ms);
                let addrs = known.iter().map(|known| known.addr.clone()).collect();
                Some((rank, entry.peer, addrs))
            })
            .collect();
        offers.sort_by_key(|(rank, peer, _)| (*rank, *peer));
        offers
            .into_iter()
            .map(|(_, peer, addrs)| (peer, addrs))
            .collect()
    }

    /// Records to hand on, the best `limit` first: those whose every address can be dialed from here.
    pub(crate) fn records(&self, limit: usize, now_ms: u64) -> Vec<SignedRecord> {
        let lasts = |entry: &&Entry| {
            let record = entry.record.as_ref();
            let is_here = entry
                .known
                .iter()
                .all(|known| self.lans.is_here(&known.place));
            record.is_some_and(|record| record.said.expires > now_ms) && is_here
        };
        let mut best: Vec<_> = self.entries.values().filter(lasts).collect();
        best.sort_by_key(|entry| worth(entry, now_ms));
        let records = best.into_iter().take(limit);
        records
            .filter_map(|entry| Some(entry.record.as_ref()?.signed.clone()))
            .collect()
    }

    /// Everybody, the one most worth keeping first.
    pub(crate) fn entries(&self, now_ms: u64) -> Vec<&Entry> {
        let mut entries: Vec<_> = self.entries.values().collect();
        entries.sort_by_key(|entry| worth(entry, now_ms));
        entries
    }

    /// Everybody, in the order of their ids.
    pub(crate) fn into_entries(self) -> Vec<Entry> {
        self.entries.into_values().collect()
    }

    /// Whether `addr` is among the addresses of `peer`.
    pub(crate) fn knows(&self, peer: &PeerId, addr: &Addr) -> bool {
        let entry = self.entries.get(peer);
        entry.is_some_and(|entry| entry.knows(addr))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// When it was last cleared; zero where it never was.
    pub(crate) fn cleared_ms(&self) -> u64 {
        self.cleared_ms
    }

    /// Changes the entry of `peer`, or a new one that stays if there is anything in it then.
    fn change(
        &mut self,
        peer: PeerId,
        now_ms: u64,
        change: impl FnOnce(&mut Entry, &Lans) -> bool,
    ) -> bool {
        if let Some(entry) = self.entries.get_mut(&peer) {
            return change(entry, &self.lans);
        }
        let mut entry = Entry::new(peer, now_ms);
        if !change(&mut entry, &self.lans) {
            return false;
        }
        self.entries.insert(peer, entry);
        self.trim(now_ms);
        self.entries.contains_key(&peer)
    }

    fn bury(&mut self, peer: PeerId, now_ms: u64) {
        let Some(entry) = self.entries.remove(&peer) else {
            return;
        };
        let seq = entry.seq;
        self.gone.insert(peer, Gone { at_ms: now_ms, seq });
        if self.gone.len() > MAX_PEERS {
            let oldest = self
                .gone
                .iter()
                .min_by_key(|(peer, gone)| (gone.at_ms, **peer));
            if let Some(peer) = oldest.map(|(peer, _)| *peer) {
                self.gone.remove(&peer);
            }
        }
    }

    /// Whether `entry`, from others, was removed here and says nothing since.
    fn is_gone(&self, entry: &Entry) -> bool {
        self.gone
            .get(&entry.peer)
            .is_some_and(|gone| entry.last_sign_ms() <= gone.at_ms && entry.seq <= gone.seq)
    }

    /// The same as [`settle()`] for what is not in entries; and takes the later clearing.
    fn settle(&mut self, cleared_ms: u64, now_ms: u64) {
        for gone in self.gone.values_mut() {
            gone.at_ms = gone.at_ms.min(now_ms);
        }
        // A clearing in the future is by a wrong clock; what is heard now must not fall under it.
        let cleared = [self.cleared_ms, cleared_ms].into_iter();
        self.cleared_ms = cleared.filter(|at_ms| *at_ms <= now_ms).max().unwrap_or(0);
    }

    /// Removes those least worth keeping beyond [`MAX_PEERS`].
    fn trim(&mut self, now_ms: u64) {
        if self.entries.len() <= MAX_PEERS {
            return;
        }
        let worst: Vec<PeerId> = self
            .entries(now_ms)
            .iter()
            .skip(MAX_PEERS)
            .map(|entry| entry.peer)
            .collect();
        for peer in worst {
            self.entries.remove(&peer);
        }
    }
}

/// When a peer was removed, and how new its record was.
#[derive(Debug, Clone, Copy)]
struct Gone {
    at_ms: u64,
    seq: u64,
}

/// Peers kept at most; at some 300 bytes each they fit into the file's 512 KiB.
pub(crate) const MAX_PEERS: usize = 1_500;

/// The smallest is most worth keeping. Whoever was reached goes before all who were not, so that no flood of rumours
/// drives a peer out that is known to be one.
fn worth(entry: &Entry, now_ms: u64) -> (bool, Option<Rank>, PeerId) {
    (!entry.was_reached(), entry.rank(now_ms), entry.peer)
}

#[cfg(test)]
mod tests;
