//! Requests that wait for their answers, without socket, clock or randomness.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    time::Instant,
};

use super::{
    binding::{self, Binding, StunError},
    retransmission::Retransmission,
    wire::{Attribute, Change, Class, Message, MessageWriter, Method, TransactionId},
};

/// What is to be asked, and of whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// Whom the request goes to.
    pub server: SocketAddr,
    /// From where the answer is to come; from there by default.
    pub change: Change,
    /// The port of ours that the answer is to go to, as the server sees it (RFC 5780 §7.5); the one that asks by default.
    pub response_port: Option<u16>,
    /// When it is sent again; [`Retransmission::STANDARD`] by default.
    pub retransmission: Retransmission,
}

impl Request {
    /// A plain one, to `server`.
    #[must_use]
    pub const fn new(server: SocketAddr) -> Self {
        Self {
            server,
            change: Change::NONE,
            response_port: None,
            retransmission: Retransmission::STANDARD,
        }
    }

    /// Asks for an answer from elsewhere.
    #[must_use]
    pub const fn with_change(mut self, change: Change) -> Self {
        self.change = change;
        self
    }

    /// Asks for an answer to another port.
    #[must_use]
    pub const fn with_response_port(mut self, port: u16) -> Self {
        self.response_port = Some(port);
        self
    }

    /// Sets when it is sent again.
    #[must_use]
    pub const fn with_retransmission(mut self, retransmission: Retransmission) -> Self {
        self.retransmission = retransmission;
        self
    }

    /// The request as a datagram.
    #[must_use]
    pub fn encode(&self, id: TransactionId) -> Vec<u8> {
        let mut writer = MessageWriter::new(Class::Request, Method::BINDING, id);
        if self.change != Change::NONE {
            writer = writer.with(&Attribute::ChangeRequest(self.change));
        }
        if let Some(port) = self.response_port {
            writer = writer.with(&Attribute::ResponsePort(port));
        }
        writer.with_fingerprint().into_bytes()
    }

    /// Whether an answer may come from `from`: from the server itself, or where the request asked for it from another
    /// port of the same address, or from anywhere. Then its transaction id, which only who got the request knows, is what
    /// it is known by; [`Binding::answered_from`] tells where it came from.
    fn is_answered_from(&self, from: SocketAddr) -> bool {
        match self.change {
            Change { ip: true, .. } => true,
            Change { port: true, .. } => from.ip() == self.server.ip(),
            Change::NONE => from == self.server,
        }
    }
}

/// The client of one port: many requests at once, each to one server.
///
/// After each call of `handle_*` and [`Client::request`] drain [`Client::poll_output`], then sleep to
/// [`Client::poll_timeout`].
#[derive(Debug, Default)]
pub struct Client {
    waiting: BTreeMap<TransactionId, Waiting>,
    timers: BTreeSet<(Instant, TransactionId)>,
    outputs: VecDeque<ClientOutput>,
    strays: u64,
}

/// A request without an answer.
#[derive(Debug)]
struct Waiting {
    request: Request,
    /// When it was sent first.
    since: Instant,
    /// How often it was sent.
    sent: u32,
    timer: Instant,
}

/// What a [`Client`] wants done.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientOutput {
    /// A request has come to its end.
    Finished {
        /// Its transaction.
        id: TransactionId,
        /// What came of it.
        result: Result<Binding, StunError>,
    },
    /// A datagram is to be sent.
    Transmit {
        /// Its transaction.
        id: TransactionId,
        /// How often the request was sent, this time included.
        number: u32,
        /// Where it goes.
        to: SocketAddr,
        /// Its payload.
        data: Vec<u8>,
    },
}

impl Client {
    /// One without requests.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a transaction. Its `id` is random and new; nobody outside can guess it.
    ///
    /// # Errors
    ///
    /// [`StunError::Full`] where [`MAX_TRANSACTIONS`] are without an answer.
    ///
    /// # Panics
    ///
    /// When there is a transaction with this id.
    pub fn request(
        &mut self,
        now: Instant,
        id: TransactionId,
        request: Request,
    ) -> Result<(), StunError> {
        if self.waiting.len() >= MAX_TRANSACTIONS {
            return Err(StunError::Full {
                server: request.server,
                limit: MAX_TRANSACTIONS,
            });
        }
        let waiting = Waiting {
            request,
            since: now,
            sent: 0,
            timer: now,
        };
        let before = self.waiting.insert(id, waiting);
        assert!(before.is_none(), "transaction ids are random");
        self.timers.insert((now, id));
        self.handle_timeout(now);
        Ok(())
    }

    /// Gives a transaction up without a word; there may be none.
    pub fn cancel(&mut self, id: TransactionId) {
        self.take(id);
    }

    /// Takes an answer. One that belongs to no request, or comes from whom it should not, is counted and changes nothing.
    pub fn handle_message(&mut self, now: Instant, from: SocketAddr, message: &Message<'_>) {
        let id = message.transaction_id();
        let is_answer = matches!(message.class(), Class::Success | Class::Error)
            && message.method() == Method::BINDING;
        let waiting = self.waiting.get(&id).filter(|_| is_answer);
        if !waiting.is_some_and(|waiting| waiting.request.is_answered_from(from)) {
            self.strays += 1;
            tracing::trace!(%from, ?id, "answer to nothing that was asked");
            return;
        }
        if let Some(Waiting {
            request,
            since,
            sent,
            ..
        }) = self.take(id)
        {
            let rtt = (sent == 1).then(|| now.saturating_duration_since(since));
            let result = binding::read(request.server, from, message, rtt);
            self.outputs
                .push_back(ClientOutput::Finished { id, result });
        }
    }

    /// Sends again, and gives up, what it is time for.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((at, id)) = self.timers.first().copied()
            && at <= now
        {
            self.on_timer(now, id);
        }
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<ClientOutput> {
        self.outputs.pop_front()
    }

    /// When [`Client::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Answers so far that belonged to no request, or came from whom they should not: late, doubled or forged.
    #[must_use]
    pub const fn strays(&self) -> u64 {
        self.strays
    }

    fn on_timer(&mut self, now: Instant, id: TransactionId) {
        let Some(mut waiting) = self.take(id) else {
            return;
        };
        let Request {
            server,
            retransmission,
            ..
        } = waiting.request;
        if waiting.sent >= retransmission.max_requests.max(1) {
            let requests = waiting.sent;
            let result = Err(StunError::TimedOut { server, requests });
            self.outputs
                .push_back(ClientOutput::Finished { id, result });
            return;
        }
        waiting.sent += 1;
        waiting.timer = now + retransmission.wait_after(waiting.sent);
        self.outputs.push_back(ClientOutput::Transmit {
            id,
            number: waiting.sent,
            to: server,
            data: waiting.request.encode(id),
        });
        self.timers.insert((waiting.timer, id));
        self.waiting.insert(id, waiting);
    }

    fn take(&mut self, id: TransactionId) -> Option<Waiting> {
        let waiting = self.waiting.remove(&id)?;
        self.timers.remove(&(waiting.timer, id));
        Some(waiting)
    }
}

/// Requests of one port that may wait at once. A report has some twenty; this many answers a second are nothing.
pub const MAX_TRANSACTIONS: usize = 256;

#[cfg(test)]
mod tests;
