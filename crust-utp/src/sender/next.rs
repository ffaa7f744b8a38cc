//! What goes out next.

use std::time::Instant;

use super::{End, Outgoing, Sender};
use crate::{
    flight::{Sent, SentKind},
    seq_nr::SeqNr,
    wire::HEADER_LEN,
};

impl Sender {
    pub(super) fn poll_lost(&mut self, now: Instant) -> Option<Outgoing> {
        if !self.flight.has_lost() || !self.may_send(now, self.mss()) {
            return None;
        }
        let (seq_nr, sent) = self.flight.resend(now)?;
        self.on_sent(now, sent.len);
        Some(self.again(seq_nr, &sent))
    }

    /// The last packet once more, where nothing was heard for about two round trips.
    pub(super) fn poll_tail_probe(&mut self, now: Instant) -> Option<Outgoing> {
        if !self.timers.take_tail_probe(now) {
            return None;
        }
        let (seq_nr, sent) = self.flight.probe(now)?;
        Some(self.again(seq_nr, &sent))
    }

    pub(super) fn poll_new(&mut self, now: Instant) -> Option<Outgoing> {
        let window = self.peer_window?;
        let mss = self.mss();
        let unsent = self.buffer.unsent_len();
        if unsent == 0 || !self.flight.has_numbers() {
            return self.poll_fin(now);
        }
        let len = self.allowed(now, unsent.min(mss), window)?;
        if !self.may_send(now, len) {
            return None;
        }
        let padding = self.padding(now, len);
        let (len, kind) = if padding > 0 {
            (PROBE_PAYLOAD, SentKind::Probe)
        } else {
            (len, SentKind::Data)
        };
        let (place, len) = self.buffer.take(len);
        let seq_nr = self.flight.push(now, place, len, kind);
        self.on_sent(now, len);
        Some(Outgoing {
            seq_nr,
            place,
            len,
            is_fin: false,
            padding,
            may_fragment: false,
        })
    }

    /// How much of `len` bytes the other side has room for. Where there is none, and nothing is on its way that would
    /// bring news, a little is sent now and then to ask.
    fn allowed(&mut self, now: Instant, len: usize, window: u64) -> Option<usize> {
        let room = window.saturating_sub(self.flight.in_flight());
        if room >= len as u64 {
            self.timers.on_open_window();
            return Some(len);
        }
        if !self.flight.is_empty() {
            return None;
        }
        let is_due = self.timers.take_persist(now, &self.rtt);
        is_due.then(|| len.min(usize::try_from(room).unwrap_or(len).max(PERSIST_LEN)))
    }

    fn poll_fin(&mut self, now: Instant) -> Option<Outgoing> {
        if self.end != End::Wanted || self.buffer.unsent_len() > 0 || !self.flight.has_numbers() {
            return None;
        }
        self.end = End::Sent;
        let place = self.buffer.unsent_place();
        let seq_nr = self.flight.push(now, place, 0, SentKind::Fin);
        Some(Outgoing {
            seq_nr,
            place,
            len: 0,
            is_fin: true,
            padding: 0,
            may_fragment: false,
        })
    }

    /// What makes a packet a probe of the path, if one is wanted. Only where there is enough for a full one, of `len` bytes.
    fn padding(&mut self, now: Instant, len: usize) -> usize {
        if len < self.mss() {
            return 0;
        }
        let probe_len = self.mtu.poll_probe(now).unwrap_or_default();
        probe_len.saturating_sub(HEADER_LEN + PROBE_PAYLOAD)
    }

    fn again(&self, seq_nr: SeqNr, sent: &Sent) -> Outgoing {
        Outgoing {
            seq_nr,
            place: sent.place,
            len: sent.len,
            is_fin: sent.kind == SentKind::Fin,
            padding: 0,
            may_fragment: HEADER_LEN + sent.len > self.mtu.datagram_len(),
        }
    }

    /// Whether congestion control lets `len` bytes go now.
    fn may_send(&mut self, now: Instant, len: usize) -> bool {
        let in_flight = self.flight.in_flight();
        let fits = in_flight == 0 || in_flight + len as u64 <= self.congestion.cwnd();
        let may_send = fits && self.pacer.next_send_at(now, len as u64).is_none();
        self.is_held_back |= !may_send;
        may_send
    }

    fn on_sent(&mut self, now: Instant, len: usize) {
        let before = self.flight.in_flight().saturating_sub(len as u64);
        self.congestion.on_sent(now, before);
        self.pacer.take(now, len as u64);
    }
}

/// Bytes of the stream in a probe. Programs receive into a buffer of some length, and many are not told where a datagram was
/// cut: that of libtorrent has 1,500 bytes. Cut short, a probe with so little behind its padding is no packet, or one without
/// payload, which this crate ignores; it counts as lost. With more it would pass for a shorter one, and the stream have a hole.
/// With none librqbit-utp takes it for an error.
const PROBE_PAYLOAD: usize = 1;
/// Bytes sent to ask whether there is room now (RFC 9293 §3.8.6.1).
const PERSIST_LEN: usize = 1;
