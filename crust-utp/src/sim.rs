//! Two connections on a simulated network, in virtual time.

mod laws;
mod speed;

use std::{
    collections::HashSet,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    net::SocketAddr,
    time::{Duration, Instant},
};

use crust_core::simnet::{Delivery, Link, SimNet};

use crate::{
    batch::Batch,
    clock::Clock,
    config::Config,
    connection::{Connection, EndReason, Output},
    half_open::HalfOpen,
    rng::Rng,
    seq_nr::SeqNr,
    wire::{Extensions, Kind, Packet},
};

/// Two ends and what is between them.
pub(crate) struct Pair {
    pub(crate) net: SimNet,
    pub(crate) now: Instant,
    pub(crate) ends: [End; 2],
    batch: Batch,
    /// What was sent, as the checksum of UDP has it: what arrives and is not among it was corrupted, and is dropped.
    checksums: HashSet<u64>,
    sums: BuildHasherDefault<DefaultHasher>,
    /// What makes it run the same again.
    pub(crate) seed: u64,
}

/// One end: a connection, the application that uses it, and what it saw.
pub(crate) struct End {
    addr: SocketAddr,
    config: Config,
    clock: Clock,
    half_open: HalfOpen,
    pub(crate) connection: Option<Connection>,
    /// Bytes that the application has still to write, and whether it then ends.
    pub(crate) to_write: u64,
    pub(crate) written: u64,
    pub(crate) read: u64,
    /// The application reads nothing for now.
    pub(crate) is_slow: bool,
    pub(crate) connected: u32,
    pub(crate) ended: Option<EndReason>,
    pub(crate) finished: bool,
    /// Datagrams sent.
    pub(crate) sent: u64,
}

impl Pair {
    /// Dials from the first end to the second.
    pub(crate) fn dialed(seed: u64, link: Link, config: Config) -> Self {
        let mut pair = Self::new(seed, link, [config; 2]);
        pair.dial(0, seed, false);
        pair
    }

    pub(crate) fn new(seed: u64, link: Link, configs: [Config; 2]) -> Self {
        let now = crust_core::rt::now();
        let mut net = SimNet::new(seed, now);
        net.set_default_link(link);
        let [first, second] = configs;
        Self {
            net,
            now,
            ends: [
                End::new(1, seed, now, first),
                End::new(2, !seed, now, second),
            ],
            batch: Batch::new(16),
            checksums: HashSet::new(),
            sums: BuildHasherDefault::default(),
            seed,
        }
    }

    pub(crate) fn addr(&self, end: usize) -> SocketAddr {
        self.ends[end].addr
    }

    pub(crate) fn dial(&mut self, end: usize, seed: u64, is_rendezvous: bool) {
        let mut rng = Rng::new(seed);
        let syn = SeqNr(rng.next_u16());
        let id = if is_rendezvous { 77 } else { rng.next_u16() };
        let end = &mut self.ends[end];
        end.connection = Some(Connection::dial(
            end.config,
            self.now,
            id,
            syn,
            is_rendezvous,
        ));
    }

    /// Goes on until `fact`, at most for `limit`; gives the time it took.
    pub(crate) fn run_until(
        &mut self,
        limit: Duration,
        fact: impl Fn(&Self) -> bool,
    ) -> Option<Duration> {
        let start = self.now;
        while !fact(self) {
            let goes_on = self.step() && self.now - start <= limit;
            if !goes_on && !fact(self) {
                return None;
            }
        }
        Some(self.now - start)
    }

    /// Everything that is to be done now, and then the time of what comes next; false where nothing ever will.
    pub(crate) fn step(&mut self) -> bool {
        let now = self.now;
        self.net.handle_timeout(now);
        while let Some(delivery) = self.net.poll_output() {
            let to = usize::from(delivery.to == self.ends[1].addr);
            self.deliver(to, &delivery);
        }
        let mut next = None;
        for index in 0..2 {
            next = [next, self.turn(index)].into_iter().flatten().min();
        }
        let next = [next, self.net.poll_timeout()].into_iter().flatten().min();
        let Some(next) = next else { return false };
        // A timer never goes off sooner than a moment later.
        self.now = next.max(now + Duration::from_micros(1));
        true
    }

    fn deliver(&mut self, to: usize, delivery: &Delivery) {
        let sum = self.sums.hash_one(&delivery.payload[..]);
        if !self.checksums.contains(&sum) {
            return;
        }
        let Ok(packet) = Packet::decode(&delivery.payload) else {
            return;
        };
        let now = self.now;
        let end = &mut self.ends[to];
        let is_own = |connection: &&mut Connection| {
            let ids = connection.ids();
            let id = packet.header.conn_id;
            id == ids.receive
                || (packet.header.kind == Kind::Syn && id == ids.receive.wrapping_sub(1))
        };
        if let Some(connection) = end.connection.as_mut().filter(is_own) {
            connection.handle_packet(now, &packet);
            return;
        }
        if packet.header.kind == Kind::Syn {
            let window = u32::try_from(end.config.receive_window).unwrap();
            let reply =
                end.half_open
                    .handle_syn(now, &end.clock, delivery.from, &packet.header, window);
            if let Some(reply) = reply {
                let mut bytes = Vec::new();
                reply.put(Extensions::default(), &mut bytes);
                let from = end.addr;
                self.checksums.insert(self.sums.hash_one(&bytes[..]));
                self.net.send(now, from, delivery.from, bytes);
            }
        } else if end.connection.is_none()
            && let Some(accepted) = end.half_open.take(delivery.from, &packet.header)
        {
            end.connection = Some(Connection::accept(end.config, now, accepted, &packet));
        }
    }

    /// One end's turn: its application, its timers, what it sends. Gives when it has to do something again.
    fn turn(&mut self, index: usize) -> Option<Instant> {
        let now = self.now;
        let to = self.ends[1 - index].addr;
        let end = &mut self.ends[index];
        let connection = end.connection.as_mut()?;
        connection.handle_timeout(now);
        loop {
            let (connected, ended) = (end.connected > 0, end.ended.is_some());
            if connected && !ended {
                end.application();
            }
            self.batch.clear();
            let connection = end.connection.as_mut()?;
            match connection.poll_output(now, &mut self.batch) {
                Some(Output::Transmit { may_fragment }) => {
                    for datagram in self.batch.bytes().chunks(self.batch.segment_len()) {
                        let datagram = datagram.to_vec();
                        end.sent += 1;
                        self.checksums.insert(self.sums.hash_one(&datagram[..]));
                        if may_fragment {
                            self.net.send_in_fragments(now, end.addr, to, datagram);
                        } else {
                            self.net.send(now, end.addr, to, datagram);
                        }
                    }
                }
                Some(Output::Connected) => end.connected += 1,
                Some(Output::Readable | Output::Writable) => {}
                Some(Output::Ended(reason)) => end.ended = Some(reason),
                None => break,
            }
        }
        end.connection.as_mut()?.poll_timeout(now)
    }
}

impl End {
    fn new(number: u8, seed: u64, now: Instant, config: Config) -> Self {
        Self {
            addr: SocketAddr::from(([192, 0, 2, number], 1)),
            config,
            clock: Clock::new(now),
            half_open: HalfOpen::new(seed),
            connection: None,
            to_write: 0,
            written: 0,
            read: 0,
            is_slow: false,
            connected: 0,
            ended: None,
            finished: false,
            sent: 0,
        }
    }

    /// What to look at when something is wrong.
    pub(crate) fn seen(&self) -> String {
        let Self {
            written,
            to_write,
            read,
            connected,
            ended,
            finished,
            ..
        } = self;
        format!(
            "written {written}, to write {to_write}, read {read}, connected {connected}, ended {ended:?}, \
             finished {finished}, {:?}",
            self.connection
        )
    }

    /// Writes what there is room for, reads what came, and ends when all is written.
    fn application(&mut self) {
        let Some(connection) = self.connection.as_mut() else {
            return;
        };
        let mut chunk = [0; 16 * 1024];
        while self.to_write > 0 {
            let len = chunk.len().min(usize::try_from(self.to_write).unwrap());
            for (index, byte) in chunk[..len].iter_mut().enumerate() {
                *byte = pattern(self.written + index as u64);
            }
            let taken = connection.write(&chunk[..len]) as u64;
            self.written += taken;
            self.to_write -= taken;
            if taken < len as u64 {
                break;
            }
        }
        if self.to_write == 0 {
            connection.close();
        }
        while !self.is_slow {
            let len = connection.read(&mut chunk);
            if len == 0 {
                break;
            }
            for (index, byte) in chunk[..len].iter().enumerate() {
                assert_eq!(*byte, pattern(self.read + index as u64), "at {}", self.read);
            }
            self.read += len as u64;
        }
        self.finished |= connection.is_finished() && !connection.is_readable();
    }
}

/// The byte at a place of the stream.
fn pattern(place: u64) -> u8 {
    (place.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}
