//! A connection, and whoever waits for it: the application on one side, the port on the other.

use std::{
    io::IoSlice,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Instant,
};

use crust_core::udp::{SendError, Transmit, UdpPort};

use crate::{
    batch::Batch,
    connection::{Connection, EndReason, Output},
    socket::Owner,
    wire::{Header, Kind, Packet},
};

/// One connection of a socket.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) id: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    connection: Connection,
    remote: SocketAddr,
    status: Status,
    /// What the port had no room for, and whether it may be taken apart on its way.
    unsent: Option<(Batch, bool)>,
    waiting: Waiting,
    /// It was told that it lingers.
    lingers: bool,
    /// It was heard of since what it has to send was sent last.
    is_touched: bool,
    /// The timer is set to this or sooner.
    timer_at: Option<Instant>,
    /// Keeps the port until what was written has arrived, though the application has gone.
    owner: Option<Arc<Owner>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Connecting,
    Connected,
    Ended(EndReason),
}

/// Who is to be woken.
#[derive(Debug, Default)]
struct Waiting {
    connect: Option<Waker>,
    read: Option<Waker>,
    write: Option<Waker>,
}

/// What is to be done after a link was served, with no lock held.
#[derive(Debug, Default)]
pub(crate) struct After {
    woken: Vec<Waker>,
    /// The timer is to be set to this.
    pub(crate) timer_at: Option<Instant>,
    /// The port has no room: serve it again when it has.
    pub(crate) is_blocked: bool,
    pub(crate) is_over: bool,
    /// It lingers from now on.
    pub(crate) lingers: bool,
    /// The link needs the socket no more, and may be the last to hold it: it is dropped when no lock is held.
    released: Option<Arc<Owner>>,
}

impl After {
    pub(crate) fn wake(self) -> bool {
        self.woken.into_iter().for_each(Waker::wake);
        drop(self.released);
        self.is_over
    }
}

impl Link {
    pub(crate) fn new(id: u64, remote: SocketAddr, connection: Connection) -> Self {
        Self {
            id,
            state: Mutex::new(State {
                connection,
                remote,
                status: Status::Connecting,
                unsent: None,
                waiting: Waiting::default(),
                lingers: false,
                is_touched: false,
                timer_at: None,
                owner: None,
            }),
        }
    }

    /// A packet came. Gives whether it is the first since the link was served.
    pub(crate) fn handle_packet(&self, now: Instant, packet: &Packet<'_>) -> bool {
        let mut state = self.lock();
        state.connection.handle_packet(now, packet);
        !std::mem::replace(&mut state.is_touched, true)
    }

    /// The address of the other side; it changes while two sides dial each other.
    pub(crate) fn remote(&self) -> SocketAddr {
        self.lock().remote
    }

    /// This packet of the other side came from `remote`. Gives where it was held to be; `None` where it is not to be believed
    /// that it is there: another host, or it has shown itself before.
    pub(crate) fn meet_at(&self, remote: SocketAddr, header: &Header) -> Option<SocketAddr> {
        let mut state = self.lock();
        let is_it = state.remote.ip() == remote.ip() && state.connection.may_meet(header);
        is_it.then(|| std::mem::replace(&mut state.remote, remote))
    }

    /// The numbers in packets that come; they change while two sides dial each other.
    pub(crate) fn receive_id(&self) -> u16 {
        self.lock().connection.ids().receive
    }

    /// Whether a packet with a number of its own is for it. A SYN or a RESET may have that of either side.
    pub(crate) fn knows(&self, header: &Header) -> bool {
        let ids = self.lock().connection.ids();
        let is_either = matches!(header.kind, Kind::Syn | Kind::Reset);
        header.conn_id == ids.receive || (is_either && header.conn_id == ids.send)
    }

    /// Sends what is to be sent, and tells who waits.
    pub(crate) fn serve(&self, now: Instant, port: &UdpPort, spare: &mut Batch) -> After {
        let mut state = self.lock();
        state.is_touched = false;
        state.connection.handle_timeout(now);
        state.serve(now, port, spare)
    }

    pub(crate) fn poll_connected(&self, cx: &Context<'_>) -> Poll<Result<(), EndReason>> {
        let mut state = self.lock();
        match state.status {
            Status::Connecting => {
                state.waiting.connect = Some(cx.waker().clone());
                Poll::Pending
            }
            Status::Connected => Poll::Ready(Ok(())),
            Status::Ended(reason) => Poll::Ready(Err(reason)),
        }
    }

    /// Reads; nothing where the other side has ended its stream. Gives too whether the other side is to be told of the
    /// room that this made.
    pub(crate) fn poll_read(
        &self,
        cx: &Context<'_>,
        now: Instant,
        out: &mut [u8],
    ) -> Poll<Result<(usize, bool), EndReason>> {
        let mut state = self.lock();
        let len = state.connection.read(out);
        if len > 0 || out.is_empty() {
            return Poll::Ready(Ok((len, state.connection.owes_ack(now))));
        }
        if state.connection.is_finished() {
            return Poll::Ready(Ok((0, false)));
        }
        if let Status::Ended(reason) = state.status {
            return Poll::Ready(Err(reason));
        }
        state.waiting.read = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(crate) fn poll_write(
        &self,
        cx: &Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<Result<usize, Option<EndReason>>> {
        let mut state = self.lock();
        if let Status::Ended(reason) = state.status {
            return Poll::Ready(Err(Some(reason)));
        }
        if state.connection.sender().is_closing() {
            return Poll::Ready(Err(None));
        }
        let mut taken = 0;
        for part in data {
            let len = state.connection.write(part);
            taken += len;
            if len < part.len() {
                break;
            }
        }
        if taken > 0 || data.iter().all(|part| part.is_empty()) {
            return Poll::Ready(Ok(taken));
        }
        state.waiting.write = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Ends the stream and waits until all of it has arrived.
    pub(crate) fn poll_close(&self, cx: &Context<'_>) -> Poll<Result<(), EndReason>> {
        let mut state = self.lock();
        state.connection.close();
        if state.connection.is_flushed() {
            return Poll::Ready(Ok(()));
        }
        match state.status {
            // The other side had everything and has ended too: it is only gone sooner.
            Status::Ended(EndReason::Closed) => return Poll::Ready(Ok(())),
            Status::Ended(reason) => return Poll::Ready(Err(reason)),
            Status::Connecting | Status::Connected => {}
        }
        state.waiting.write = Some(cx.waker().clone());
        Poll::Pending
    }

    /// The application has gone. What it wrote and ended goes on to arrive; what it did not end is given up.
    pub(crate) fn let_go(&self, now: Instant, owner: &Arc<Owner>) {
        let mut state = self.lock();
        if state.connection.sender().is_closing() && state.status == Status::Connected {
            if !state.connection.has_arrived() {
                state.owner = Some(owner.clone());
            }
            state.connection.let_go(now);
        } else {
            state.connection.abort();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn serve(&mut self, now: Instant, port: &UdpPort, spare: &mut Batch) -> After {
        let mut after = After::default();
        if let Some((unsent, may_fragment)) = self.unsent.take() {
            after.is_blocked = !self.transmit(now, port, &unsent, may_fragment);
        }
        while !after.is_blocked {
            spare.clear();
            match self.connection.poll_output(now, spare) {
                Some(Output::Transmit { may_fragment }) => {
                    after.is_blocked = !self.transmit(now, port, spare, may_fragment);
                }
                Some(event) => self.on_event(event, &mut after),
                None => break,
            }
        }
        if self.connection.has_arrived() || self.connection.ended().is_some() {
            after.released = self.owner.take();
        }
        let lingers = self.connection.is_lingering();
        after.lingers = lingers && !std::mem::replace(&mut self.lingers, lingers);
        after.timer_at = self.timer(now, after.is_blocked);
        after
    }

    fn on_event(&mut self, event: Output, after: &mut After) {
        let waiting = &mut self.waiting;
        match event {
            Output::Connected => {
                self.status = Status::Connected;
                after.woken.extend(waiting.connect.take());
            }
            Output::Readable => after.woken.extend(waiting.read.take()),
            Output::Writable => after.woken.extend(waiting.write.take()),
            Output::Ended(reason) => {
                self.status = Status::Ended(reason);
                after.is_over = true;
                let all = [
                    waiting.connect.take(),
                    waiting.read.take(),
                    waiting.write.take(),
                ];
                after.woken.extend(all.into_iter().flatten());
            }
            Output::Transmit { .. } => {}
        }
    }

    /// Sends a batch; false where some of it is left for later.
    fn transmit(
        &mut self,
        now: Instant,
        port: &UdpPort,
        batch: &Batch,
        may_fragment: bool,
    ) -> bool {
        if may_fragment {
            self.send_in_fragments(port, batch.bytes())
        } else {
            self.send(now, port, batch.bytes(), batch.segment_len())
        }
    }

    /// Sends datagrams; false where some are left for later.
    fn send(&mut self, now: Instant, port: &UdpPort, mut bytes: &[u8], segment_len: usize) -> bool {
        let remote = self.remote;
        while !bytes.is_empty() {
            let transmit = Transmit::new(remote, bytes).with_segment_size(segment_len);
            match port.try_send(&transmit) {
                Ok(sent) => bytes = &bytes[sent..],
                Err(SendError::Full { .. }) => {
                    self.unsent = Some((Batch::of(bytes, segment_len), false));
                    return false;
                }
                Err(SendError::TooLong { .. }) => {
                    self.connection.handle_too_long(now, segment_len);
                    bytes = &bytes[segment_len.min(bytes.len())..];
                }
                // As though it were lost on its way: it is sent again, or the other side is held to be gone.
                Err(error) => {
                    tracing::trace!(%remote, %error, "datagram not sent");
                    return true;
                }
            }
        }
        true
    }

    /// Sends a datagram that was made when the path took longer ones; false where it is left for later. It is lost on a path
    /// that neither takes it nor takes it apart.
    fn send_in_fragments(&mut self, port: &UdpPort, bytes: &[u8]) -> bool {
        let remote = self.remote;
        match port.try_send_in_fragments(remote, bytes) {
            Ok(()) => true,
            Err(SendError::Full { .. }) => {
                self.unsent = Some((Batch::of(bytes, bytes.len()), true));
                false
            }
            Err(error) => {
                tracing::trace!(%remote, %error, "datagram not sent in fragments");
                true
            }
        }
    }

    /// When to serve it again, where the timer is not set to that or sooner.
    fn timer(&mut self, now: Instant, is_blocked: bool) -> Option<Instant> {
        if is_blocked {
            return None;
        }
        let at = self.connection.poll_timeout(now)?;
        if self.timer_at.is_some_and(|set| now < set && set <= at) {
            return None;
        }
        self.timer_at = Some(at);
        self.timer_at
    }
}
