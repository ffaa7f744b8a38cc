//! The task of one session: the connection on one side, the handles on the other.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use crust_core::rt;
use crust_crypto::Opened;
use futures::AsyncWrite;

use crate::{
    clock, pool,
    reason::{CloseCode, DisconnectReason},
    session::{
        link::Link, liveness::Verdict, machines::Machines, outbox::Outgoing, phase::Phase,
        shared::Shared,
    },
};

/// Carries one session over one connection until it ends.
///
/// One poll does a bounded round of work: read once, hand on, seal, write once. Everything else it knows is in the
/// machines, which neither read nor write.
#[derive(Debug)]
pub(crate) struct Driver {
    shared: Arc<Shared>,
    link: Link,
    machines: Machines,
    incoming: Vec<Outgoing>,
    phase: Phase,
    /// When the alarm rings next.
    alarm_at: Option<Instant>,
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

/// However the task ends, those who wait for the session hear of it.
impl Drop for Driver {
    fn drop(&mut self) {
        if !self.shared.has_ended() {
            self.shared.end(&DisconnectReason::Lost {
                kind: io::ErrorKind::Other,
            });
        }
    }
}

impl Driver {
    pub(crate) fn new(shared: Arc<Shared>, link: Link, machines: Machines) -> Self {
        shared.counters.set_rtt(machines.liveness.rtt());
        Self {
            shared,
            link,
            machines,
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
        if let DisconnectReason::Protocol { .. }
        | DisconnectReason::Blocked
        | DisconnectReason::Limit = reason
        {
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
            .machines
            .on_plaintext(&self.shared, first, now)
            .and_then(|()| self.open_records(now));
        self.hand_on();
        result
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<DisconnectReason> {
        self.shared.alarm.register(cx.waker());
        let mut may_read = true;
        for _ in 0..ROUNDS {
            let now = rt::now();
            match self.round(cx, now, &mut may_read) {
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

    /// Reads only while `may_read`: a connection that had nothing wakes the task when it has.
    fn round(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        may_read: &mut bool,
    ) -> Result<Step, DisconnectReason> {
        self.take_work(now)?;
        self.phase_on_time(now)?;
        self.ping_if_wanted(now);
        let written = self.write(cx, now);
        let read = if *may_read {
            self.read(cx)?
        } else {
            Step::Nothing
        };
        *may_read = read != Step::Nothing;
        match read {
            // Only where nothing has come: a process that slept finds in its socket what the peer said meanwhile.
            Step::Nothing if self.liveness_on_time(now)? || written => Ok(Step::Moved),
            read => Ok(read),
        }
    }

    /// Reads once and handles every record that is whole.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<Step, DisconnectReason> {
        let read = match self.link.read.poll_fill(&mut self.link.connection, cx) {
            Poll::Pending => return Ok(Step::Nothing),
            Poll::Ready(Err(error)) => return Err(self.lost(error.kind())),
            Poll::Ready(Ok(0)) => return Err(self.lost(io::ErrorKind::UnexpectedEof)),
            Poll::Ready(Ok(read)) => read,
        };
        // Asked again: a pong that is read right after its ping was written took some time all the same.
        let now = rt::now();
        self.machines.liveness.on_heard(now);
        let result = self.open_records(now);
        self.shared.on_arrived(self.machines.assembly.arrived());
        let delivered = self.hand_on();
        result.map_err(|reason| self.phase.report(reason))?;
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
                    self.machines.on_plaintext(&self.shared, plaintext, now)?;
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

    /// Gives the application what is whole.
    fn hand_on(&mut self) -> bool {
        let done = self.machines.assembly.done();
        if done.is_empty() {
            return false;
        }
        let bytes: usize = done.iter().map(|message| message.data.len()).sum();
        self.shared
            .counters
            .on_received(done.len() as u64, bytes as u64);
        self.shared.inbox.push(done);
        self.shared.tell_hub();
        true
    }

    /// Takes what the handles want.
    fn take_work(&mut self, now: Instant) -> Result<(), DisconnectReason> {
        let sealed = self.machines.outbox.take_finished();
        let order = self.shared.take_work(&sealed, &mut self.incoming);
        for message in self.incoming.drain(..) {
            self.machines.outbox.push(message);
        }
        order.map_or(Ok(()), |order| self.phase.on_order(order, now))
    }

    /// Ends what has had its time. A close that could not send everything says goodbye all the same.
    fn phase_on_time(&mut self, now: Instant) -> Result<(), DisconnectReason> {
        if self.phase.must_give_up(now) && self.link.write.has_room() {
            self.say_close(now);
        }
        self.phase.handle_timeout(now)
    }

    /// Looks after the peer. Whether there is a ping to send now.
    fn liveness_on_time(&mut self, now: Instant) -> Result<bool, DisconnectReason> {
        match self.machines.liveness.handle_timeout(now) {
            Verdict::Fine => Ok(false),
            Verdict::Lost => Err(self.lost(io::ErrorKind::TimedOut)),
            Verdict::Ping(token) => {
                self.machines.send_ping(token);
                Ok(true)
            }
        }
    }

    /// Pings where the application asked for it. One ping on its way serves all who wait for one.
    fn ping_if_wanted(&mut self, now: Instant) {
        let liveness = &mut self.machines.liveness;
        if !liveness.is_pinging() && self.shared.pings.take_wanted() {
            let token = liveness.ping(now);
            self.machines.send_ping(token);
        }
    }

    /// Seals what may go, and writes once. Whether anything was written.
    fn write(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        if !self.phase.may_write() {
            return false;
        }
        if self.link.write.is_empty() {
            self.seal(now);
        }
        if self.link.write.is_empty() {
            self.flush(cx, now);
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
                self.phase.on_broken(now);
                false
            }
        }
    }

    /// Everything is written: flushes, and closes where that was all.
    fn flush(&mut self, cx: &mut Context<'_>, now: Instant) {
        let connection = Pin::new(&mut self.link.connection);
        let flushed = match &self.phase {
            Phase::Lingering { .. } => connection.poll_close(cx),
            _ if self.link.unflushed => connection.poll_flush(cx),
            _ => return,
        };
        if let Poll::Ready(result) = flushed {
            self.link.unflushed = false;
            if result.is_err() {
                self.phase.on_broken(now);
            }
        }
    }

    fn seal(&mut self, now: Instant) {
        if !self.phase.may_send() {
            return;
        }
        while self.link.write.may_seal() && self.seal_record() {}
        if self.machines.outbox.is_empty() && self.link.write.has_room() {
            self.say_close(now);
        }
    }

    /// Seals the close, where the session is being closed.
    fn say_close(&mut self, now: Instant) {
        if let Phase::Closing { reason, text, .. } = &self.phase {
            let (code, said) =
                CloseCode::for_reason(reason).unwrap_or((CloseCode::Application, ""));
            self.link
                .seal_goodbye(code, if text.is_empty() { said } else { text });
            self.phase.on_closed(now);
        }
    }

    fn seal_record(&mut self) -> bool {
        let Self {
            shared,
            link,
            machines,
            ..
        } = self;
        link.write.seal(&mut link.sealer, |plaintext| {
            machines.compose(shared, plaintext)
        })
    }

    /// Nothing to do: gives buffers back and sets the alarm. False where work has come meanwhile.
    fn rest(&mut self, now: Instant) -> bool {
        self.link.read.rest();
        self.link.write.rest();
        self.shared.counters.set_rtt(self.machines.liveness.rtt());
        self.shared
            .counters
            .set_unacked(self.machines.outbox.unacked());
        if self.link.write.is_empty() {
            self.machines.outbox.shrink();
            self.machines.assembly.shrink();
            self.incoming = Vec::new();
            if !self.shared.park() {
                return false;
            }
        }
        let deadline = self
            .phase
            .poll_timeout()
            .unwrap_or_else(|| clock::choose(&self.machines.liveness.poll_timeout()));
        if self.alarm_at.is_none_or(|at| at <= now || at > deadline) {
            self.alarm_at = Some(clock::ring_at(deadline, &self.shared.alarm));
        }
        true
    }

    fn lost(&self, kind: io::ErrorKind) -> DisconnectReason {
        self.phase.report(DisconnectReason::Lost { kind })
    }

    /// Tells the peer why, as far as one attempt goes.
    async fn say_goodbye(&mut self, reason: &DisconnectReason) {
        let Some((code, text)) = CloseCode::for_reason(reason) else {
            return;
        };
        // Nothing can follow a close that is sealed already.
        if self.phase.may_send() && self.link.write.has_room() {
            self.link.seal_goodbye(code, text);
        }
        let link = &mut self.link;
        let _ = clock::timeout(GOODBYE_TIMEOUT, link.drain()).await;
    }
}

/// Rounds of one poll before other tasks get their turn: 1 MiB at most each way.
const ROUNDS: usize = 4;
/// Telling a peer that it broke the protocol is a courtesy.
const GOODBYE_TIMEOUT: Duration = Duration::from_millis(200);
