//! How a connection begins: dialed, accepted, or dialed from both sides at once.

use std::time::{Duration, Instant};

use super::{Connection, EndReason, Ids, News, State};
use crate::{
    acks::Acks,
    clock::Clock,
    config::Config,
    mtu::PathMtu,
    reassembly::Reassembly,
    sender::Sender,
    seq_nr::SeqNr,
    wire::{HEADER_LEN, Header, Kind, Packet},
};

/// A SYN that is not answered yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Connecting {
    /// Its number.
    pub(super) syn: SeqNr,
    tries: u32,
    sent_at: Instant,
    resend_at: Instant,
    /// The other side dials too, with the same number.
    is_rendezvous: bool,
    /// It is to be sent.
    is_wanted: bool,
    /// It is to be sent for a SYN that came, and not because it was not answered in time.
    is_provoked: bool,
    /// It was sent several times.
    is_again: bool,
}

/// What was agreed with one that dialed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) ids: Ids,
    /// The number of its SYN.
    pub(crate) their_syn: SeqNr,
    /// The number of our first packet.
    pub(crate) our_first: SeqNr,
}

impl Connecting {
    pub(super) const fn resend_at(&self) -> Instant {
        if self.is_wanted {
            self.sent_at
        } else {
            self.resend_at
        }
    }
}

impl Connection {
    /// Dials. `id` and `syn` are random. With `is_rendezvous` the other side dials too, with the same `id`, and the two
    /// become one connection.
    pub(crate) fn dial(
        config: Config,
        now: Instant,
        id: u16,
        syn: SeqNr,
        is_rendezvous: bool,
    ) -> Self {
        let ids = Ids {
            receive: id,
            send: id.wrapping_add(1),
        };
        let connecting = Connecting {
            syn,
            tries: 0,
            sent_at: now,
            resend_at: now,
            is_rendezvous,
            is_wanted: true,
            is_provoked: false,
            is_again: false,
        };
        Self::new(config, now, ids, State::Connecting(connecting), syn.next())
    }

    /// One that dialed has shown that it hears us.
    pub(crate) fn accept(
        config: Config,
        now: Instant,
        accepted: Accepted,
        packet: &Packet<'_>,
    ) -> Self {
        let mut connection = Self::answered(config, now, accepted);
        connection
            .sender
            .on_connected(None, Some(packet.header.wnd_size));
        connection.news.is_connected = true;
        connection.handle_packet(now, packet);
        connection
    }

    /// One that is to be met has dialed before, and was answered.
    pub(crate) fn meet_early(config: Config, now: Instant, accepted: Accepted) -> Self {
        let mut connection = Self::answered(config, now, accepted);
        // As where two SYNs crossed: it may not have heard the answer, so nothing else is sent before it is heard.
        connection.sender.on_connected(None, None);
        connection.acks.on_connected();
        connection.unheard_until = Some(now + dial_time(config.syn_tries));
        connection
    }

    /// One whose SYN was answered from here.
    fn answered(config: Config, now: Instant, accepted: Accepted) -> Self {
        let Accepted {
            ids,
            their_syn,
            our_first,
        } = accepted;
        let mut connection = Self::new(config, now, ids, State::Connected, our_first);
        connection.receiver = Reassembly::new(their_syn, config.receive_window);
        connection
    }

    fn new(config: Config, now: Instant, ids: Ids, state: State, first: SeqNr) -> Self {
        let mss = (config.datagram_len - HEADER_LEN) as u64;
        let mtu = PathMtu::new(config.datagram_len, config.longest_datagram);
        Self {
            ids,
            clock: Clock::new(now),
            state,
            sender: Sender::new(now, first, config.congestion.new_controller(mss), mtu),
            receiver: Reassembly::new(SeqNr(0), config.receive_window),
            acks: Acks::default(),
            news: News::default(),
            postponed: None,
            last_sent_at: now,
            unheard_until: None,
            config,
        }
    }

    /// A packet came before the SYN was answered.
    pub(super) fn on_answer(&mut self, now: Instant, packet: &Packet<'_>) {
        let State::Connecting(connecting) = self.state else {
            return;
        };
        let header = &packet.header;
        let answers = header.ack_nr == connecting.syn;
        match header.kind {
            Kind::State if answers => {
                // Karn: of a SYN that was sent twice nobody knows which was answered.
                let rtt = now.saturating_duration_since(connecting.sent_at);
                let rtt = (!connecting.is_again).then_some(rtt);
                self.sender.on_connected(rtt, Some(header.wnd_size));
                self.connected(now, header, header.seq_nr.prev());
                self.news.is_connected = true;
            }
            // Where the other side is to dial too, it may not have begun: it is the next SYN that meets.
            Kind::Reset if connecting.is_rendezvous => {}
            Kind::Reset if answers || header.ack_nr == SeqNr(0) => self.end(EndReason::Reset),
            Kind::Syn if connecting.is_rendezvous => self.on_crossing(now, connecting, header),
            _ => {}
        }
    }

    /// Both sides dialed. The one whose SYN has the higher number stays the one that dialed.
    fn on_crossing(&mut self, now: Instant, mut connecting: Connecting, header: &Header) {
        let (ours, theirs) = (connecting.syn.0, header.seq_nr.0);
        if ours == theirs {
            // Each picks another: the lower bits of two clocks that were never set alike.
            let spread = self.clock.timestamp_us(now) ^ header.timestamp_us;
            let [low, high, ..] = spread.to_le_bytes();
            let spread = u16::from_le_bytes([low, high]) | 1;
            connecting.syn = SeqNr(ours.wrapping_mul(31).wrapping_add(spread));
            connecting.is_wanted = true;
            *self = Self::new(
                self.config,
                now,
                self.ids,
                State::Connecting(connecting),
                connecting.syn.next(),
            );
        } else if ours > theirs {
            // Ours may have been lost, as they hear nothing of it. Theirs may come as often as a stranger likes.
            if now >= connecting.sent_at + LEAST_PAUSE && !connecting.is_wanted {
                (connecting.is_wanted, connecting.is_provoked) = (true, true);
            }
            self.state = State::Connecting(connecting);
        } else {
            let Ids { receive, send } = self.ids;
            self.ids = Ids {
                receive: send,
                send: receive,
            };
            // Its number for what we send is that of our answer. So nothing else is sent before that was heard.
            self.sender.on_connected(None, None);
            self.connected(now, header, header.seq_nr);
            self.unheard_until = Some(now + dial_time(self.config.syn_tries));
        }
    }

    /// `ack_nr`: the number before the first that the other side sends.
    fn connected(&mut self, now: Instant, header: &Header, ack_nr: SeqNr) {
        self.state = State::Connected;
        self.clock.on_received(now, header.timestamp_us);
        self.receiver = Reassembly::new(ack_nr, self.config.receive_window);
        // The other side learns by this packet that we hear it.
        self.acks.on_connected();
        self.news.is_writable = true;
    }

    /// The SYN was not answered in time.
    pub(super) fn on_silence(&mut self, now: Instant) {
        let State::Connecting(connecting) = &mut self.state else {
            return;
        };
        if connecting.is_wanted || now < connecting.resend_at {
            return;
        }
        if connecting.tries >= self.config.syn_tries {
            self.end(EndReason::TimedOut);
        } else {
            connecting.is_wanted = true;
        }
    }

    /// The SYN, where it is to be sent.
    pub(super) fn poll_syn(&mut self, now: Instant) -> Option<Header> {
        let State::Connecting(connecting) = &mut self.state else {
            return None;
        };
        if !std::mem::take(&mut connecting.is_wanted) {
            return None;
        }
        connecting.is_again = connecting.tries > 0;
        connecting.sent_at = now;
        if !std::mem::take(&mut connecting.is_provoked) {
            connecting.resend_at = now + syn_wait(connecting.tries);
            connecting.tries += 1;
        }
        let syn = connecting.syn;
        let header = self.header(now, Kind::Syn, syn);
        Some(Header {
            conn_id: self.ids.receive,
            ack_nr: SeqNr(0),
            ..header
        })
    }
}

/// A SYN of ours follows another no sooner, however many of theirs come.
const LEAST_PAUSE: Duration = Duration::from_millis(100);
/// How long to wait after a SYN, `before` which there were so many.
fn syn_wait(before: u32) -> Duration {
    FIRST_SYN_WAIT * (1 << before.min(3))
}

/// How long a dial of so many SYNs takes where nobody answers.
fn dial_time(tries: u32) -> Duration {
    (0..tries).map(syn_wait).sum()
}

/// The wait after the first SYN; each next is twice as long, up to 4 s. RFC 6298 §2.1 has a second.
const FIRST_SYN_WAIT: Duration = Duration::from_millis(500);
