//! A map that forgets what was put in longest ago.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
};

/// At most `limit` entries; each insertion makes its entry the youngest.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    limit: usize,
    entries: HashMap<K, (u64, V)>,
    by_age: BTreeMap<u64, K>,
    next: u64,
}

impl<K: Copy + Eq + Hash, V> Recent<K, V> {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            entries: HashMap::new(),
            by_age: BTreeMap::new(),
            next: 0,
        }
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.next += 1;
        if let Some((age, _)) = self.entries.insert(key, (self.next, value)) {
            self.by_age.remove(&age);
        }
        self.by_age.insert(self.next, key);
        if self.entries.len() > self.limit
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.entries.remove(&oldest);
        }
    }

    /// Forgets the entries whose values are not to be kept.
    pub(crate) fn retain(&mut self, keep: impl Fn(&V) -> bool) {
        let by_age = &mut self.by_age;
        self.entries.retain(|_, (age, value)| {
            let is_kept = keep(value);
            if !is_kept {
                by_age.remove(age);
            }
            is_kept
        });
    }

    #[cfg(feature = "nat")]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oldest_entry_is_forgotten_and_a_renewed_one_is_not() {
        let mut recent = Recent::new(2);
        recent.insert(1, 'a');
        recent.insert(2, 'b');
        recent.insert(1, 'c');
        recent.insert(3, 'd');
        assert_eq!(
            (recent.get(&1), recent.get(&2), recent.get(&3)),
            (Some(&'c'), None, Some(&'d'))
        );
        assert_eq!((recent.entries.len(), recent.by_age.len()), (2, 2));
    }
}
