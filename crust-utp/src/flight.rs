//! Packets on their way, and which of them are lost.

mod sent;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use self::sent::State;
pub(crate) use self::sent::{Ack, Arrived, Lost, Sent, SentKind};
use crate::{rtt::Rtt, seq_nr::SeqNr};

/// Packets that were sent and are not all acknowledged: in the order of their numbers, and of their sending.
///
/// A packet is lost when one that was sent later has arrived, three or more of them (more, where the path has shown that
/// it reorders) or a little more than a round-trip time later (RFC 8985, RFC 9002 §6.1). So what was sent again can be
/// found lost again, without waiting for a time-out.
#[derive(Debug)]
pub(crate) struct Flight {
    /// The number of the first.
    first: SeqNr,
    packets: VecDeque<Sent>,
    /// Each sending, in its order; those whose packet was sent again since, or has arrived, say nothing any more.
    sendings: VecDeque<(u64, SeqNr)>,
    /// To be sent again.
    lost: VecDeque<SeqNr>,
    next_sending: u64,
    newest_arrived: Option<u64>,
    in_flight: u64,
    /// Later sendings that must have arrived for a packet to be held to be lost.
    threshold: u64,
    /// Acknowledgements in a row that told nothing new, of a peer that does not acknowledge selectively.
    duplicates: u32,
}

impl Flight {
    /// `first`: the number of the first packet.
    pub(crate) const fn new(first: SeqNr) -> Self {
        Self {
            first,
            packets: VecDeque::new(),
            sendings: VecDeque::new(),
            lost: VecDeque::new(),
            next_sending: 0,
            newest_arrived: None,
            in_flight: 0,
            threshold: FEWEST_LATER,
            duplicates: 0,
        }
    }

    /// A new packet is sent; gives its number.
    pub(crate) fn push(&mut self, now: Instant, place: u64, len: usize, kind: SentKind) -> SeqNr {
        let seq_nr = self.next_seq_nr();
        let sending = self.sending(seq_nr);
        self.packets.push_back(Sent {
            place,
            len,
            kind,
            sent_at: now,
            sending,
            first_sending: sending,
            state: State::InFlight,
        });
        self.in_flight += len as u64;
        seq_nr
    }

    /// The next packet to send again, which is then in flight.
    pub(crate) fn resend(&mut self, now: Instant) -> Option<(SeqNr, Sent)> {
        while let Some(seq_nr) = self.lost.pop_front() {
            if self
                .get(seq_nr)
                .is_some_and(|sent| sent.state == State::Lost)
            {
                return self.send_again(now, seq_nr);
            }
        }
        None
    }

    /// The last packet once more, to ask for news (RFC 8985 §7.3).
    pub(crate) fn probe(&mut self, now: Instant) -> Option<(SeqNr, Sent)> {
        let back = self
            .packets
            .iter()
            .rposition(|sent| sent.state != State::Arrived)?;
        let seq_nr = self.first.add(nr(back));
        self.send_again(now, seq_nr)
    }

    /// Takes an acknowledgement.
    pub(crate) fn handle_ack(&mut self, now: Instant, ack: Ack<'_>, rtt: &Rtt) -> Arrived {
        let Ack { ack_nr, sack, .. } = ack;
        let mut arrived = Arrived::default();
        let mut newest = None;
        let count = usize::from(ack_nr.next().ahead_of(self.first)).min(self.packets.len());
        for index in 0..count {
            self.on_arrived(now, index, rtt, &mut arrived, &mut newest);
        }
        for bit in sack.into_iter().flat_map(|sack| sack.set_bits()) {
            let seq_nr = ack_nr.add(bit.wrapping_add(2));
            let index = usize::from(seq_nr.ahead_of(self.first));
            if index < self.packets.len() {
                self.on_arrived(now, index, rtt, &mut arrived, &mut newest);
            }
        }
        if count > 0 || sack.is_some() {
            self.duplicates = 0;
        } else if ack.is_pure {
            self.on_duplicate();
        }
        self.let_go(count, &mut arrived);
        if let Some((sending, sent_at, is_single)) = newest {
            self.newest_arrived = self.newest_arrived.max(Some(sending));
            arrived.newest_sent_at = Some(sent_at);
            arrived.rtt = is_single.then(|| now.saturating_duration_since(sent_at));
        }
        arrived
    }

    /// Finds what is lost at `now`.
    pub(crate) fn detect(&mut self, now: Instant, rtt: &Rtt) -> Option<Lost> {
        let newest_arrived = self.newest_arrived?;
        let patience = patience(rtt);
        let mut lost = None;
        while let Some(&(sending, seq_nr)) = self.sendings.front()
            && sending < newest_arrived
        {
            let Some(sent) = self.get(seq_nr).filter(|sent| sent.is_at(sending)) else {
                self.sendings.pop_front();
                continue;
            };
            let is_overtaken = newest_arrived - sending >= self.threshold;
            if !is_overtaken && sent.sent_at + patience > now {
                break;
            }
            self.sendings.pop_front();
            self.on_lost(seq_nr, &mut lost);
        }
        lost
    }

    /// When [`Flight::detect`] may find something, though nothing arrives.
    pub(crate) fn detect_at(&self, rtt: &Rtt) -> Option<Instant> {
        let newest_arrived = self.newest_arrived?;
        let is_open = |(sending, seq_nr): &&(u64, SeqNr)| {
            self.get(*seq_nr).is_some_and(|sent| sent.is_at(*sending))
        };
        let (sending, seq_nr) = self.sendings.iter().find(is_open)?;
        let sent = self.get(*seq_nr)?;
        (*sending < newest_arrived).then(|| sent.sent_at + patience(rtt))
    }

    /// Nothing was heard for too long: all that is in flight is held to be lost.
    pub(crate) fn lose_all(&mut self) -> Option<Lost> {
        let mut lost = None;
        self.sendings.clear();
        self.lost.clear();
        for index in 0..self.packets.len() {
            let seq_nr = self.first.add(nr(index));
            match self.packets[index].state {
                State::InFlight => self.on_lost(seq_nr, &mut lost),
                State::Lost => self.lost.push_back(seq_nr),
                State::Arrived => {}
            }
        }
        lost
    }

    /// Bytes that are on their way, as far as is known.
    pub(crate) const fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// The number of the last sending that is known to have arrived, or of the first.
    pub(crate) fn newest_arrived(&self) -> u64 {
        self.newest_arrived.unwrap_or_default()
    }

    /// The number of the next sending.
    pub(crate) const fn next_sending(&self) -> u64 {
        self.next_sending
    }

    /// Whether all that was sent has arrived.
    pub(crate) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    pub(crate) fn has_lost(&self) -> bool {
        !self.lost.is_empty()
    }

    /// Whether numbers are left: half of those there are must be free for old packets to be known as old.
    pub(crate) fn has_numbers(&self) -> bool {
        self.packets.len() < MAX_PACKETS
    }

    /// The number of the next new packet.
    pub(crate) fn next_seq_nr(&self) -> SeqNr {
        self.first.add(nr(self.packets.len()))
    }

    /// Whether an honest peer can acknowledge `ack_nr`: one that was sent, or the one before the first.
    pub(crate) fn may_acknowledge(&self, ack_nr: SeqNr) -> bool {
        usize::from(ack_nr.next().ahead_of(self.first)) <= self.packets.len()
    }

    fn get(&self, seq_nr: SeqNr) -> Option<&Sent> {
        self.packets.get(usize::from(seq_nr.ahead_of(self.first)))
    }

    fn sending(&mut self, seq_nr: SeqNr) -> u64 {
        let sending = self.next_sending;
        self.next_sending += 1;
        self.sendings.push_back((sending, seq_nr));
        sending
    }

    fn send_again(&mut self, now: Instant, seq_nr: SeqNr) -> Option<(SeqNr, Sent)> {
        let sending = self.sending(seq_nr);
        let index = usize::from(seq_nr.ahead_of(self.first));
        let sent = self.packets.get_mut(index)?;
        if sent.state == State::Lost {
            self.in_flight += sent.len as u64;
        }
        sent.state = State::InFlight;
        sent.sent_at = now;
        sent.sending = sending;
        Some((seq_nr, *sent))
    }

    fn on_arrived(
        &mut self,
        now: Instant,
        index: usize,
        rtt: &Rtt,
        arrived: &mut Arrived,
        newest: &mut Option<(u64, Instant, bool)>,
    ) {
        let newest_arrived = self.newest_arrived.unwrap_or_default();
        let sent = &mut self.packets[index];
        if sent.state == State::Arrived {
            return;
        }
        if sent.state == State::InFlight {
            self.in_flight -= sent.len as u64;
        }
        arrived.bytes += sent.len as u64;
        arrived.packets += 1;
        let is_single = sent.sending == sent.first_sending;
        arrived.probe |= is_single && sent.kind == SentKind::Probe;
        // Sooner than light comes back: it was not what was sent again that arrived.
        let is_early =
            !is_single && now.saturating_duration_since(sent.sent_at) < rtt.least().mul_f32(EARLY);
        let was_lost = sent.state == State::Lost;
        sent.state = State::Arrived;
        if is_early || was_lost {
            let later = newest_arrived.saturating_sub(sent.first_sending) + 1;
            self.threshold = self.threshold.max(later.min(MOST_LATER));
        } else if newest.is_none_or(|(sending, ..)| sending < sent.sending) {
            *newest = Some((sent.sending, sent.sent_at, is_single));
        }
    }

    /// RFC 5681 §3.2: three duplicates tell of a loss, where nothing better does.
    fn on_duplicate(&mut self) {
        self.duplicates += 1;
        if self.duplicates == DUPLICATES
            && self.packets.len() > 1
            && let Some(first) = self.packets.front()
            && first.state == State::InFlight
        {
            // As though what was sent after the first had arrived.
            let overtaking = first.sending + self.threshold;
            self.newest_arrived = self.newest_arrived.max(Some(overtaking));
        }
    }

    /// Forgets the first `count`, all of which have arrived.
    fn let_go(&mut self, count: usize, arrived: &mut Arrived) {
        for sent in self.packets.drain(..count) {
            arrived.released = Some(sent.place + sent.len as u64);
            arrived.fin |= sent.kind == SentKind::Fin;
        }
        self.first = self.first.add(nr(count));
        if self.packets.is_empty() {
            self.packets = VecDeque::new();
            self.sendings = VecDeque::new();
            self.lost = VecDeque::new();
        }
    }

    fn on_lost(&mut self, seq_nr: SeqNr, lost: &mut Option<Lost>) {
        let index = usize::from(seq_nr.ahead_of(self.first));
        let sent = &mut self.packets[index];
        sent.state = State::Lost;
        self.in_flight -= sent.len as u64;
        self.lost.push_back(seq_nr);
        let lost = lost.get_or_insert(Lost {
            bytes: 0,
            probe: false,
            newest_sent_at: sent.sent_at,
        });
        if sent.kind == SentKind::Probe && !sent.is_again() {
            lost.probe = true;
        } else {
            lost.bytes += sent.len as u64;
        }
        lost.newest_sent_at = lost.newest_sent_at.max(sent.sent_at);
    }
}

/// A place among the packets, of which there are at most [`MAX_PACKETS`].
fn nr(index: usize) -> u16 {
    u16::try_from(index).unwrap_or(u16::MAX)
}

/// RFC 9002 §6.1.2: an eighth more than a round trip.
fn patience(rtt: &Rtt) -> Duration {
    let longest = rtt.srtt().max(rtt.latest());
    (longest + longest / 8).max(GRANULARITY)
}

/// RFC 9002 §6.1.1, BEP 29.
const FEWEST_LATER: u64 = 3;
/// A path that reorders more than that may lose some speed.
const MOST_LATER: u64 = 128;
const DUPLICATES: u32 = 3;
const GRANULARITY: Duration = Duration::from_millis(1);
/// A part of the least round-trip time: an answer that comes within it cannot be to what was sent just now.
const EARLY: f32 = 0.8;
/// A little under half of all numbers.
const MAX_PACKETS: usize = 32_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Sack;

    const MS: Duration = Duration::from_millis(1);
    const FIRST: SeqNr = SeqNr(65_530);

    struct Path {
        flight: Flight,
        rtt: Rtt,
        now: Instant,
    }

    impl Path {
        fn new() -> Self {
            let mut rtt = Rtt::new();
            rtt.on_sample(100 * MS);
            Self {
                flight: Flight::new(FIRST),
                rtt,
                now: crust_core::rt::now(),
            }
        }

        fn send(&mut self, count: u16) {
            for _ in 0..count {
                let number = self.flight.next_seq_nr().ahead_of(FIRST);
                self.flight
                    .push(self.now, u64::from(number) * 10, 10, SentKind::Data);
                self.now += MS;
            }
        }

        /// `up_to` counts from the first packet; so do those of `ahead`.
        fn ack(&mut self, up_to: u16, ahead: &[u16]) -> Arrived {
            let ack_nr = FIRST.add(up_to).prev();
            let mut mask = [0_u8; 8];
            for place in ahead {
                let bit = usize::from(FIRST.add(*place).ahead_of(ack_nr.add(2)));
                mask[bit / 8] |= 1 << (bit % 8);
            }
            let ack = Ack {
                ack_nr,
                sack: Sack::new(&mask).filter(|_| !ahead.is_empty()),
                is_pure: true,
            };
            self.flight.handle_ack(self.now, ack, &self.rtt)
        }

        fn detect(&mut self) -> Option<u64> {
            self.flight
                .detect(self.now, &self.rtt)
                .map(|lost| lost.bytes)
        }
    }

    #[test]
    fn acknowledgement_releases_bytes_and_gives_the_newest_round_trip() {
        let mut path = Path::new();
        path.send(10);
        path.now += 100 * MS;
        let arrived = path.ack(8, &[]);
        assert_eq!((arrived.bytes, arrived.packets), (80, 8));
        assert_eq!(arrived.released, Some(80));
        assert_eq!(arrived.rtt, Some(103 * MS));
        assert_eq!(path.flight.in_flight(), 20);
        assert_eq!(path.ack(8, &[]), Arrived::default());
    }

    #[test]
    fn packet_is_lost_when_three_later_ones_arrived() {
        let mut path = Path::new();
        path.send(10);
        path.ack(1, &[2, 3]);
        assert_eq!(path.detect(), None);
        path.ack(1, &[2, 3, 4]);
        assert_eq!(path.detect(), Some(10));
        assert_eq!(
            path.flight.resend(path.now).map(|(seq_nr, _)| seq_nr),
            Some(FIRST.add(1))
        );
        assert!(path.flight.resend(path.now).is_none());
    }

    #[test]
    fn packet_sent_again_is_found_lost_again() {
        let mut path = Path::new();
        path.send(5);
        path.ack(0, &[2, 3, 4]);
        assert_eq!(path.detect(), Some(20));
        while path.flight.resend(path.now).is_some() {}
        path.now += MS;
        path.send(4);
        path.now += 100 * MS;
        path.ack(0, &[1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(path.detect(), Some(10));
        let (seq_nr, sent) = path.flight.resend(path.now).unwrap();
        assert!(seq_nr == FIRST && sent.is_again());
    }

    #[test]
    fn packet_before_one_that_arrived_is_lost_after_a_little_more_than_a_round_trip() {
        let mut path = Path::new();
        path.send(2);
        path.ack(0, &[1]);
        assert_eq!(path.detect(), None);
        let at = path.flight.detect_at(&path.rtt).unwrap();
        path.now = at - MS;
        assert_eq!(path.detect(), None);
        path.now = at;
        assert_eq!(path.detect(), Some(10));
    }

    #[test]
    fn path_that_reorders_is_given_more_patience() {
        let mut path = Path::new();
        path.send(8);
        path.ack(0, &[1, 2, 3, 4, 5]);
        assert_eq!(path.detect(), Some(10));
        path.flight.resend(path.now).unwrap();
        // It comes at once: it was only late.
        path.now += MS;
        path.ack(6, &[]);
        assert_eq!(path.flight.threshold, 6);
        path.send(8);
        path.ack(6, &[7, 8, 9, 10]);
        assert_eq!(path.detect(), None);
    }

    #[test]
    fn three_duplicates_tell_of_a_loss_where_nothing_else_does() {
        let mut path = Path::new();
        path.send(6);
        path.ack(1, &[]);
        for _ in 0..2 {
            path.ack(1, &[]);
            assert_eq!(path.detect(), None);
        }
        path.ack(1, &[]);
        assert_eq!(path.detect(), Some(10));
    }

    #[test]
    fn after_a_time_out_all_that_has_not_arrived_is_sent_again_in_order() {
        let mut path = Path::new();
        path.send(6);
        path.ack(0, &[2]);
        assert_eq!(path.flight.lose_all().map(|lost| lost.bytes), Some(50));
        assert_eq!(path.flight.in_flight(), 0);
        let again = std::iter::from_fn(|| path.flight.resend(path.now));
        let again: Vec<_> = again.map(|(seq_nr, _)| seq_nr.ahead_of(FIRST)).collect();
        assert_eq!(again, [0, 1, 3, 4, 5]);
    }

    #[test]
    fn fin_that_came_before_data_is_not_the_end() {
        let mut path = Path::new();
        path.send(1);
        path.flight.push(path.now, 10, 0, SentKind::Fin);
        assert!(!path.ack(0, &[1]).fin);
        assert!(path.ack(2, &[]).fin);
    }

    #[test]
    fn acknowledgement_of_what_was_never_sent_is_known() {
        let mut path = Path::new();
        path.send(3);
        assert!(path.flight.may_acknowledge(FIRST.prev()));
        assert!(path.flight.may_acknowledge(FIRST.add(2)));
        assert!(!path.flight.may_acknowledge(FIRST.add(3)));
        assert!(!path.flight.may_acknowledge(FIRST.prev().prev()));
    }

    #[test]
    fn flight_that_is_over_holds_no_memory() {
        let mut path = Path::new();
        path.send(1_000);
        path.ack(1_000, &[]);
        assert!(path.flight.is_empty());
        assert_eq!(
            path.flight.packets.capacity() + path.flight.sendings.capacity(),
            0
        );
    }
}
