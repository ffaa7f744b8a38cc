//! The conversation between two peers: what an application holds.

pub(crate) mod assembly;
pub(crate) mod budget;
pub(crate) mod buffers;
#[cfg_attr(
    not(feature = "gossip"),
    allow(dead_code, reason = "gossip alone has a channel so far")
)]
pub(crate) mod control_out;
pub(crate) mod counters;
pub(crate) mod driver;
pub(crate) mod inbox;
pub(crate) mod link;
pub(crate) mod liveness;
pub(crate) mod machines;
pub(crate) mod outbox;
pub(crate) mod phase;
pub(crate) mod send_side;
pub(crate) mod shared;

use std::{fmt, future::poll_fn, sync::Arc, time::Duration};

use bytes::Bytes;
use crust_core::{Addr, PeerId, Role};
use crust_crypto::Cipher;
use thiserror::Error;

use self::{outbox::Outgoing, send_side::Order, shared::Shared};
use crate::{
    message::{Message, Priority},
    reason::DisconnectReason,
};

/// The conversation with one peer.
///
/// A node has at most one with any other. It is a handle: clones mean the same session, and dropping them does not
/// hang up; [`Session::close`] does.
#[derive(Clone)]
pub struct Session(pub(crate) Arc<Shared>);

impl Session {
    /// Sends a message of [`Priority::NORMAL`]; waits while the queue is full.
    ///
    /// It returns once the message is queued. Nothing waits for the peer's application; what is queued goes out in
    /// the background, and [`Session::close`] and [`Node::shutdown`](crate::Node::shutdown) see to it first.
    ///
    /// # Errors
    ///
    /// [`SendError::TooLong`] over the limit of either side, [`SendError::Ended`] once the session is over.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has queued nothing.
    pub async fn send(&self, message: impl Into<Bytes>) -> Result<(), SendError> {
        self.send_with(message, Priority::NORMAL).await
    }

    /// Sends a message of the given priority; as [`Session::send`] otherwise.
    ///
    /// # Errors
    ///
    /// Those of [`Session::send`].
    ///
    /// # Cancel safety
    ///
    /// A dropped future has queued nothing.
    pub async fn send_with(
        &self,
        message: impl Into<Bytes>,
        priority: Priority,
    ) -> Result<(), SendError> {
        let mut message = Some(self.outgoing(message.into(), priority)?);
        poll_fn(|cx| self.0.poll_send(&mut message, cx)).await
    }

    /// Sends a message of [`Priority::NORMAL`] if the queue has room.
    ///
    /// # Errors
    ///
    /// [`SendError::Full`] where it has none, and those of [`Session::send`].
    pub fn try_send(&self, message: impl Into<Bytes>) -> Result<(), SendError> {
        self.try_send_with(message, Priority::NORMAL)
    }

    /// Sends a message of the given priority if the queue has room.
    ///
    /// # Errors
    ///
    /// [`SendError::Full`] where it has none, and those of [`Session::send`].
    pub fn try_send_with(
        &self,
        message: impl Into<Bytes>,
        priority: Priority,
    ) -> Result<(), SendError> {
        let message = self.outgoing(message.into(), priority)?;
        self.0.try_send(message)
    }

    /// The next message; `None` once the session is over and everything that came has been taken.
    ///
    /// The first call *claims* the session's messages: from then on they come here and no more as
    /// [`Event::Message`](crate::Event::Message). It does so when it is called, not when it is first polled. Who means
    /// to read from another task than the one that takes events calls [`Session::claim`] before the next event, or
    /// takes sessions with [`Node::accept`](crate::Node::accept), which claims them.
    ///
    /// # Cancel safety
    ///
    /// Safe: no message is lost.
    pub fn recv(&self) -> impl Future<Output = Option<Message>> + Send + '_ {
        self.claim();
        poll_fn(|cx| self.0.poll_recv(cx))
    }

    /// Claims the session's messages for [`Session::recv`]: they come no more as events.
    pub fn claim(&self) {
        self.0.inbox.claim();
    }

    /// Measures a round trip now: to the peer's session and back, past everything that is queued.
    ///
    /// # Errors
    ///
    /// [`SendError::Ended`] where the session ends before the answer.
    ///
    /// # Cancel safety
    ///
    /// Safe; the ping may have gone out.
    pub async fn ping(&self) -> Result<Duration, SendError> {
        let pong = self.0.want_ping();
        poll_fn(|cx| self.0.poll_pong(pong, cx)).await
    }

    /// Ends the session: sends what is queued, tells the peer `reason` (256 bytes of it at most), and returns when
    /// that is done or a second has passed.
    ///
    /// # Cancel safety
    ///
    /// The session ends all the same.
    pub async fn close(&self, reason: &str) {
        self.0.order(Order::Close {
            reason: DisconnectReason::Closed,
            text: reason.into(),
        });
        self.closed().await;
    }

    /// Waits for the end, and tells why.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn closed(&self) -> DisconnectReason {
        self.0.ended().await
    }

    /// Keeps the session though the node has more than it is to [keep](crate::NodeBuilder::keep); true from the start
    /// for what the application connected to.
    pub fn pin(&self) {
        self.0.set_pinned(true);
    }

    /// Lets the node end the session when it has more than it is to keep.
    pub fn unpin(&self) {
        self.0.set_pinned(false);
    }

    /// Who is on the other side: proven by its key.
    pub fn peer(&self) -> PeerId {
        self.0.peer
    }

    /// Who opened the connection.
    pub fn role(&self) -> Role {
        self.0.role
    }

    /// This end of the connection.
    pub fn local_addr(&self) -> &Addr {
        &self.0.local
    }

    /// The far end of the connection.
    pub fn remote_addr(&self) -> &Addr {
        &self.0.remote
    }

    /// How records are sealed.
    pub fn cipher(&self) -> Cipher {
        self.0.cipher
    }

    /// The round trip, smoothed as in RFC 6298 §2; first measured by the handshake.
    pub fn rtt(&self) -> Duration {
        self.0.counters.rtt()
    }

    /// Bytes of the longest message that both sides take.
    pub fn max_message(&self) -> usize {
        self.0.max_message
    }

    /// What has gone through so far.
    pub fn stats(&self) -> SessionStats {
        self.0.counters.stats()
    }

    fn outgoing(&self, data: Bytes, priority: Priority) -> Result<Outgoing, SendError> {
        let limit = self.0.max_message;
        if data.len() > limit {
            return Err(SendError::TooLong {
                len: data.len(),
                limit,
            });
        }
        Ok(Outgoing { data, priority })
    }
}

impl PartialEq for Session {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Session {}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("peer", &self.0.peer)
            .field("remote", &self.0.remote)
            .finish()
    }
}

/// What has gone through a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionStats {
    /// Messages received.
    pub messages_in: u64,
    /// Messages sent: sealed and on their way.
    pub messages_out: u64,
    /// Bytes of messages received.
    pub bytes_in: u64,
    /// Bytes of messages sent.
    pub bytes_out: u64,
    /// Message frames sent that the peer has not acknowledged.
    pub unacked: u64,
}

/// Why a message was not sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// The session is over.
    #[error("the session has ended: {0}")]
    Ended(DisconnectReason),
    /// The queue has no room now.
    #[error("the send queue is full; the peer takes messages more slowly than they are sent")]
    Full,
    /// The message is longer than one of the sides takes.
    #[error("a message has at most {limit} bytes here, not {len}")]
    TooLong {
        /// Bytes it has.
        len: usize,
        /// Bytes allowed.
        limit: usize,
    },
}
