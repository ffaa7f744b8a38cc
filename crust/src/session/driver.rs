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
            .machines
            .on_plaintext(&self.shared, first, now)
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
        let read = match self.link.read.poll_fill(&mut self.link.connection, cx) {
            Poll::Pending => return Ok(Step::Nothing),
            Poll::Ready(Err(error)) => return Err(self.lost(error.kind())),
            Poll::Ready(Ok(0)) => return Err(self.lost(io::ErrorKind::UnexpectedEof)),
            Poll::Ready(Ok(read)) => read,
        };
        self.machines.liveness.on_heard(now);
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

    fn on_time(&mut self, now: Instant) -> Result<(), DisconnectReason> {
        self.phase.handle_timeout(now)?;
        match self.machines.liveness.handle_timeout(now) {
            Verdict::Fine => {}
            Verdict::Lost => return Err(self.lost(io::ErrorKind::TimedOut)),
            Verdict::Ping(token) => self.machines.send_ping(token),
        }
        if self.shared.pings.take_wanted() {
            let token = self.machines.liveness.ping(now);
            self.machines.send_ping(token);
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
        if !self.phase.may_send() {
            return;
        }
        while self.link.write.has_room() && self.seal_record() {}
        let sent = self.machines.outbox.is_empty() && self.link.write.has_room();
        if let (true, Phase::Closing { reason, text, .. }) = (sent, &self.phase) {
            let (code, said) =
                CloseCode::for_reason(reason).unwrap_or((CloseCode::Application, ""));
            let text = if text.is_empty() { said } else { text };
            self.link.seal_goodbye(code, text);
            self.phase.on_closed(reason.clone(), now);
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
            .unwrap_or_else(|| self.machines.liveness.poll_timeout());
        if self.alarm_at.is_none_or(|at| at <= now || at > deadline) {
            clock::ring_at(deadline, &self.shared.alarm);
            self.alarm_at = Some(deadline);
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
        if self.link.write.has_room() {
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
