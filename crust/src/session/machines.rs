//! The machines of one session, and the frames that go to and come from them.

use std::time::Instant;

use crust_core::CONTROL_MAX_LEN;

use crate::{
    reason::{CloseCode, DisconnectReason},
    session::{
        assembly::Assembly, buffers::Plaintext, liveness::Liveness, outbox::Outbox, shared::Shared,
    },
    wire::frame::{Frame, Frames},
};

/// Everything of a session that neither reads nor writes.
#[derive(Debug)]
pub(crate) struct Machines {
    pub(crate) outbox: Outbox,
    pub(crate) assembly: Assembly,
    pub(crate) liveness: Liveness,
    replies: Replies,
}

/// Frames to send besides messages: one of each at most, whatever the peer asks for.
#[derive(Debug, Default)]
struct Replies {
    ping: Option<u64>,
    pong: Option<u64>,
    /// Message frames that the peer knows we have.
    acked: u64,
}

impl Machines {
    pub(crate) const fn new(outbox: Outbox, assembly: Assembly, liveness: Liveness) -> Self {
        Self {
            outbox,
            assembly,
            liveness,
            replies: Replies {
                ping: None,
                pong: None,
                acked: 0,
            },
        }
    }

    /// Asks the peer for a pong.
    pub(crate) const fn send_ping(&mut self, token: u64) {
        self.replies.ping = Some(token);
    }

    /// Writes what may go into a record, the urgent first.
    pub(crate) fn compose(&mut self, shared: &Shared, plaintext: &mut Plaintext<'_>) {
        self.replies.put(plaintext);
        if shared.inbox.ack_due()
            || (self.assembly.frames() != self.replies.acked && self.outbox.is_ready())
        {
            self.replies.put_ack(plaintext, shared, &self.assembly);
        }
        shared.control.fill(plaintext);
        let before = self.outbox.sent();
        let room = plaintext.room();
        plaintext.put(|out| self.outbox.fill(out, room));
        let after = self.outbox.sent();
        shared
            .counters
            .on_sent(after.0 - before.0, after.1 - before.1);
    }

    /// Handles the frames of a record.
    pub(crate) fn on_plaintext(
        &mut self,
        shared: &Shared,
        plaintext: &[u8],
        now: Instant,
    ) -> Result<(), DisconnectReason> {
        let consumed = shared.inbox.consumed();
        let mut result = Ok(());
        for frame in Frames::new(plaintext) {
            result = match frame {
                Ok(Frame::Message(chunk)) => self
                    .assembly
                    .handle_chunk(plaintext, chunk, consumed)
                    .map_err(protocol),
                Ok(frame) => self.on_control(shared, frame, now),
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

    fn on_control(
        &mut self,
        shared: &Shared,
        frame: Frame<'_>,
        now: Instant,
    ) -> Result<(), DisconnectReason> {
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
                    shared.pings.on_pong(rtt);
                }
                Ok(())
            }
            Frame::Control { channel, data } => on_message(shared, channel, data),
            Frame::Confirm | Frame::Hello(_) => Err(protocol("a second hello")),
            Frame::Message(_) | Frame::Unknown => Ok(()),
        }
    }
}

fn on_message(shared: &Shared, channel: u8, data: &[u8]) -> Result<(), DisconnectReason> {
    if data.len() > CONTROL_MAX_LEN {
        return Err(protocol("a control message is too long"));
    }
    shared
        .switchboard
        .on_message(shared.peer, channel, data)
        .map_err(|_| protocol("more control messages than are read"))
}

fn protocol(detail: impl ToString) -> DisconnectReason {
    DisconnectReason::Protocol {
        detail: detail.to_string(),
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
