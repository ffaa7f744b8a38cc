//! Who is there: a bounded table of the peers heard lately.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use crust_core::{Addr, FoundPeer, PeerId};

/// A peer heard on a link. A rumour until a handshake proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Neighbour {
    /// Who it says it is.
    pub peer: PeerId,
    /// Where it can be dialed over this link; a link-local address of IPv6 has the number of our interface as its
    /// scope, and is of no use to others.
    pub addrs: Vec<Addr>,
    /// The name of our interface on which it was heard.
    pub interface: String,
    /// Where its datagrams come from.
    pub source: IpAddr,
    /// When it was heard last.
    pub last_heard: Instant,
    /// Whether it said that it gives bootstrap contacts to whoever asks over a session.
    pub offers_contacts: bool,
}

/// The peers heard lately, [`MAX_NEIGHBOURS`] at most.
#[derive(Debug, Default)]
pub(crate) struct Neighbours {
    known: BTreeMap<Key, Known>,
    last_version: u64,
    changes: u64,
}

/// A peer on two links is there twice, with the addresses of each.
type Key = (PeerId, u32);

#[derive(Debug)]
struct Known {
    neighbour: Neighbour,
    /// Its record's; only a newer record is taken.
    seq: u64,
    /// Higher than that of all that changed before.
    version: u64,
}

impl Neighbours {
    /// Takes what was heard on a link. `false` where as much is known already, or its host has its share of the table.
    ///
    /// Each record counts once, so that whoever tells an old one again does not keep alive a peer that fell silent.
    pub(crate) fn hear(&mut self, link: u32, seq: u64, heard: Neighbour) -> bool {
        let key = (heard.peer, link);
        let known = self.known.get(&key);
        match known {
            Some(known) if seq <= known.seq => return false,
            None if self.has_its_share(link, heard.source) => return false,
            _ => {}
        }
        let is_news = known.is_none_or(|known| known.neighbour.addrs != heard.addrs);
        let mut version = known.map_or(0, |known| known.version);
        if is_news {
            self.make_room(key);
            self.last_version += 1;
            version = self.last_version;
            self.changes += 1;
        }
        let known = Known {
            neighbour: heard,
            seq,
            version,
        };
        self.known.insert(key, known);
        true
    }

    /// Forgets a peer that says it is gone, where that is the newest it said.
    pub(crate) fn leave(&mut self, link: u32, peer: PeerId, seq: u64) {
        let gone = |known: &Known| known.seq <= seq;
        if self.known.get(&(peer, link)).is_some_and(gone) {
            self.known.remove(&(peer, link));
            self.changes += 1;
        }
    }

    /// Forgets all that was heard on a link.
    pub(crate) fn forget_link(&mut self, link: u32) {
        self.retain(|(_, on), _| *on != link);
    }

    /// Forgets whom nobody heard for [`LIFETIME`].
    pub(crate) fn expire(&mut self, now: Instant) {
        self.retain(|_, known| {
            now.saturating_duration_since(known.neighbour.last_heard) < LIFETIME
        });
    }

    /// The oldest news after the version `seen`, and its version.
    pub(crate) fn news(&self, seen: u64) -> Option<(u64, FoundPeer)> {
        let newer = self.known.values().filter(|known| known.version > seen);
        let known = newer.min_by_key(|known| known.version)?;
        let found = FoundPeer {
            peer: Some(known.neighbour.peer),
            addrs: known.neighbour.addrs.clone(),
            source: crate::NAME,
        };
        Some((known.version, found))
    }

    /// All of them, by peer.
    pub(crate) fn list(&self) -> Vec<Neighbour> {
        let known = self.known.values();
        known.map(|known| known.neighbour.clone()).collect()
    }

    /// How often the list changed: somebody came, went, or has other addresses.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    pub(crate) fn count_on(&self, link: u32) -> usize {
        self.known.keys().filter(|(_, on)| *on == link).count()
    }

    /// Whether a host was heard on a link at `since` or later.
    pub(crate) fn heard_since(&self, link: u32, source: IpAddr, since: Instant) -> bool {
        let mut known = self.known.iter();
        known.any(|((_, on), Known { neighbour, .. })| {
            *on == link && neighbour.source == source && neighbour.last_heard >= since
        })
    }

    /// Whether the peer said that it gives contacts.
    pub(crate) fn offers_contacts(&self, link: u32, peer: PeerId) -> bool {
        let known = self.known.get(&(peer, link));
        known.is_some_and(|known| known.neighbour.offers_contacts)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    fn has_its_share(&self, link: u32, source: IpAddr) -> bool {
        let known = self.known.iter();
        let of_it =
            known.filter(|((_, on), known)| *on == link && known.neighbour.source == source);
        of_it.count() >= MAX_OF_ONE_HOST
    }

    /// Whoever was not heard for the longest time makes room for one more.
    fn make_room(&mut self, key: Key) {
        if self.known.len() < MAX_NEIGHBOURS || self.known.contains_key(&key) {
            return;
        }
        let by_age = self.known.iter();
        let oldest = by_age.min_by_key(|(_, known)| known.neighbour.last_heard);
        if let Some(key) = oldest.map(|(key, _)| *key) {
            self.known.remove(&key);
        }
    }

    fn retain(&mut self, keep: impl Fn(&Key, &Known) -> bool) {
        let before = self.known.len();
        self.known.retain(|key, known| keep(key, known));
        self.changes += u64::from(self.known.len() < before);
    }
}

/// A LAN of a thousand fits; each costs some 500 bytes, 2 KiB at most.
const MAX_NEIGHBOURS: usize = 1_024;
/// Far more nodes than anybody runs on one host, and far fewer than fill the table.
const MAX_OF_ONE_HOST: usize = 64;
/// Three announcements were lost.
const LIFETIME: Duration = Duration::from_secs(190);

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn neighbour(peer: u16, host: u16, last_heard: Instant) -> Neighbour {
        let mut id = [0; 32];
        id[..2].copy_from_slice(&peer.to_be_bytes());
        let [high, low] = host.to_be_bytes();
        Neighbour {
            peer: PeerId::from_bytes(id),
            addrs: vec!["tcp://192.0.2.1:1".parse().unwrap()],
            interface: "eth0".into(),
            source: Ipv4Addr::new(10, 0, high, low).into(),
            last_heard,
            offers_contacts: false,
        }
    }

    #[test]
    fn table_is_bounded_and_keeps_the_freshest() {
        let (mut table, start) = (Neighbours::default(), crust_core::rt::now());
        for peer in 0..3_000 {
            let at = start + Duration::from_millis(u64::from(peer));
            assert!(table.hear(1, 1, neighbour(peer, peer, at)));
        }
        let list = table.list();
        assert_eq!(list.len(), MAX_NEIGHBOURS);
        assert_eq!(list[0].peer, neighbour(1_976, 0, start).peer);
    }

    #[test]
    fn one_host_has_its_share_and_no_more() {
        let (mut table, now) = (Neighbours::default(), crust_core::rt::now());
        let taken = (0..1_000).filter(|peer| table.hear(1, 1, neighbour(*peer, 7, now)));
        assert_eq!(taken.count(), MAX_OF_ONE_HOST);
        assert!(table.hear(1, 1, neighbour(2_000, 8, now)));
    }

    #[test]
    fn record_that_is_not_newer_renews_nothing() {
        let (mut table, now) = (Neighbours::default(), crust_core::rt::now());
        assert!(table.hear(1, 5, neighbour(1, 1, now)));
        let later = now + LIFETIME / 2;
        assert!(!table.hear(1, 4, neighbour(1, 1, later)));
        assert!(!table.hear(1, 5, neighbour(1, 1, later)));
        assert_eq!(table.list()[0].last_heard, now);
        assert!(table.hear(1, 6, neighbour(1, 1, later)));
        assert_eq!(table.list()[0].last_heard, later);
    }

    #[test]
    fn only_changes_are_news() {
        let (mut table, now) = (Neighbours::default(), crust_core::rt::now());
        table.hear(1, 1, neighbour(1, 1, now));
        let (version, found) = table.news(0).unwrap();
        assert_eq!(found.peer, Some(neighbour(1, 1, now).peer));
        table.hear(1, 2, neighbour(1, 1, now));
        assert!(table.news(version).is_none());
        let mut moved = neighbour(1, 1, now);
        moved.addrs = vec!["tcp://192.0.2.2:1".parse().unwrap()];
        table.hear(1, 3, moved.clone());
        assert_eq!(table.news(version).unwrap().1.addrs, moved.addrs);
    }

    #[test]
    fn who_leaves_or_falls_silent_is_forgotten() {
        let (mut table, now) = (Neighbours::default(), crust_core::rt::now());
        table.hear(1, 5, neighbour(1, 1, now));
        table.hear(1, 5, neighbour(2, 1, now));
        table.leave(1, neighbour(1, 1, now).peer, 4);
        assert_eq!(table.count_on(1), 2);
        table.leave(1, neighbour(1, 1, now).peer, 5);
        assert_eq!(table.count_on(1), 1);
        table.expire(now + LIFETIME);
        assert!(table.is_empty());
        assert_eq!(table.changes(), 4);
    }
}
