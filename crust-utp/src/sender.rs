//! The sending half of a connection: what goes out next, and when.

mod next;
mod timers;

use std::time::{Duration, Instant};

use self::timers::Timers;
use crate::{
    congestion::{self, Acked, Congestion},
    flight::{Ack, Arrived, Flight, Lost},
    mtu::PathMtu,
    pacing::Pacer,
    rtt::Rtt,
    send_buffer::SendBuffer,
    seq_nr::SeqNr,
    wire::HEADER_LEN,
};

/// The sending half: bytes that were written, packets on their way, and everything that says how fast they may go.
#[derive(Debug)]
pub(crate) struct Sender {
    buffer: SendBuffer,
    flight: Flight,
    rtt: Rtt,
    congestion: Box<dyn Congestion>,
    pacer: Pacer,
    mtu: PathMtu,
    timers: Timers,
    /// Bytes that the other side has room for; `None` before it is known to hear us, and nothing is sent.
    peer_window: Option<u64>,
    end: End,
    /// The congestion window, or its pace, held something back since the last acknowledgement.
    is_held_back: bool,
}

/// How far the end of the stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Wanted,
    Sent,
    Arrived,
}

/// A packet to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outgoing {
    pub(crate) seq_nr: SeqNr,
    /// The place of its payload in the stream.
    pub(crate) place: u64,
    pub(crate) len: usize,
    pub(crate) is_fin: bool,
    pub(crate) padding: usize,
    /// It may be too long for the path by now: routers may take it apart.
    pub(crate) may_fragment: bool,
}

/// What an acknowledgement changed for the application.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// There is more room for what is written.
    pub(crate) has_room: bool,
    /// The FIN has arrived: the other side has everything.
    pub(crate) has_ended: bool,
}

impl Sender {
    /// `first`: the number of the first packet.
    pub(crate) fn new(
        now: Instant,
        first: SeqNr,
        congestion: Box<dyn Congestion>,
        mtu: PathMtu,
    ) -> Self {
        Self {
            buffer: SendBuffer::default(),
            flight: Flight::new(first),
            rtt: Rtt::new(),
            congestion,
            pacer: Pacer::new(now),
            mtu,
            timers: Timers::default(),
            peer_window: None,
            end: End::Open,
            is_held_back: false,
        }
    }

    /// Takes what fits of `data`; gives how many bytes that was.
    pub(crate) fn write(&mut self, data: &[u8]) -> usize {
        let len = data.len().min(self.room());
        self.buffer.write(&data[..len]);
        len
    }

    /// After what was written the stream ends.
    pub(crate) fn close(&mut self) {
        if self.end == End::Open {
            self.end = End::Wanted;
        }
    }

    /// The first round trip, of the handshake, and the room that the other side then has, if it is known to hear us.
    pub(crate) fn on_connected(&mut self, rtt: Option<Duration>, window: Option<u32>) {
        if let Some(rtt) = rtt {
            self.rtt.on_sample(rtt);
        }
        self.peer_window = window.map(u64::from);
    }

    /// Takes an acknowledgement. `delay_us`: how long our last packet took to the other side, on clocks that differ.
    pub(crate) fn handle_ack(
        &mut self,
        now: Instant,
        ack: Ack<'_>,
        delay_us: u32,
        window: u32,
    ) -> Progress {
        self.peer_window = Some(window.into());
        let arrived = self.flight.handle_ack(now, ack, &self.rtt);
        if let Some(rtt) = arrived.rtt {
            self.rtt.on_sample(rtt);
        }
        if arrived.probe {
            self.mtu.on_arrived();
            self.congestion.set_mss(self.mss() as u64);
        }
        if let Some(lost) = self.flight.detect(now, &self.rtt) {
            self.on_lost(now, lost);
        }
        if let Some(newest_sent_at) = arrived.newest_sent_at {
            self.tell_congestion(now, &arrived, newest_sent_at, delay_us);
        }
        if arrived.packets > 0 {
            self.set_pace(now);
            self.rtt.on_progress();
            self.timers
                .on_progress(now, &self.rtt, self.flight.is_empty());
        }
        if let Some(place) = arrived.released {
            self.buffer.release(place);
        }
        if arrived.fin {
            self.end = End::Arrived;
        }
        Progress {
            has_room: arrived.released.is_some(),
            has_ended: arrived.fin,
        }
    }

    /// Something is due. Gives whether the other side must be held to be gone.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        if let Some(lost) = self.flight.detect(now, &self.rtt) {
            self.on_lost(now, lost);
        }
        if !self.timers.is_timed_out(now) {
            return false;
        }
        if self.timers.is_hopeless(now) {
            return true;
        }
        self.rtt.on_timeout();
        if self.mtu.on_black_hole(now) {
            self.congestion.set_mss(self.mss() as u64);
        }
        if self.flight.lose_all().is_some() {
            self.congestion.on_timeout(now);
        }
        self.timers.on_timeout(now, &self.rtt);
        false
    }

    /// The system says that a datagram of `len` bytes is too long.
    pub(crate) fn on_too_long(&mut self, now: Instant, len: usize) {
        self.mtu.on_too_long(now, len);
        self.congestion.set_mss(self.mss() as u64);
    }

    /// The next packet that may go out now.
    pub(crate) fn poll_packet(&mut self, now: Instant) -> Option<Outgoing> {
        let outgoing = self
            .poll_lost(now)
            .or_else(|| self.poll_tail_probe(now))
            .or_else(|| self.poll_new(now))?;
        self.timers.on_sent(now, &self.rtt);
        Some(outgoing)
    }

    /// When something is due, acknowledgements aside.
    pub(crate) fn poll_timeout(&mut self, now: Instant) -> Option<Instant> {
        let waiting = [
            self.timers.next(),
            self.flight.detect_at(&self.rtt),
            self.paced_at(now),
            self.persist_at(),
        ];
        waiting.into_iter().flatten().min()
    }

    /// Copies the payload of a packet to the end of `out`.
    pub(crate) fn copy_payload(&self, outgoing: &Outgoing, out: &mut Vec<u8>) {
        self.buffer.copy(outgoing.place, outgoing.len, out);
    }

    /// Bytes that may be written now.
    pub(crate) fn room(&self) -> usize {
        if self.end != End::Open {
            return 0;
        }
        let most = usize::try_from(self.congestion.cwnd()).unwrap_or(usize::MAX);
        let most = most.saturating_mul(2);
        most.clamp(LEAST_BUFFERED, MOST_BUFFERED)
            .saturating_sub(self.buffer.len())
    }

    /// Whether all that was written, and the end if it is wanted, has arrived.
    pub(crate) fn is_flushed(&self) -> bool {
        self.buffer.len() == 0 && matches!(self.end, End::Open | End::Arrived)
    }

    /// Whether all that was written has arrived, and the end is sent and has not.
    pub(crate) fn lacks_fin_alone(&self) -> bool {
        self.buffer.len() == 0 && self.end == End::Sent
    }

    /// Whether that has been so for some time.
    pub(crate) fn is_fin_unheard(&self) -> bool {
        self.lacks_fin_alone() && self.rtt.backoff() >= FIN_TIMEOUTS
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.end == End::Arrived
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.end != End::Open
    }

    pub(crate) fn may_acknowledge(&self, ack_nr: SeqNr) -> bool {
        self.flight.may_acknowledge(ack_nr)
    }

    pub(crate) fn next_seq_nr(&self) -> SeqNr {
        self.flight.next_seq_nr()
    }

    /// Bytes of payload in a full packet.
    pub(crate) const fn mss(&self) -> usize {
        self.mtu.datagram_len() - HEADER_LEN
    }

    fn tell_congestion(
        &mut self,
        now: Instant,
        arrived: &Arrived,
        newest_sent_at: Instant,
        delay_us: u32,
    ) {
        self.congestion.on_ack(&Acked {
            now,
            bytes: arrived.bytes,
            newest_sent_at,
            rtt: arrived.rtt,
            srtt: self.rtt.srtt(),
            delay_us: (delay_us != 0).then_some(delay_us),
            is_cwnd_limited: std::mem::take(&mut self.is_held_back),
            acked_nr: self.flight.newest_arrived(),
            next_nr: self.flight.next_sending(),
        });
    }

    fn set_pace(&mut self, now: Instant) {
        if self.rtt.is_known() {
            let srtt = self.rtt.srtt();
            let rate = self.congestion.pacing_rate(srtt);
            self.pacer.set_rate(now, rate, srtt, self.mss() as u64);
        }
    }

    fn on_lost(&mut self, now: Instant, lost: Lost) {
        if lost.probe {
            self.mtu.on_lost(now);
        }
        if lost.bytes > 0 {
            self.congestion.on_loss(&congestion::Lost {
                now,
                bytes: lost.bytes,
                newest_sent_at: lost.newest_sent_at,
                is_persistent: false,
            });
        }
    }

    /// When the pace lets the next packet go, where it is the pace that holds it back.
    fn paced_at(&mut self, now: Instant) -> Option<Instant> {
        let is_waiting = self.flight.has_lost() || self.buffer.unsent_len() > 0;
        let mss = self.mss() as u64;
        let in_flight = self.flight.in_flight();
        let fits = in_flight == 0 || in_flight + mss <= self.congestion.cwnd();
        let has_room = self.flight.has_lost()
            || self
                .peer_window
                .is_some_and(|window| in_flight + mss <= window);
        (is_waiting && fits && has_room)
            .then(|| self.pacer.next_send_at(now, mss))
            .flatten()
    }

    fn persist_at(&self) -> Option<Instant> {
        let is_waiting = self.flight.is_empty() && self.buffer.unsent_len() > 0;
        is_waiting.then(|| self.timers.persist_at()).flatten()
    }
}

/// Three and a half seconds at least, in which a FIN is sent five times.
const FIN_TIMEOUTS: u32 = 3;
/// Written bytes that are kept at least, and at most: what is in flight and as much again.
const LEAST_BUFFERED: usize = 256 * 1024;
const MOST_BUFFERED: usize = 32 * 1024 * 1024;
