//! All connections of a port, and which datagram is whose.

mod table;
mod timer;

use std::{
    collections::VecDeque,
    future::poll_fn,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
    time::Instant,
};

use crust_core::udp::{Datagram, Protocol, Transmit, UdpPort};

use self::{table::Table, timer::Timer};
use crate::{
    batch::Batch,
    clock::Clock,
    config::Config,
    congestion::CongestionKind,
    connection::Connection,
    half_open::HalfOpen,
    link::Link,
    seq_nr::SeqNr,
    wire::{Extensions, Header, Kind, Packet, looks_like_packet},
};

/// The uTP of one port.
#[derive(Debug)]
pub(crate) struct Endpoint {
    port: UdpPort,
    config: Config,
    clock: Clock,
    table: Mutex<Table>,
    half_open: Mutex<HalfOpen>,
    /// Links that were heard of in the batch at hand.
    touched: Mutex<Vec<Arc<Link>>>,
    backlog: Mutex<Backlog>,
    /// Buffers for what is sent.
    spares: Mutex<Vec<Batch>>,
    timer: Timer,
    resets: Mutex<Resets>,
}

/// Connections that nobody has accepted yet.
#[derive(Debug, Default)]
struct Backlog {
    links: VecDeque<Arc<Link>>,
    /// Whoever waits for one.
    waiting: Vec<Waker>,
    is_listening: bool,
}

/// How many RESETs were sent in a second.
#[derive(Debug)]
struct Resets {
    second: Instant,
    sent: u32,
}

impl Endpoint {
    pub(crate) fn new(port: UdpPort, config: Config, seed: u64, now: Instant) -> Self {
        Self {
            port,
            config,
            clock: Clock::new(now),
            table: Mutex::new(Table::new(seed)),
            half_open: Mutex::new(HalfOpen::new(!seed)),
            touched: Mutex::default(),
            backlog: Mutex::default(),
            spares: Mutex::default(),
            timer: Timer::default(),
            resets: Mutex::new(Resets {
                second: now,
                sent: 0,
            }),
        }
    }

    /// Dials; `None` where all numbers of connections to there are in use.
    pub(crate) fn dial(
        &self,
        now: Instant,
        remote: SocketAddr,
        congestion: CongestionKind,
    ) -> Option<Arc<Link>> {
        let config = self.config_for(remote, congestion);
        let link = lock(&self.table).insert_dial(remote, |id, syn| {
            Connection::dial(config, now, id, SeqNr(syn), false)
        })?;
        self.serve(now, &link);
        Some(link)
    }

    /// Dials where the other side dials too, with the same number; `None` where that number is in use.
    pub(crate) fn meet(
        &self,
        now: Instant,
        remote: SocketAddr,
        id: u16,
        congestion: CongestionKind,
    ) -> Option<Arc<Link>> {
        let config = self.config_for(remote, congestion);
        // Held until it has its place: a SYN that comes meanwhile finds it there, or is found here.
        let mut table = lock(&self.table);
        // It may have dialed already: then it was answered as anybody is, and may wait to be accepted.
        if let Some(link) = self.take_waiting(remote, id.wrapping_add(1)) {
            return Some(link);
        }
        let link = match lock(&self.half_open).take_early(now, remote, id) {
            Some((from, accepted)) => {
                table.insert_meeting(from, id, |_| Connection::meet_early(config, now, accepted))
            }
            None => table.insert_meeting(remote, id, |syn| {
                Connection::dial(config, now, id, SeqNr(syn), true)
            }),
        }?;
        drop(table);
        self.serve(now, &link);
        Some(link)
    }

    fn take_waiting(&self, remote: SocketAddr, receive_id: u16) -> Option<Arc<Link>> {
        let mut backlog = lock(&self.backlog);
        let is_it =
            |link: &Arc<Link>| link.remote().ip() == remote.ip() && link.receive_id() == receive_id;
        let place = backlog.links.iter().position(is_it)?;
        backlog.links.remove(place)
    }

    /// The next connection that was made from outside.
    pub(crate) async fn accept(&self) -> Arc<Link> {
        poll_fn(|cx| {
            let mut backlog = lock(&self.backlog);
            backlog.is_listening = true;
            if let Some(link) = backlog.links.pop_front() {
                return Poll::Ready(link);
            }
            backlog.waiting.retain(|waker| !waker.will_wake(cx.waker()));
            backlog.waiting.push(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    pub(crate) fn try_listen(&self) -> bool {
        !std::mem::replace(&mut lock(&self.backlog).is_listening, true)
    }

    /// Gives those that wait to be accepted.
    pub(crate) fn stop_listening(&self) -> VecDeque<Arc<Link>> {
        std::mem::take(&mut *lock(&self.backlog)).links
    }

    /// Connections from outside are taken from now on.
    pub(crate) fn listen(&self) {
        lock(&self.backlog).is_listening = true;
    }

    /// Sends what a link has to send, wakes who waits for it, and sets its timer.
    pub(crate) fn serve(&self, now: Instant, link: &Arc<Link>) {
        let mut spare = lock(&self.spares)
            .pop()
            .unwrap_or_else(|| Batch::new(self.port.max_gso_segments()));
        let after = link.serve(now, &self.port, &mut spare);
        let mut spares = lock(&self.spares);
        if spares.len() < MAX_SPARES {
            spares.push(spare);
        }
        drop(spares);
        if let Some(at) = after.timer_at {
            self.timer.set(at, link);
        }
        if after.is_blocked {
            self.timer.block(link);
        }
        if after.lingers {
            lock(&self.table).linger(link);
        }
        if after.wake() {
            lock(&self.table).remove(link);
        }
    }

    /// Runs the timers of all links, and serves those again for which the port had no room.
    pub(crate) async fn run_timers(self: Arc<Self>) {
        loop {
            let due = self.timer.next(&self.port).await;
            let now = crust_core::rt::now();
            for link in due {
                self.serve(now, &link);
            }
        }
    }

    pub(crate) const fn port(&self) -> &UdpPort {
        &self.port
    }

    fn config_for(&self, remote: SocketAddr, congestion: CongestionKind) -> Config {
        let mut config = Config {
            congestion,
            ..self.config
        };
        if remote.ip().is_loopback() {
            config.longest_datagram = config.longest_datagram.max(LOOPBACK_LEN);
        }
        config
    }

    fn on_packet(&self, now: Instant, from: SocketAddr, packet: &Packet<'_>) {
        let header = &packet.header;
        let link = {
            let mut table = lock(&self.table);
            let link = table.find(from, header);
            link.or_else(|| table.find_meeting(from, header))
        };
        if let Some(link) = link {
            if link.handle_packet(now, packet) {
                lock(&self.touched).push(link);
            }
            return;
        }
        match header.kind {
            Kind::Syn => self.on_syn(now, from, header),
            Kind::Reset => {
                lock(&self.half_open).forget(from, header.conn_id);
            }
            Kind::Data | Kind::Fin | Kind::State => self.on_unknown(now, from, packet),
        }
    }

    fn on_syn(&self, now: Instant, from: SocketAddr, syn: &Header) {
        // Whoever dials is told at once where nobody listens, and where it took a number that is in use.
        let receive_id = syn.conn_id.wrapping_add(1);
        // Held, so that nobody here begins to meet it meanwhile.
        let table = lock(&self.table);
        if !self.has_room() || table.is_taken(from, receive_id) {
            drop(table);
            return self.reset(now, from, syn);
        }
        let window = u32::try_from(self.config.receive_window).unwrap_or(u32::MAX);
        let answer = lock(&self.half_open).handle_syn(now, &self.clock, from, syn, window);
        drop(table);
        if let Some(answer) = answer {
            self.send(from, &answer);
        }
    }

    /// Whether somebody listens, and one more may wait to be accepted.
    fn has_room(&self) -> bool {
        let backlog = lock(&self.backlog);
        backlog.is_listening && backlog.links.len() < MAX_BACKLOG
    }

    /// A packet of no connection: the second of a dial, or of one that is gone.
    fn on_unknown(&self, now: Instant, from: SocketAddr, packet: &Packet<'_>) {
        let mut table = lock(&self.table);
        let accepted = if self.has_room() {
            lock(&self.half_open).take(from, &packet.header)
        } else {
            None
        };
        let Some(accepted) = accepted else {
            drop(table);
            return self.reset(now, from, &packet.header);
        };
        let connection = Connection::accept(
            self.config_for(from, self.config.congestion),
            now,
            accepted,
            packet,
        );
        let link = table.insert(from, connection);
        lock(&self.touched).push(link.clone());
        let mut backlog = lock(&self.backlog);
        backlog.links.push_back(link);
        drop(table);
        let waiting = std::mem::take(&mut backlog.waiting);
        drop(backlog);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Tells that there is no such connection, so many times a second, with no more bytes than came.
    fn reset(&self, now: Instant, from: SocketAddr, header: &Header) {
        let mut resets = lock(&self.resets);
        if now.saturating_duration_since(resets.second).as_secs() > 0 {
            *resets = Resets {
                second: now,
                sent: 0,
            };
        }
        resets.sent += 1;
        let is_over = resets.sent > RESETS_PER_SECOND;
        drop(resets);
        if !is_over {
            let reset = Header {
                kind: Kind::Reset,
                timestamp_us: self.clock.timestamp_us(now),
                timestamp_difference_us: 0,
                wnd_size: 0,
                ack_nr: header.seq_nr,
                ..*header
            };
            self.send(from, &reset);
        }
    }

    /// Sends a packet of no connection. It may get lost here as on its way.
    fn send(&self, to: SocketAddr, header: &Header) {
        let mut bytes = Vec::with_capacity(32);
        header.put(Extensions::default(), &mut bytes);
        let _ = self.port.try_send(&Transmit::new(to, &bytes));
    }
}

impl Protocol for Endpoint {
    fn claim(&self, datagram: &Datagram<'_>) -> bool {
        looks_like_packet(datagram.data)
    }

    fn handle(&self, now: Instant, datagram: &Datagram<'_>) {
        match Packet::decode(datagram.data) {
            Ok(packet) => self.on_packet(now, datagram.from, &packet),
            Err(error) => tracing::trace!(from = %datagram.from, %error, "packet refused"),
        }
    }

    fn handle_batch_end(&self, now: Instant) {
        let touched = std::mem::take(&mut *lock(&self.touched));
        for link in &touched {
            self.serve(now, link);
        }
        // The buffer is used again.
        let mut touched = touched;
        touched.clear();
        let mut place = lock(&self.touched);
        if place.is_empty() {
            *place = touched;
        }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Connections that may wait to be accepted.
const MAX_BACKLOG: usize = 1_024;
/// A few for each core that sends.
const MAX_SPARES: usize = 4;
const RESETS_PER_SECOND: u32 = 100;
/// Loopback takes as much as IP does; this much leaves room for several in a socket's buffer. It is found by probes as elsewhere,
/// for the other side's buffer may be shorter, and then cuts what comes without a word.
const LOOPBACK_LEN: usize = 16_384;
