//! Where a table's records came from and point to, and which of them give way to others.

use std::collections::{BTreeMap, BTreeSet};

use crust_core::PeerId;

use super::prefix::Prefix;

/// A record's place: when it came, whose it is, who told it. Ordered by when it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) version: u64,
    pub(super) peer: PeerId,
    pub(super) source: PeerId,
}

/// The records by when they came, by who told them, and by prefix.
#[derive(Debug, Default)]
pub(super) struct Index {
    by_version: BTreeMap<u64, PeerId>,
    by_source: BTreeMap<PeerId, BTreeSet<Place>>,
    by_prefix: BTreeMap<Prefix, BTreeSet<Place>>,
}

impl Index {
    pub(super) fn insert(&mut self, place: Place, prefixes: &[Prefix]) {
        self.by_version.insert(place.version, place.peer);
        self.by_source
            .entry(place.source)
            .or_default()
            .insert(place);
        for prefix in prefixes {
            self.by_prefix.entry(*prefix).or_default().insert(place);
        }
    }

    pub(super) fn remove(&mut self, place: Place, prefixes: &[Prefix]) {
        self.by_version.remove(&place.version);
        take_from(&mut self.by_source, &place.source, &place);
        for prefix in prefixes {
            take_from(&mut self.by_prefix, prefix, &place);
        }
    }

    /// How many records `source` told.
    pub(super) fn told_by(&self, source: &PeerId) -> usize {
        self.by_source.get(source).map_or(0, BTreeSet::len)
    }

    /// Those that came after `floor`, the last to come first.
    pub(super) fn newest_first(&self, floor: u64) -> impl Iterator<Item = &PeerId> {
        let after = floor.saturating_add(1);
        self.by_version.range(after..).rev().map(|(_, peer)| peer)
    }

    /// Those that came after `floor`, the first to come first.
    pub(super) fn oldest_first(&self, floor: u64) -> impl Iterator<Item = &PeerId> {
        let after = floor.saturating_add(1);
        self.by_version.range(after..).map(|(_, peer)| peer)
    }

    /// The records in `prefix`, the one of `peer` not counted.
    pub(super) fn others_in<'a>(
        &'a self,
        prefix: &Prefix,
        peer: &'a PeerId,
    ) -> impl Iterator<Item = &'a Place> {
        let places = self.by_prefix.get(prefix).into_iter().flatten();
        places.filter(move |place| place.peer != *peer)
    }

    /// The oldest record of `source`.
    pub(super) fn oldest_of(&self, source: &PeerId) -> Option<&Place> {
        self.by_source.get(source)?.first()
    }

    /// How many records each source told.
    pub(super) fn shares(&self) -> impl Iterator<Item = (PeerId, usize)> {
        let shares = self.by_source.iter();
        shares.map(|(source, told)| (*source, told.len()))
    }
}

/// How many of `places` each source told.
pub(super) fn shares_of<'a>(places: impl Iterator<Item = &'a Place>) -> BTreeMap<PeerId, usize> {
    let mut shares = BTreeMap::new();
    for place in places {
        *shares.entry(place.source).or_default() += 1;
    }
    shares
}

/// Which source of those with `shares` gives way to one more record of `newcomer`; `None` where none does.
///
/// One that is gone does, the largest first; else the largest of all, where that still has no less afterwards. So
/// nobody who is here and keeps within an equal share loses a record to anybody.
pub(super) fn gives_way(
    shares: impl Iterator<Item = (PeerId, usize)>,
    newcomer: &PeerId,
    is_here: impl Fn(&PeerId) -> bool,
) -> Option<PeerId> {
    let (mut own, mut gone, mut here) = (0, None, None);
    for (source, share) in shares {
        if source == *newcomer {
            own = share;
            continue;
        }
        let largest = if is_here(&source) {
            &mut here
        } else {
            &mut gone
        };
        *largest = (*largest).max(Some((share, source)));
    }
    let here = here.filter(|(share, _)| *share > own + 1);
    gone.or(here).map(|(_, source)| source)
}

fn take_from<K: Ord>(sets: &mut BTreeMap<K, BTreeSet<Place>>, key: &K, place: &Place) {
    if let Some(set) = sets.get_mut(key) {
        set.remove(place);
        if set.is_empty() {
            sets.remove(key);
        }
    }
}
