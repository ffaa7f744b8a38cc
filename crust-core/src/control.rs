//! What a part of a node says to the same part of connected peers: short messages over the sessions there are.

use std::{error::Error, fmt, sync::Arc};

use bytes::Bytes;
use futures::stream::BoxStream;
use thiserror::Error;

use crate::PeerId;

/// Short messages to peers that a session exists with. Gossip, rendezvous and relay speak over one each.
///
/// A value of this trait belongs to one protocol: what is sent through it reaches the same protocol of the peer, and
/// that protocol's [`ControlEvents`] come with it. Messages arrive whole, in order, once, and from the peer that the
/// session has proven, or not at all where the session ends. No call waits.
pub trait ControlChannel: fmt::Debug + Send + Sync + 'static {
    /// Those with a session at this moment. [`ControlEvents`] tell of each change.
    fn peers(&self) -> Vec<PeerId>;

    /// Hands `message` to the session with `peer`, behind what waits there already.
    ///
    /// A peer that does not know this protocol ignores it.
    ///
    /// # Errors
    ///
    /// Each variant of [`ControlError`], as it says; nothing was sent then.
    fn try_send(&self, peer: &PeerId, message: Bytes) -> Result<(), ControlError>;

    /// Learns that `peer` broke this protocol. The default forgets it; a node may count it, or end the session.
    fn report(&self, peer: &PeerId, error: &(dyn Error + Send + Sync + 'static)) {
        let _ = (peer, error);
    }
}

impl<C: ControlChannel + ?Sized> ControlChannel for Arc<C> {
    fn peers(&self) -> Vec<PeerId> {
        (**self).peers()
    }

    fn try_send(&self, peer: &PeerId, message: Bytes) -> Result<(), ControlError> {
        (**self).try_send(peer, message)
    }

    fn report(&self, peer: &PeerId, error: &(dyn Error + Send + Sync + 'static)) {
        (**self).report(peer, error);
    }
}

impl<C: ControlChannel + ?Sized> ControlChannel for Box<C> {
    fn peers(&self) -> Vec<PeerId> {
        (**self).peers()
    }

    fn try_send(&self, peer: &PeerId, message: Bytes) -> Result<(), ControlError> {
        (**self).try_send(peer, message)
    }

    fn report(&self, peer: &PeerId, error: &(dyn Error + Send + Sync + 'static)) {
        (**self).report(peer, error);
    }
}

/// What happens on a [`ControlChannel`], in the order in which it happens.
///
/// Bounded by whoever makes it: of a peer that sends more than is read, the session ends. It begins with an
/// [`Up`](ControlEvent::Up) for each session there is, and ends when the node does.
pub type ControlEvents = BoxStream<'static, ControlEvent>;

/// Something that happened on a [`ControlChannel`].
///
/// For each peer: up, messages, down, and then perhaps up again. A peer that came and went before it was heard of is not
/// told of; of others no up or down is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ControlEvent {
    /// The session with `peer` ended.
    Down {
        /// Whom it was with.
        peer: PeerId,
    },
    /// `peer` sent something.
    Message {
        /// Who sent it.
        peer: PeerId,
        /// What it sent: [`CONTROL_MAX_LEN`] bytes at most. Untrusted.
        message: Bytes,
    },
    /// A session with `peer` began.
    Up {
        /// Whom it is with.
        peer: PeerId,
    },
}

/// Bytes of the longest control message: with other frames it fits into a record of 16 KiB.
pub const CONTROL_MAX_LEN: usize = 16_000;

/// Why a control message was not sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ControlError {
    /// The peer reads too slowly: what waits for it is at its bound. Later there may be room.
    #[error("too much waits to be sent to {peer:#}")]
    Full {
        /// Whom it was for.
        peer: PeerId,
    },
    /// There is no session with the peer, or none any more.
    #[error("there is no session with {peer:#}")]
    NotConnected {
        /// Whom it was for.
        peer: PeerId,
    },
    /// The message is longer than [`CONTROL_MAX_LEN`].
    #[error("a control message has at most {CONTROL_MAX_LEN} bytes, not {len}, for {peer:#}")]
    TooLong {
        /// Whom it was for.
        peer: PeerId,
        /// Bytes it has.
        len: usize,
    },
}
