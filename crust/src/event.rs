//! What happens to a node, in order.

pub(crate) mod hub;

use std::net::IpAddr;

use crust_core::PeerId;

#[cfg(feature = "nat")]
use crate::node::reach::Reachability;
use crate::{message::Message, reason::DisconnectReason, session::Session};

/// What happens to a node.
///
/// Of one session: [`Event::Connected`] first, then its messages, then [`Event::Disconnected`], each of the two once.
/// Nothing is promised about the order between sessions.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// Somebody makes work: broken handshakes, broken records, floods.
    ///
    /// The first offence of a source is told at once, further ones together, at most once in ten seconds. A source
    /// that keeps at it is refused for a while before any cryptography; the application may block it for good.
    Abuse {
        /// Where it comes from.
        source: IpAddr,
        /// What it does.
        kind: AbuseKind,
        /// How often since it was last told.
        count: u32,
        /// Whether new connections from there are refused for now.
        refused: bool,
    },
    /// A session began.
    Connected {
        /// It.
        session: Session,
    },
    /// A discovery found a peer: told once for each of the two. Nothing is proven yet.
    ///
    /// While 128 notices wait for a reader of events, further ones of these are left out.
    Discovered {
        /// Who it is said to be.
        peer: PeerId,
        /// The name of the discovery.
        source: &'static str,
    },
    /// How far this node can be reached by one transport has changed. Nothing is told while it is unknown at the start.
    #[cfg(feature = "nat")]
    Reachability {
        /// The transport: `tcp`, `utp`.
        scheme: String,
        /// How far.
        reachability: Reachability,
    },
    /// A session ended. Every message that came before has been told.
    Disconnected {
        /// Who was on the other side.
        peer: PeerId,
        /// Why.
        reason: DisconnectReason,
    },
    /// A message came.
    Message {
        /// From whom, and the way to answer.
        session: Session,
        /// What.
        message: Message,
    },
}

/// What somebody does that makes work for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum AbuseKind {
    /// More handshakes at once than one address or prefix may have.
    Flood,
    /// A handshake that was broken off, too slow, or not made with the network's key.
    Handshake,
    /// A peer that proved its key and then broke the protocol: bad records, bad frames, limits ignored.
    Protocol,
}

impl AbuseKind {
    /// The word for it in logs and `--json`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Flood => "flood",
            Self::Handshake => "handshake",
            Self::Protocol => "protocol",
        }
    }
}
