//! One connection as a machine: datagrams, the application's wishes and the time go in, datagrams and events come out.

mod handshake;
mod output;

use std::time::{Duration, Instant};

pub(crate) use self::handshake::Accepted;
use self::handshake::Connecting;
use crate::{
    acks::Acks,
    clock::Clock,
    config::Config,
    flight::Ack,
    reassembly::{Reassembly, Taken},
    sender::{Outgoing, Sender},
    wire::{Header, Kind, Packet},
};

/// A connection, sans-IO.
///
/// After each call that takes `&mut self`, [`Connection::poll_output`] is to be called until it has nothing more, and
/// then [`Connection::handle_timeout`] at the time of [`Connection::poll_timeout`]. Early and repeated calls do no harm.
#[derive(Debug)]
pub(crate) struct Connection {
    ids: Ids,
    clock: Clock,
    state: State,
    sender: Sender,
    receiver: Reassembly,
    acks: Acks,
    news: News,
    /// A packet that is to go out and did not fit into a batch.
    postponed: Option<Outgoing>,
    last_sent_at: Instant,
    /// The other side dialed too, and has to show by then that it hears us. Until that nobody here is told of it.
    unheard_until: Option<Instant>,
    config: Config,
}

/// The two numbers of a connection in the packets of each side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ids {
    /// In packets that come.
    pub(crate) receive: u16,
    /// In packets that go.
    pub(crate) send: u16,
}

#[derive(Debug)]
enum State {
    Connecting(Connecting),
    Connected,
    /// Both sides have everything. Whoever did not hear of that is told once more.
    Lingering {
        until: Instant,
    },
    /// A RESET is to be sent, and then it is over.
    Resetting,
    Ended(EndReason),
}

/// Why a connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndReason {
    /// The application here gave it up.
    Aborted,
    /// Both sides have ended it, and everything arrived.
    Closed,
    /// The other side does not know of it, or gave it up.
    Reset,
    /// Nobody answers.
    TimedOut,
}

/// What is to be told.
#[derive(Debug, Clone, Copy, Default)]
struct News {
    is_connected: bool,
    is_readable: bool,
    is_writable: bool,
    ended: Option<EndReason>,
}

/// What a connection wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// The batch is to be sent. Routers may take it apart where `may_fragment`.
    Transmit {
        may_fragment: bool,
    },
    Connected,
    /// There are bytes to be read, or the end of them.
    Readable,
    /// There is room for bytes to be written, or all that was written has arrived.
    Writable,
    Ended(EndReason),
}

impl Connection {
    /// A packet came for this connection, from its other side.
    pub(crate) fn handle_packet(&mut self, now: Instant, packet: &Packet<'_>) {
        let header = &packet.header;
        match (&self.state, header.kind) {
            (State::Connecting(_), _) => self.on_answer(now, packet),
            (State::Connected, Kind::Reset) => self.give_up(EndReason::Reset),
            // The other side did not hear that it is connected.
            (State::Connected, Kind::Syn) => self.acks.demand(),
            (State::Connected, _) => self.on_packet(now, packet),
            // It did not hear that its end has come.
            (State::Lingering { .. }, Kind::Data | Kind::Fin) => {
                self.acks.demand();
                self.linger(now);
            }
            (State::Lingering { .. } | State::Resetting | State::Ended(_), _) => {}
        }
    }

    /// The time of [`Connection::poll_timeout`] has come.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        match &self.state {
            State::Connecting(_) => self.on_silence(now),
            State::Connected => {
                if self.unheard_until.is_some_and(|until| until <= now) {
                    self.end(EndReason::TimedOut);
                } else if self.sender.handle_timeout(now) {
                    self.give_up(EndReason::TimedOut);
                } else if now >= self.last_sent_at + KEEPALIVE {
                    self.acks.demand();
                    self.abort_if_forgotten(now);
                }
                self.news.is_writable |= self.is_fin_unheard();
            }
            State::Lingering { until } if *until <= now => self.end(EndReason::Closed),
            State::Lingering { .. } | State::Resetting | State::Ended(_) => {}
        }
    }

    /// The system says that a datagram of `len` bytes is too long for the path.
    pub(crate) fn handle_too_long(&mut self, now: Instant, len: usize) {
        self.sender.on_too_long(now, len);
    }

    /// Takes what fits of `data`; gives how many bytes that was.
    pub(crate) fn write(&mut self, data: &[u8]) -> usize {
        match self.state {
            State::Connected => self.sender.write(data),
            _ => 0,
        }
    }

    /// Gives bytes that came; none where there are none, or no more will come.
    pub(crate) fn read(&mut self, out: &mut [u8]) -> usize {
        let len = self.receiver.read(out);
        if len > 0 && matches!(self.state, State::Connected) {
            let window = self.receiver.window();
            self.acks.on_read(window, self.config.receive_window);
        }
        len
    }

    /// Nothing more will be written.
    pub(crate) fn close(&mut self) {
        self.sender.close();
    }

    /// Gives everything up; the other side is told.
    pub(crate) fn abort(&mut self) {
        match self.state {
            State::Connecting(_) | State::Lingering { .. } => self.end(EndReason::Aborted),
            State::Connected => self.state = State::Resetting,
            State::Resetting | State::Ended(_) => {}
        }
    }

    /// The application has gone, having ended its stream: nobody reads what still comes.
    pub(crate) fn let_go(&mut self, now: Instant) {
        self.receiver.let_go(now);
    }

    /// Whether there is an acknowledgement to be sent now.
    pub(crate) fn owes_ack(&self, now: Instant) -> bool {
        self.acks.is_due(now)
    }

    /// When [`Connection::handle_timeout`] or [`Connection::poll_output`] has something to do though nothing happens.
    pub(crate) fn poll_timeout(&mut self, now: Instant) -> Option<Instant> {
        match &self.state {
            State::Connecting(connecting) => Some(connecting.resend_at()),
            State::Connected => {
                let keepalive = Some(self.last_sent_at + KEEPALIVE);
                let waiting = [
                    self.sender.poll_timeout(now),
                    self.acks.due_at(now),
                    self.unheard_until,
                    keepalive,
                ];
                waiting.into_iter().flatten().min()
            }
            State::Lingering { until } => Some(*until),
            State::Resetting => Some(now),
            State::Ended(_) => None,
        }
    }

    /// Whether both sides have everything, and it is only there for whoever did not hear of that.
    pub(crate) const fn is_lingering(&self) -> bool {
        matches!(self.state, State::Lingering { .. })
    }

    pub(crate) const fn ids(&self) -> Ids {
        self.ids
    }

    /// Why it is over, where it is.
    pub(crate) const fn ended(&self) -> Option<EndReason> {
        match self.state {
            State::Ended(reason) => Some(reason),
            _ => None,
        }
    }

    #[cfg(test)]
    pub(crate) fn is_readable(&self) -> bool {
        self.receiver.is_readable()
    }

    /// Whether the other side has ended its stream, and all of it came.
    pub(crate) fn is_finished(&self) -> bool {
        self.receiver.is_finished()
    }

    /// Whether everything written, and the end of it where that is wanted, has arrived, or may be held to have.
    pub(crate) fn is_flushed(&self) -> bool {
        self.sender.is_flushed() || self.is_fin_unheard()
    }

    /// Whether everything written, and the end of it where that is wanted, has arrived.
    pub(crate) fn has_arrived(&self) -> bool {
        self.sender.is_flushed()
    }

    /// Whether this packet may show where the other side is: it has not shown itself yet, and the packet is the SYN of one that
    /// dials too, or answers ours.
    pub(crate) fn may_meet(&self, header: &Header) -> bool {
        let State::Connecting(connecting) = &self.state else {
            return false;
        };
        match header.kind {
            Kind::Syn => true,
            Kind::State => header.ack_nr == connecting.syn,
            _ => false,
        }
    }

    pub(crate) const fn sender(&self) -> &Sender {
        &self.sender
    }

    /// The application has gone, and the other side does not end its stream: it is given up.
    fn abort_if_forgotten(&mut self, now: Instant) {
        let is_old = |at: Instant| now >= at + FORGOTTEN_AFTER;
        if self.sender.has_ended() && self.receiver.let_go_at().is_some_and(is_old) {
            self.abort();
        }
    }

    /// A packet of a connection that is made.
    fn on_packet(&mut self, now: Instant, packet: &Packet<'_>) {
        let header = &packet.header;
        if !self.sender.may_acknowledge(header.ack_nr) {
            return;
        }
        self.acks.on_heard();
        if self.unheard_until.take().is_some() {
            self.news.is_connected = true;
        }
        self.clock.on_received(now, header.timestamp_us);
        let ack = Ack {
            ack_nr: header.ack_nr,
            sack: packet.sack,
            is_pure: header.kind == Kind::State,
        };
        let delay_us = header.timestamp_difference_us;
        let progress = self.sender.handle_ack(now, ack, delay_us, header.wnd_size);
        self.news.is_writable |= progress.has_room || progress.has_ended;
        if matches!(header.kind, Kind::Data | Kind::Fin) {
            self.on_data(now, header, packet.payload);
        }
        self.linger_if_over(now);
    }

    fn on_data(&mut self, now: Instant, header: &Header, payload: &[u8]) {
        let is_fin = header.kind == Kind::Fin;
        // Nobody sends data without any: its end was cut off on its way, and it comes again whole.
        if payload.is_empty() && !is_fin {
            return;
        }
        let had_gap = self.receiver.has_gap();
        let taken = self.receiver.handle(header.seq_nr, payload, is_fin);
        let is_in_order = taken == Taken::InOrder && !had_gap && !is_fin;
        self.acks.on_packet(now, is_in_order);
        if taken == Taken::InOrder {
            self.news.is_readable = true;
        }
    }

    fn linger_if_over(&mut self, now: Instant) {
        if self.sender.has_ended() && self.receiver.is_finished() {
            self.linger(now);
        }
    }

    fn linger(&mut self, now: Instant) {
        self.state = State::Lingering {
            until: now + LINGER,
        };
    }

    /// Both sides have everything, and ours alone hears nothing about its end. libtorrent is gone when its own end has arrived, and
    /// says nothing more. The FIN is sent on, but nobody needs to wait for that.
    fn is_fin_unheard(&self) -> bool {
        self.receiver.is_finished() && self.sender.is_fin_unheard()
    }

    /// The other side is gone. Where both had everything, and only the word that our end has come was still on its way,
    /// that is as good as having ended (LAST-ACK of RFC 9293 §3.6).
    fn give_up(&mut self, reason: EndReason) {
        let is_over = self.receiver.is_finished() && self.sender.lacks_fin_alone();
        self.end(if is_over { EndReason::Closed } else { reason });
    }

    fn end(&mut self, reason: EndReason) {
        self.state = State::Ended(reason);
        self.news.ended = Some(reason);
    }
}

/// BEP 29 and libutp: mappings of NATs live for half a minute at least.
const KEEPALIVE: Duration = Duration::from_secs(29);
/// As long as systems wait in FIN-WAIT-2.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(58);
/// Five packets that the other side sends again come within it, though each is waited for twice as long.
const LINGER: Duration = Duration::from_secs(20);
