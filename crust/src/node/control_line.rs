//! A control channel as a value: what a part of the node says to the same part of connected peers.

use std::{error::Error, sync::Weak};

use bytes::Bytes;
use crust_core::{CONTROL_MAX_LEN, ControlChannel, ControlError, PeerId};

use crate::{
    control::Channel, error::chain, node::inner::Inner, reason::DisconnectReason,
    session::send_side::Order,
};

/// One channel of a node. It does not keep the node alive.
#[derive(Debug)]
pub(crate) struct ControlLine {
    inner: Weak<Inner>,
    channel: Channel,
}

impl ControlLine {
    pub(crate) const fn new(inner: Weak<Inner>, channel: Channel) -> Self {
        Self { inner, channel }
    }
}

impl ControlChannel for ControlLine {
    fn peers(&self) -> Vec<PeerId> {
        let sessions = self.inner.upgrade().map(|inner| inner.registry.sessions());
        let sessions = sessions.unwrap_or_default();
        sessions.iter().map(|session| session.peer).collect()
    }

    fn try_send(&self, peer: &PeerId, message: Bytes) -> Result<(), ControlError> {
        let len = message.len();
        if len > CONTROL_MAX_LEN {
            return Err(ControlError::TooLong { peer: *peer, len });
        }
        let inner = self.inner.upgrade();
        let session = inner.and_then(|inner| inner.registry.session(peer));
        let session = session.ok_or(ControlError::NotConnected { peer: *peer })?;
        if session.try_control(self.channel as u8, message) {
            Ok(())
        } else {
            Err(ControlError::Full { peer: *peer })
        }
    }

    /// Ends the session: whoever breaks one protocol is not trusted with another.
    fn report(&self, peer: &PeerId, error: &(dyn Error + Send + Sync + 'static)) {
        let inner = self.inner.upgrade();
        let session = inner.and_then(|inner| inner.registry.session(peer));
        if let Some(session) = session {
            session.order(Order::Cut(DisconnectReason::Protocol {
                detail: chain(error),
            }));
        }
    }
}
