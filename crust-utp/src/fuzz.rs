//! What fuzzing needs to see of the machine.

use std::time::{Duration, Instant};

use crate::{
    batch::Batch,
    clock::Clock,
    config::Config,
    congestion::CongestionKind,
    connection::{Connection, EndReason, Ids, Output},
    half_open::HalfOpen,
    seq_nr::SeqNr,
    wire::{Extensions, Header, Kind, Packet, Sack},
};

/// Something that happens to a connection, after so many milliseconds: `kind` chooses what, the numbers how.
pub type Step<'a> = (u16, u8, [u16; 2], &'a [u8]);

/// A datagram that is read is read the same once it is written.
pub fn check_packet(datagram: &[u8]) {
    let Ok(packet) = Packet::decode(datagram) else {
        return;
    };
    let mut again = Vec::new();
    let extensions = Extensions {
        sack: packet.sack,
        padding: 0,
    };
    packet.header.put(extensions, &mut again);
    again.extend(packet.payload);
    assert_eq!(Packet::decode(&again), Ok(packet));
}

/// A connection to which anything happens. Each packet that it sends can be read, it never sends or waits without end, and
/// its window stays as it was set.
pub fn run(setting: u8, steps: &[Step<'_>]) {
    let mut case = Case::new(setting);
    for (wait_ms, kind, numbers, bytes) in steps {
        case.now += Duration::from_millis(u64::from(*wait_ms));
        case.connection.handle_timeout(case.now);
        case.act(*kind, *numbers, bytes);
        case.drain();
    }
    // Whatever was done to it, it ends when it is given up, and when nobody says anything any more.
    let is_given_up = setting & 8 != 0;
    if is_given_up {
        case.connection.abort();
    } else {
        case.connection.close();
        case.connection.let_go(case.now);
    }
    case.drain();
    let limit = case.now + Duration::from_secs(600);
    while let Some(at) = case.connection.poll_timeout(case.now)
        && case.ended.is_none()
    {
        assert!(at <= limit, "it waits without end");
        case.now = case.now.max(at);
        case.connection.handle_timeout(case.now);
        case.drain();
    }
    assert!(case.ended.is_some());
}

struct Case {
    now: Instant,
    connection: Connection,
    half_open: HalfOpen,
    clock: Clock,
    batch: Batch,
    /// What it sent last.
    last: Header,
    ended: Option<EndReason>,
}

impl Case {
    fn new(setting: u8) -> Self {
        let now = crust_core::rt::now();
        let config = Config {
            congestion: if setting & 1 == 0 {
                CongestionKind::Cubic
            } else {
                CongestionKind::Ledbat {
                    target: Duration::from_millis(60),
                }
            },
            receive_window: WINDOW,
            ..Config::default()
        };
        // Each number wraps around soon.
        let syn = SeqNr(0xfff0);
        let mut case = Self {
            now,
            connection: Connection::dial(config, now, 0xfffe, syn, setting & 2 != 0),
            half_open: HalfOpen::new(1),
            clock: Clock::new(now),
            batch: Batch::new(8),
            last: Header {
                kind: Kind::Syn,
                conn_id: 0xfffe,
                timestamp_us: 0,
                timestamp_difference_us: 0,
                wnd_size: 0,
                seq_nr: syn,
                ack_nr: SeqNr(0),
            },
            ended: None,
        };
        case.drain();
        if setting & 4 != 0 {
            case.connect();
        }
        case
    }

    /// The SYN is answered.
    fn connect(&mut self) {
        let answer = Header {
            kind: Kind::State,
            conn_id: self.connection.ids().receive,
            wnd_size: 1 << 20,
            seq_nr: SeqNr(0xffff),
            ack_nr: self.last.seq_nr,
            ..self.last
        };
        self.packet(answer, &[], None);
        self.drain();
    }

    fn act(&mut self, kind: u8, [a, b]: [u16; 2], bytes: &[u8]) {
        match kind % 13 {
            0 => {
                if let Ok(packet) = Packet::decode(bytes) {
                    self.connection.handle_packet(self.now, &packet);
                    self.half_open(&packet);
                }
            }
            // One that is near to what it expects.
            number @ 1..=7 => {
                let near = |of: SeqNr, by: u16| SeqNr(of.0.wrapping_add(by % 64).wrapping_sub(16));
                let header = Header {
                    kind: match number {
                        1..=3 => Kind::Data,
                        4 | 5 => Kind::State,
                        6 => Kind::Fin,
                        _ => Kind::Syn,
                    },
                    conn_id: self.connection.ids().receive,
                    timestamp_us: u32::from(a) << 8,
                    timestamp_difference_us: u32::from(b) << 4,
                    wnd_size: u32::from(b) << (a % 16),
                    seq_nr: near(self.last.ack_nr, a),
                    ack_nr: near(self.last.seq_nr, b),
                };
                let sack = (number >= 4).then(|| Sack::new(bytes)).flatten();
                let payload = if sack.is_some() { &[] } else { bytes };
                self.packet(header, payload, sack);
            }
            8 => {
                let data = vec![1; usize::from(a) * usize::from(b % 64)];
                self.connection.write(&data);
            }
            9 => {
                self.connection.read(&mut vec![0; usize::from(a)]);
            }
            10 => self.connection.close(),
            11 => self.connection.handle_too_long(self.now, usize::from(a)),
            _ => self.connection.let_go(self.now),
        }
    }

    fn packet(&mut self, header: Header, payload: &[u8], sack: Option<Sack<'_>>) {
        let packet = Packet {
            header,
            sack,
            payload,
        };
        self.connection.handle_packet(self.now, &packet);
    }

    /// The same packet at a port where nobody knows it.
    fn half_open(&mut self, packet: &Packet<'_>) {
        let from = ([192, 0, 2, 1], 1).into();
        let header = &packet.header;
        if header.kind == Kind::Syn {
            self.half_open
                .handle_syn(self.now, &self.clock, from, header, 1);
        } else if let Some(accepted) = self.half_open.take(from, header) {
            let Ids { receive, send } = accepted.ids;
            assert_eq!(receive, send.wrapping_add(1));
            let mut accepted = Connection::accept(Config::default(), self.now, accepted, packet);
            while accepted.poll_output(self.now, &mut Batch::new(8)).is_some() {}
        }
    }

    fn drain(&mut self) {
        let mut turns = 0;
        loop {
            self.batch.clear();
            match self.connection.poll_output(self.now, &mut self.batch) {
                Some(Output::Transmit { .. }) => self.check_sent(),
                Some(Output::Ended(reason)) => {
                    assert!(self.ended.replace(reason).is_none(), "it ends once");
                }
                Some(_) => {}
                None => break,
            }
            turns += 1;
            assert!(turns < MAX_TURNS, "it sends without end");
        }
        if let Some(at) = self.connection.poll_timeout(self.now) {
            let soon = self.now + Duration::from_secs(3_600);
            assert!(at <= soon, "it waits for an hour");
        }
    }

    fn check_sent(&mut self) {
        for datagram in self.batch.bytes().chunks(self.batch.segment_len()) {
            let packet = Packet::decode(datagram).expect("what is sent can be read");
            assert!(packet.header.wnd_size as usize <= WINDOW);
            self.last = packet.header;
        }
    }
}

const WINDOW: usize = 100_000;
const MAX_TURNS: u32 = 100_000;
