//! The task of one session: the connection on one side, the handles on the other.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use crust_core::{Connection, rt};
use crust_crypto::{Opened, Opener, Sealer};
use futures::AsyncWrite;

use crate::{
    clock, pool,
    reason::{CloseCode, DisconnectReason},
    session::{
        assembly::Assembly,
        buffers::{Plaintext, ReadBuffer, WriteBuffer},
        liveness::{Liveness, Verdict},
        outbox::{Outbox, Outgoing},
        shared::{Order, Shared},
    },
    wire::frame::{Frame, Frames},
};

/// Carries one session over one connection until it ends.
///
/// One poll does a bounded round of work: read once, hand on, seal, write once. Everything else it knows is in the
/// machines, which neither read nor write.
#[derive(Debug)]
pub(crate) struct Driver {
    shared: Arc<Shared>,
    link: Link,
    outbox: Outbox,
    assembly: Assembly,
    liveness: Liveness,
    replies: Replies,
    incoming: Vec<Outgoing>,
    phase: Phase,
    /// When the alarm rings next.
    alarm_at: Option<Instant>,
}

/// A connection with its keys.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) connection: Connection,
    pub(crate) sealer: Sealer,
    pub(crate) opener: Opener,
    pub(crate) read: ReadBuffer,
    pub(crate) write: WriteBuffer,
    /// Something was written and not flushed.
    pub(crate) unflushed: bool,
    /// Nothing can be written any more.
    pub(crate) broken: bool,
}

/// Frames to send besides messages: one of each at most, whatever the peer asks for.
#[derive(Debug, Default)]
struct Replies {
    ping: Option<u64>,
    pong: Option<u64>,
    /// Message frames that the peer knows we have.
    acked: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// Sends what is queued, then says why and ends.
    Closing {
        reason: DisconnectReason,
        text: Box<str>,
        until: Instant,
    },
    /// Another connection takes over; what has come is still read.
    Draining {
        until: Instant,
    },
    /// The close is written: waits for the far end to end too, so that nothing it must read is torn down.
    Lingering {
        reason: DisconnectReason,
        until: Instant,
    },
}

/// What a round came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// A few messages went to the application: it is its turn now, for its answer may go out with the next round.
    Delivered,
    /// Bytes came or went.
    Moved,
    /// There was nothing to do.
    Nothing,
}

impl Driver {
    pub(crate) fn new(
        shared: Arc<Shared>,
        link: Link,
        outbox: Outbox,
        assembly: Assembly,
        liveness: Liveness,
    ) -> Self {
        shared.counters.set_rtt(liveness.rtt());
        Self {
            shared,
            link,
            outbox,
            assembly,
            liveness,
            replies: Replies::default(),
            incoming: Vec::new(),
            phase: Phase::Open,
            alarm_at: None,
        }
    }

    /// Runs the session to its end. Boxed, so that the task that awaits it holds it once and not at each level. `first`
    /// are frames that came in one record with the end of the set-up.
    pub(crate) async fn run(mut self: Box<Self>, first: Vec<u8>) -> DisconnectReason {
        let result = self.catch_up(&first);
        drop(first);
        let reason = match result {
            Ok(()) => poll_fn(|cx| self.poll(cx)).await,
            Err(reason) => reason,
        };
        if let DisconnectReason::Protocol { .. } | DisconnectReason::Blocked = reason {
            // On the heap: every session's task would be as large as if it were saying goodbye.
            Box::pin(self.say_goodbye(&reason)).await;
        }
        self.shared.end(&reason);
        reason
    }

    /// Handles what was read too much while the session was set up; nothing else would wake the task for it.
    fn catch_up(&mut self, first: &[u8]) -> Result<(), DisconnectReason> {
        let now = rt::now();
        let result = self
            .on_plaintext(first, now)
            .and_then(|()| self.open_records(now));
        self.hand_on();
        result
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<DisconnectReason> {
        self.shared.alarm.register(cx.waker());
        for _ in 0..ROUNDS {
            let now = rt::now();
            match self.round(cx, now) {
                Ok(Step::Delivered) => break,
                Ok(Step::Moved) => {}
                Ok(Step::Nothing) if self.rest(now) => return Poll::Pending,
                Ok(Step::Nothing) => {}
                Err(reason) => return Poll::Ready(reason),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn round(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<Step, DisconnectReason> {
        self.take_work(now)?;
        self.on_time(now)?;
        let written = self.write(cx, now);
        let read = self.read(cx, now)?;
        Ok(match read {
            Step::Nothing if written => Step::Moved,
            read => read,
        })
    }

    /// Reads once and handles every record that is whole.
    fn read(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<Step, DisconnectReason> {
        let lost = |kind| DisconnectReason::Lost { kind };
        let read = match self.link.read.poll_fill(&mut self.link.connection, cx) {
            Poll::Pending => return Ok(Step::Nothing),
            Poll::Ready(Err(error)) => return Err(self.ended(lost(error.kind()))),
            Poll::Ready(Ok(0)) => return Err(self.ended(lost(io::ErrorKind::UnexpectedEof))),
            Poll::Ready(Ok(read)) => read,
        };
        self.liveness.on_heard(now);
        let result = self.open_records(now);
        let delivered = self.hand_on();
        result?;
        Ok(if delivered && read < pool::BUFFER_LEN / 4 {
            Step::Delivered
        } else {
            Step::Moved
        })
    }

    fn open_records(&mut self, now: Instant) -> Result<(), DisconnectReason> {
        loop {
            match self.link.read.next(&mut self.link.opener) {
                Ok(None) => return Ok(()),
                Ok(Some(Opened::Data(plaintext))) => {
                    let mut inbound = Inbound {
                        assembly: &mut self.assembly,
                        outbox: &mut self.outbox,
                        liveness: &mut self.liveness,
                        replies: &mut self.replies,
                        shared: &self.shared,
                    };
                    inbound.on_plaintext(plaintext, now)?;
                }
                Ok(Some(Opened::Close)) => {
                    return Err(DisconnectReason::ClosedByPeer {
                        reason: String::new(),
                    });
                }
                Err(_) => {
                    return Err(DisconnectReason::Protocol {
                        detail: "a record is broken".into(),
                    });
                }
            }
        }
    }

    fn on_plaintext(&mut self, plaintext: &[u8], now: Instant) -> Result<(), DisconnectReason> {
        let mut inbound = Inbound {
            assembly: &mut self.assembly,
            outbox: &mut self.outbox,
            liveness: &mut self.liveness,
            replies: &mut self.replies,
            shared: &self.shared,
        };
        inbound.on_plaintext(plaintext, now)
    }

    /// Gives the application what is whole.
    fn hand_on(&mut self) -> bool {
        let done = self.assembly.done();
        if done.is_empty() {
            return false;
        }
        let counters = &self.shared.counters;
        let bytes: usize = done.iter().map(|message| message.data.len()).sum();
        counters
            .messages_in
            .fetch_add(done.len() as u64, Ordering::Relaxed);
        counters.bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
        self.shared.inbox.push(done);
        self.shared.tell_hub();
        true
    }

    /// Takes what the handles want.
    fn take_work(&mut self, now: Instant) -> Result<(), DisconnectReason> {
        let sealed = self.outbox.take_finished();
        let order = self.shared.take_work(&sealed, &mut self.incoming);
        for message in self.incoming.drain(..) {
            self.outbox.push(message);
        }
        match (order, &self.phase) {
            (Some(Order::Cut(reason)), _) => Err(reason),
            (Some(Order::Close { reason, text }), Phase::Open) => {
                self.phase = Phase::Closing {
                    reason,
                    text,
                    until: now + CLOSE_TIMEOUT,
                };
                Ok(())
            }
            (Some(Order::Supersede { grace }), Phase::Open | Phase::Closing { .. }) => {
                self.phase = Phase::Draining { until: now + grace };
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn on_time(&mut self, now: Instant) -> Result<(), DisconnectReason> {
        match &mut self.phase {
            Phase::Draining { until } if now >= *until => return Err(DisconnectReason::Replaced),
            Phase::Lingering { reason, until } | Phase::Closing { reason, until, .. }
                if now >= *until =>
            {
                return Err(reason.clone());
            }
            _ => {}
        }
        match self.liveness.handle_timeout(now) {
            Verdict::Fine => {}
            Verdict::Lost => {
                return Err(self.ended(DisconnectReason::Lost {
                    kind: io::ErrorKind::TimedOut,
                }));
            }
            Verdict::Ping(token) => self.replies.ping = Some(token),
        }
        if self.shared.pings.take_wanted() {
            self.replies.ping = Some(self.liveness.ping(now));
        }
        Ok(())
    }

    /// Seals what may go, and writes once. Whether anything was written.
    fn write(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        if self.link.broken {
            return false;
        }
        if self.link.write.is_empty() {
            self.seal(now);
        }
        if self.link.write.is_empty() {
            self.flush(cx);
            return false;
        }
        match self.link.write.poll_drain(&mut self.link.connection, cx) {
            Poll::Pending => false,
            Poll::Ready(Ok(())) => {
                self.link.unflushed = true;
                true
            }
            Poll::Ready(Err(_)) => {
                // The peer may have said why before it went; the end of what it sent is the end of the session.
                self.link.broken = true;
                false
            }
        }
    }

    /// Everything is written: flushes, and closes where that was all.
    fn flush(&mut self, cx: &mut Context<'_>) {
        let connection = Pin::new(&mut self.link.connection);
        let flushed = match &self.phase {
            Phase::Lingering { .. } => connection.poll_close(cx),
            _ if self.link.unflushed => connection.poll_flush(cx),
            _ => return,
        };
        if let Poll::Ready(result) = flushed {
            self.link.unflushed = false;
            self.link.broken = result.is_err();
        }
    }

    fn seal(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Draining { .. } | Phase::Lingering { .. }) {
            return;
        }
        while self.link.write.has_room() && self.seal_record() {}
        let sent = self.outbox.is_empty() && self.link.write.has_room();
        if let (true, Phase::Closing { reason, text, .. }) = (sent, &self.phase) {
            let (code, said) =
                CloseCode::for_reason(reason).unwrap_or((CloseCode::Application, ""));
            let text = if text.is_empty() { said } else { text };
            self.link.seal_goodbye(code, text);
            self.phase = Phase::Lingering {
                reason: reason.clone(),
                until: now + CLOSE_TIMEOUT,
            };
        }
    }

    fn seal_record(&mut self) -> bool {
        let Self {
            shared,
            link,
            outbox,
            assembly,
            replies,
            ..
        } = self;
        link.write.seal(&mut link.sealer, |plaintext| {
            replies.put(plaintext);
            let before = outbox.sent();
            let room = plaintext.room();
            let ack_due = shared.inbox.ack_due();
            if ack_due || (assembly.frames() != replies.acked && outbox.is_ready()) {
                replies.put_ack(plaintext, shared, assembly);
            }
            let room = room.min(plaintext.room());
            plaintext.put(|out| outbox.fill(out, room));
            let after = outbox.sent();
            shared
                .counters
                .messages_out
                .fetch_add(after.0 - before.0, Ordering::Relaxed);
            shared
                .counters
                .bytes_out
                .fetch_add(after.1 - before.1, Ordering::Relaxed);
        })
    }

    /// Nothing to do: gives buffers back and sets the alarm. False where work has come meanwhile.
    fn rest(&mut self, now: Instant) -> bool {
        self.link.read.rest();
        self.link.write.rest();
        self.shared.counters.set_rtt(self.liveness.rtt());
        self.shared
            .counters
            .unacked
            .store(self.outbox.unacked(), Ordering::Relaxed);
        if self.link.write.is_empty() {
            self.outbox.shrink();
            self.assembly.shrink();
            self.incoming = Vec::new();
            if !self.shared.park() {
                return false;
            }
        }
        let deadline = match &self.phase {
            Phase::Open => self.liveness.poll_timeout(),
            Phase::Closing { until, .. }
            | Phase::Draining { until }
            | Phase::Lingering { until, .. } => *until,
        };
        if self.alarm_at.is_none_or(|at| at <= now || at > deadline) {
            clock::ring_at(deadline, &self.shared.alarm);
            self.alarm_at = Some(deadline);
        }
        true
    }

    /// The reason to report: a connection that breaks while it is being closed was closed.
    fn ended(&self, reason: DisconnectReason) -> DisconnectReason {
        match &self.phase {
            Phase::Open => reason,
            Phase::Closing { reason, .. } | Phase::Lingering { reason, .. } => reason.clone(),
            Phase::Draining { .. } => DisconnectReason::Replaced,
        }
    }

    /// Tells the peer why, as far as one attempt goes.
    async fn say_goodbye(&mut self, reason: &DisconnectReason) {
        let Some((code, text)) = CloseCode::for_reason(reason) else {
            return;
        };
        if self.link.write.has_room() {
            self.link.seal_goodbye(code, text);
        }
        let link = &mut self.link;
        let _ = clock::timeout(GOODBYE_TIMEOUT, link.drain()).await;
    }
}

impl Link {
    /// Seals a close frame and the channel's end.
    pub(crate) fn seal_goodbye(&mut self, code: CloseCode, text: &str) {
        let text = CloseCode::cut(text).as_bytes();
        let frame = Frame::Close {
            code: code as u8,
            text,
        };
        self.write.seal(&mut self.sealer, |plaintext| {
            plaintext.put(|out| frame.put(out))
        });
        self.write.seal_close(&mut self.sealer);
    }

    /// Writes everything and closes.
    pub(crate) async fn drain(&mut self) -> io::Result<()> {
        while !self.write.is_empty() {
            poll_fn(|cx| self.write.poll_drain(&mut self.connection, cx)).await?;
        }
        poll_fn(|cx| Pin::new(&mut self.connection).poll_close(cx)).await
    }
}

impl Replies {
    fn put(&mut self, plaintext: &mut Plaintext<'_>) {
        if let Some(token) = self.ping.take() {
            plaintext.put(|out| Frame::Ping(token).put(out));
        }
        if let Some(token) = self.pong.take() {
            plaintext.put(|out| Frame::Pong(token).put(out));
        }
    }

    fn put_ack(&mut self, plaintext: &mut Plaintext<'_>, shared: &Shared, assembly: &Assembly) {
        let consumed = shared.inbox.consumed();
        shared.inbox.on_told(consumed);
        self.acked = assembly.frames();
        let frame = Frame::Ack {
            received: self.acked,
            credit: consumed.saturating_add(assembly.window()),
        };
        plaintext.put(|out| frame.put(out));
    }
}

/// The machines that a record's frames go to.
struct Inbound<'a> {
    assembly: &'a mut Assembly,
    outbox: &'a mut Outbox,
    liveness: &'a mut Liveness,
    replies: &'a mut Replies,
    shared: &'a Shared,
}

impl Inbound<'_> {
    fn on_plaintext(&mut self, plaintext: &[u8], now: Instant) -> Result<(), DisconnectReason> {
        let consumed = self.shared.inbox.consumed();
        let mut result = Ok(());
        for frame in Frames::new(plaintext) {
            result = match frame {
                Ok(Frame::Message(chunk)) => self
                    .assembly
                    .handle_chunk(plaintext, chunk, consumed)
                    .map_err(protocol),
                Ok(frame) => self.on_control(frame, now),
                Err(error) => Err(protocol(error)),
            };
            if result.is_err() {
                break;
            }
        }
        // What came whole before an error or a close is the application's.
        self.assembly.finish_record(plaintext);
        result
    }

    fn on_control(&mut self, frame: Frame<'_>, now: Instant) -> Result<(), DisconnectReason> {
        match frame {
            Frame::Ack { received, credit } => self
                .outbox
                .on_ack(received, credit)
                .map_err(|_| protocol("an acknowledgement is wrong")),
            Frame::Close { code, text } => Err(CloseCode::reason(code, text)),
            Frame::Ping(token) => {
                self.replies.pong = Some(token);
                Ok(())
            }
            Frame::Pong(token) => {
                if let Some(rtt) = self.liveness.on_pong(token, now) {
                    self.shared.pings.on_pong(rtt);
                }
                Ok(())
            }
            Frame::Confirm | Frame::Hello(_) => Err(protocol("a second hello")),
            Frame::Message(_) | Frame::Unknown => Ok(()),
        }
    }
}

fn protocol(detail: impl ToString) -> DisconnectReason {
    DisconnectReason::Protocol {
        detail: detail.to_string(),
    }
}

/// Rounds of one poll before other tasks get their turn: 1 MiB at most each way.
const ROUNDS: usize = 4;
/// "Returns within a second": what closing may take, first to send what is queued, then for the far end to answer.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(800);
/// Telling a peer that it broke the protocol is a courtesy.
const GOODBYE_TIMEOUT: Duration = Duration::from_millis(200);
