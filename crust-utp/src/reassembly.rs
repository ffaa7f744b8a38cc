//! Puts what comes back into order.

use std::{collections::VecDeque, time::Instant};

use crate::{
    seq_nr::SeqNr,
    wire::{MAX_MASK_LEN, Sack, WORD_LEN},
};

/// Packets that came: those in order as bytes to be read, others until what is before them comes.
///
/// Invariants: at most `capacity` bytes are held, each packet out of order counted with [`PACKET_OVERHEAD`]; the packet
/// after `ack_nr` is never among those ahead; nothing after the FIN is taken.
#[derive(Debug)]
pub(crate) struct Reassembly {
    /// The last number of which it and all before it came.
    ack_nr: SeqNr,
    ready: VecDeque<u8>,
    /// Those after `ack_nr`, the first of which is missing.
    ahead: VecDeque<Option<Box<[u8]>>>,
    ahead_cost: usize,
    fin: Option<SeqNr>,
    capacity: usize,
    /// Since when nobody reads.
    let_go_at: Option<Instant>,
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is the next, and so may others be that waited for it.
    InOrder,
    /// Something before it is missing.
    Ahead,
    /// It came before, or is none that may come.
    Again,
    /// There is no room for it.
    NoRoom,
}

impl Reassembly {
    /// `ack_nr`: the number before the first that is to come.
    pub(crate) const fn new(ack_nr: SeqNr, capacity: usize) -> Self {
        Self {
            ack_nr,
            ready: VecDeque::new(),
            ahead: VecDeque::new(),
            ahead_cost: 0,
            fin: None,
            capacity,
            let_go_at: None,
        }
    }

    pub(crate) fn handle(&mut self, seq_nr: SeqNr, payload: &[u8], is_fin: bool) -> Taken {
        let place = usize::from(seq_nr.ahead_of(self.ack_nr.next()));
        if place >= MAX_AHEAD || self.fin.is_some_and(|fin| fin.is_before(seq_nr)) {
            return Taken::Again;
        }
        if place > 0 {
            return self.keep(place, seq_nr, payload, is_fin);
        }
        if self.is_finished() {
            return Taken::Again;
        }
        if !self.has_room(payload.len()) {
            return Taken::NoRoom;
        }
        if is_fin {
            self.set_fin(seq_nr);
        }
        if self.let_go_at.is_none() {
            self.ready.extend(payload);
        }
        self.advance();
        Taken::InOrder
    }

    /// Moves up to `out.len()` bytes to the reader.
    pub(crate) fn read(&mut self, out: &mut [u8]) -> usize {
        let len = out.len().min(self.ready.len());
        let (front, back) = self.ready.as_slices();
        let here = len.min(front.len());
        out[..here].copy_from_slice(&front[..here]);
        out[here..len].copy_from_slice(&back[..len - here]);
        self.ready.drain(..len);
        if self.ready.is_empty() {
            // An idle stream holds no buffer.
            self.ready = VecDeque::new();
        }
        len
    }

    /// Nobody reads: what comes is acknowledged and thrown away.
    pub(crate) fn let_go(&mut self, now: Instant) {
        self.let_go_at = Some(now);
        self.ready = VecDeque::new();
    }

    /// Since when nobody reads, where that is so.
    pub(crate) const fn let_go_at(&self) -> Option<Instant> {
        self.let_go_at
    }

    pub(crate) const fn ack_nr(&self) -> SeqNr {
        self.ack_nr
    }

    /// Bytes that may be sent to us.
    pub(crate) fn window(&self) -> usize {
        self.capacity
            .saturating_sub(self.ready.len() + self.ahead_cost)
    }

    #[cfg(test)]
    pub(crate) fn is_readable(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Whether everything came, the FIN included.
    pub(crate) fn is_finished(&self) -> bool {
        self.fin == Some(self.ack_nr)
    }

    /// Whether something came before which something is missing.
    pub(crate) fn has_gap(&self) -> bool {
        !self.ahead.is_empty()
    }

    /// The mask that tells what came ahead; `room` has as many bytes as it may have.
    pub(crate) fn sack<'a>(&self, room: &'a mut [u8; MAX_MASK_LEN]) -> Option<Sack<'a>> {
        if self.ahead.is_empty() {
            return None;
        }
        // The first of those ahead is missing, and has no bit.
        let bits = (self.ahead.len() - 1).min(MAX_MASK_LEN * 8);
        let len = bits.div_ceil(8).next_multiple_of(WORD_LEN).max(WORD_LEN);
        let mask = &mut room[..len];
        mask.fill(0);
        for (bit, packet) in self.ahead.iter().skip(1).take(bits).enumerate() {
            if packet.is_some() {
                mask[bit / 8] |= 1 << (bit % 8);
            }
        }
        Sack::new(mask)
    }

    fn keep(&mut self, place: usize, seq_nr: SeqNr, payload: &[u8], is_fin: bool) -> Taken {
        if matches!(self.ahead.get(place), Some(Some(_))) {
            return Taken::Again;
        }
        if !self.has_room(payload.len() + PACKET_OVERHEAD) {
            return Taken::NoRoom;
        }
        if is_fin {
            self.set_fin(seq_nr);
        }
        if self.ahead.len() <= place {
            self.ahead.resize_with(place + 1, || None);
        }
        self.ahead_cost += payload.len() + PACKET_OVERHEAD;
        self.ahead[place] = Some(payload.into());
        Taken::Ahead
    }

    /// The next packet was taken; so are those that wait for it.
    fn advance(&mut self) {
        self.ack_nr = self.ack_nr.next();
        self.ahead.pop_front();
        while let Some(Some(_)) = self.ahead.front()
            && let Some(Some(payload)) = self.ahead.pop_front()
        {
            self.ahead_cost -= payload.len() + PACKET_OVERHEAD;
            if self.let_go_at.is_none() {
                self.ready.extend(&*payload);
            }
            self.ack_nr = self.ack_nr.next();
        }
        if self.ahead.is_empty() {
            self.ahead = VecDeque::new();
        }
    }

    /// What was taken of after the FIN can only be a liar's.
    fn set_fin(&mut self, seq_nr: SeqNr) {
        self.fin = Some(seq_nr);
        let keep = usize::from(seq_nr.ahead_of(self.ack_nr));
        for packet in self.ahead.drain(keep.min(self.ahead.len())..).flatten() {
            self.ahead_cost -= packet.len() + PACKET_OVERHEAD;
        }
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.ready.len() + self.ahead_cost + bytes <= self.capacity + SLACK
    }
}

/// Packets ahead that are kept: those of 16 MiB at 1,024 bytes each, and half of what numbers can tell apart.
const MAX_AHEAD: usize = 16_384;
/// What a packet out of order costs beside its bytes.
const PACKET_OVERHEAD: usize = 64;
/// What may come beyond the window: it was sent before the window was known to be smaller, or asks whether there is
/// room now.
const SLACK: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: SeqNr = SeqNr(65_534);

    fn reassembly() -> Reassembly {
        Reassembly::new(FIRST.prev(), 100_000)
    }

    fn read(reassembly: &mut Reassembly) -> Vec<u8> {
        let mut out = vec![0; 100_000];
        let len = reassembly.read(&mut out);
        out.truncate(len);
        out
    }

    #[test]
    fn packets_come_out_in_order_whatever_order_they_came_in() {
        let mut reassembly = reassembly();
        for (place, taken) in [
            (3_u8, Taken::Ahead),
            (1, Taken::Ahead),
            (1, Taken::Again),
            (0, Taken::InOrder),
            (0, Taken::Again),
            (2, Taken::InOrder),
        ] {
            let seq_nr = FIRST.add(place.into());
            assert_eq!(reassembly.handle(seq_nr, &[place; 2], false), taken);
        }
        assert_eq!(read(&mut reassembly), [0, 0, 1, 1, 2, 2, 3, 3]);
        assert_eq!(reassembly.ack_nr(), FIRST.add(3));
        assert_eq!((reassembly.ahead_cost, reassembly.window()), (0, 100_000));
    }

    #[test]
    fn mask_has_a_bit_for_each_packet_ahead() {
        let mut reassembly = reassembly();
        let mut room = [0xff; MAX_MASK_LEN];
        assert_eq!(reassembly.sack(&mut room), None);
        for place in [1, 2, 34] {
            reassembly.handle(FIRST.add(place), b"x", false);
        }
        let sack = reassembly.sack(&mut room).unwrap();
        assert_eq!(sack.set_bits().collect::<Vec<_>>(), [0, 1, 33]);
        assert_eq!(sack.bytes().len(), 8);
    }

    #[test]
    fn what_does_not_fit_is_not_kept() {
        let mut reassembly = Reassembly::new(FIRST.prev(), 1_000);
        let mut kept = 0;
        for place in 1..2_000 {
            kept +=
                u32::from(reassembly.handle(FIRST.add(place), &[0; 100], false) == Taken::Ahead);
        }
        assert!(kept as usize * 164 <= 1_000 + SLACK);
        assert_eq!(reassembly.window(), 0);
    }

    #[test]
    fn end_is_told_when_all_before_it_came_and_nothing_after_it_counts() {
        let mut reassembly = reassembly();
        reassembly.handle(FIRST.add(3), b"liar", false);
        assert_eq!(reassembly.handle(FIRST.add(2), b"", true), Taken::Ahead);
        assert_eq!(
            reassembly.handle(FIRST.add(4), b"liar", false),
            Taken::Again
        );
        reassembly.handle(FIRST, b"a", false);
        assert!(!reassembly.is_finished());
        reassembly.handle(FIRST.add(1), b"b", false);
        assert!(reassembly.is_finished());
        assert_eq!(
            reassembly.handle(FIRST.add(3), b"liar", false),
            Taken::Again
        );
        assert_eq!(read(&mut reassembly), b"ab");
        assert_eq!(reassembly.ahead_cost, 0);
    }
}
