//! Dials that were answered, and of which nobody knows yet whether they are what they seem.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::{
    clock::Clock,
    connection::{Accepted, Ids},
    rng::Rng,
    seq_nr::SeqNr,
    wire::{Header, Kind},
};

/// SYNs that were answered. One becomes a connection by the next packet of whoever sent it: the address is then known
/// to be its own.
///
/// It is bounded, and an entry has at most 64 bytes. Where it is more than half full, newcomers are dropped by chance,
/// the more the fuller it is (random early drop): so a flood leaves some room to those who try again.
#[derive(Debug)]
pub(crate) struct HalfOpen {
    entries: BTreeMap<(SocketAddr, u16), Entry>,
    rng: Rng,
    dropped: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    their_syn: SeqNr,
    our_first: SeqNr,
    until: Instant,
}

impl HalfOpen {
    pub(crate) const fn new(seed: u64) -> Self {
        Self {
            entries: BTreeMap::new(),
            rng: Rng::new(seed),
            dropped: 0,
        }
    }

    /// A SYN came from `from`. Gives what to answer; nothing where there is no room.
    pub(crate) fn handle_syn(
        &mut self,
        now: Instant,
        clock: &Clock,
        from: SocketAddr,
        syn: &Header,
        window: u32,
    ) -> Option<Header> {
        let key = (from, syn.conn_id.wrapping_add(1));
        let known = self.entries.get(&key).copied();
        let known = known.filter(|entry| entry.their_syn == syn.seq_nr);
        let our_first = match known {
            Some(entry) => entry.our_first,
            None if self.has_room(now) => SeqNr(self.rng.next_u16()),
            None => {
                self.dropped += 1;
                return None;
            }
        };
        let entry = Entry {
            their_syn: syn.seq_nr,
            our_first,
            until: now + LASTS,
        };
        self.entries.insert(key, entry);
        Some(Header {
            kind: Kind::State,
            conn_id: syn.conn_id,
            timestamp_us: clock.timestamp_us(now),
            timestamp_difference_us: clock.timestamp_us(now).wrapping_sub(syn.timestamp_us),
            wnd_size: window,
            seq_nr: our_first,
            ack_nr: syn.seq_nr,
        })
    }

    /// A packet came of no connection: it may be the second of one that was answered.
    pub(crate) fn take(&mut self, from: SocketAddr, header: &Header) -> Option<Accepted> {
        let key = (from, header.conn_id);
        let entry = *self.entries.get(&key)?;
        let is_answer = header.ack_nr == entry.our_first.prev();
        if !is_answer || !matches!(header.kind, Kind::Data | Kind::State | Kind::Fin) {
            return None;
        }
        self.entries.remove(&key);
        Some(Accepted {
            ids: Ids {
                receive: header.conn_id,
                send: header.conn_id.wrapping_sub(1),
            },
            their_syn: entry.their_syn,
            our_first: entry.our_first,
        })
    }

    /// Whoever was answered is to be met, as it turns out: it dialed with `id`, from `remote` or from another port there.
    /// Gives where it is.
    pub(crate) fn take_early(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        id: u16,
    ) -> Option<(SocketAddr, Accepted)> {
        let receive = id.wrapping_add(1);
        let is_it = |(from, number): &(SocketAddr, u16), entry: &Entry| {
            *number == receive && from.ip() == remote.ip() && entry.until > now
        };
        let mut entries = self.entries.iter();
        let key = entries.find(|(key, entry)| is_it(key, entry));
        let key = *key?.0;
        let entry = self.entries.remove(&key)?;
        let accepted = Accepted {
            ids: Ids { receive, send: id },
            their_syn: entry.their_syn,
            our_first: entry.our_first,
        };
        Some((key.0, accepted))
    }

    /// Whoever sent a RESET gives it up.
    pub(crate) fn forget(&mut self, from: SocketAddr, conn_id: u16) -> bool {
        self.entries.remove(&(from, conn_id)).is_some()
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// SYNs for which there was no room.
    #[cfg(test)]
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }

    fn has_room(&mut self, now: Instant) -> bool {
        if self.entries.len() >= MOST / 2 {
            self.entries.retain(|_, entry| entry.until > now);
        }
        let over = self.entries.len().saturating_sub(MOST / 2) as u64;
        over == 0 || self.rng.next_u64() % (MOST as u64 / 2) >= over
    }
}

/// An entry is to be small: a flood fills the table.
const _: () = assert!(size_of::<((SocketAddr, u16), Entry)>() <= 64);
/// Entries, 128 KiB of them: those of 400 dials a second for as long as they last.
const MOST: usize = 2_048;
/// Longer than it takes to dial three times.
const LASTS: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn syn(conn_id: u16) -> Header {
        Header {
            kind: Kind::Syn,
            conn_id,
            timestamp_us: 7,
            timestamp_difference_us: 0,
            wnd_size: 0,
            seq_nr: SeqNr(100),
            ack_nr: SeqNr(0),
        }
    }

    fn from(number: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], number))
    }

    fn answer(half_open: &mut HalfOpen, now: Instant, number: u16) -> Option<Header> {
        let clock = Clock::new(now);
        half_open.handle_syn(now, &clock, from(number), &syn(5), 1_000)
    }

    #[test]
    fn second_packet_makes_a_connection_and_only_with_the_right_number() {
        let now = crust_core::rt::now();
        let mut half_open = HalfOpen::new(1);
        let state = answer(&mut half_open, now, 1).unwrap();
        assert_eq!((state.conn_id, state.ack_nr), (5, SeqNr(100)));
        let mut second = Header {
            kind: Kind::State,
            conn_id: 6,
            ack_nr: state.seq_nr,
            ..syn(5)
        };
        assert_eq!(half_open.take(from(1), &second), None);
        second.ack_nr = state.seq_nr.prev();
        assert_eq!(half_open.take(from(2), &second), None);
        let accepted = half_open.take(from(1), &second).unwrap();
        assert_eq!((accepted.ids.receive, accepted.ids.send), (6, 5));
        assert_eq!(half_open.len(), 0);
    }

    #[test]
    fn syn_that_is_sent_again_gets_the_same_answer() {
        let now = crust_core::rt::now();
        let mut half_open = HalfOpen::new(1);
        let first = answer(&mut half_open, now, 1);
        assert_eq!(answer(&mut half_open, now, 1), first);
        assert_eq!(half_open.len(), 1);
    }

    #[test]
    fn flood_fills_no_more_than_the_table_and_room_comes_back() {
        let now = crust_core::rt::now();
        let mut half_open = HalfOpen::new(1);
        for number in 0..u16::MAX {
            answer(&mut half_open, now, number);
        }
        assert!(half_open.len() <= MOST && half_open.len() > MOST / 2);
        assert!(half_open.dropped() > 60_000);
        let later = now + LASTS;
        assert!(answer(&mut half_open, later, u16::MAX).is_some());
        assert!(half_open.len() <= 2);
    }
}
