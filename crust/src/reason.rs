//! Why a session ended.

use std::{fmt, io};

#[cfg(doc)]
use crate::Limits;

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The peer, its address or its prefix was blocked here.
    Blocked,
    /// This side closed it.
    Closed,
    /// The peer closed it, and may have said why.
    ClosedByPeer {
        /// The peer's words, 256 bytes at most, its business alone; or what it says we did wrong.
        reason: String,
    },
    /// One side has as many sessions as it wants, or more unread messages than [`Limits::receive_total`], most of them
    /// this session's; on that side, those are dropped.
    Limit,
    /// The connection broke, or nothing was heard for too long.
    Lost {
        /// What the system said, or [`io::ErrorKind::TimedOut`] for silence.
        kind: io::ErrorKind,
    },
    /// The peer did not keep to the protocol.
    Protocol {
        /// What was wrong.
        detail: String,
    },
    /// The same peer came back, restarted or over another connection.
    Replaced,
    /// The node on this side, or the other one, was shut down.
    Shutdown,
}

impl DisconnectReason {
    /// The word for it in logs and `--json`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Closed => "closed",
            Self::ClosedByPeer { .. } => "closed_by_peer",
            Self::Limit => "limit",
            Self::Lost { .. } => "lost",
            Self::Protocol { .. } => "protocol",
            Self::Replaced => "replaced",
            Self::Shutdown => "shutdown",
        }
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blocked => f.write_str("blocked here"),
            Self::Closed => f.write_str("closed here"),
            Self::ClosedByPeer { reason } if reason.is_empty() => f.write_str("closed by the peer"),
            Self::ClosedByPeer { reason } => {
                write!(f, "closed by the peer: {}", reason.escape_debug())
            }
            Self::Limit => {
                f.write_str("over a limit: too many sessions, or too many unread messages")
            }
            Self::Lost {
                kind: io::ErrorKind::TimedOut,
            } => f.write_str("lost: nothing was heard for too long"),
            Self::Lost { kind } => write!(f, "lost: {kind}"),
            Self::Protocol { detail } => write!(f, "protocol error: {}", detail.escape_debug()),
            Self::Replaced => f.write_str("replaced by a newer connection of the same peer"),
            Self::Shutdown => f.write_str("shut down"),
        }
    }
}

/// What a close frame says; the numbers are the wire's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CloseCode {
    Application = 0,
    Shutdown = 1,
    Duplicate = 2,
    Limit = 3,
    Protocol = 4,
    Replaced = 5,
    Blocked = 6,
}

impl CloseCode {
    /// Bytes of a close frame's text, at most; longer ones are cut.
    pub(crate) const MAX_TEXT_LEN: usize = 256;

    /// As much of `text` as a close frame carries, in whole letters.
    pub(crate) fn cut(text: &str) -> &str {
        let mut end = text.len().min(Self::MAX_TEXT_LEN);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        &text[..end]
    }

    /// What a close frame from the peer means here.
    pub(crate) fn reason(code: u8, text: &[u8]) -> DisconnectReason {
        let text =
            || String::from_utf8_lossy(&text[..text.len().min(Self::MAX_TEXT_LEN)]).into_owned();
        match code {
            1 => DisconnectReason::Shutdown,
            2 | 5 => DisconnectReason::Replaced,
            3 => DisconnectReason::Limit,
            // Its verdict on us, not ours on it: nothing to count against anybody here.
            4 => DisconnectReason::ClosedByPeer {
                reason: format!("protocol error: {}", text()),
            },
            _ => DisconnectReason::ClosedByPeer { reason: text() },
        }
    }

    /// What to tell the peer where a session ends here for `reason`; `None` where there is nobody to tell.
    pub(crate) fn for_reason(reason: &DisconnectReason) -> Option<(Self, &str)> {
        match reason {
            DisconnectReason::Blocked => Some((Self::Blocked, "")),
            DisconnectReason::Closed => Some((Self::Application, "")),
            DisconnectReason::ClosedByPeer { .. } | DisconnectReason::Lost { .. } => None,
            DisconnectReason::Limit => Some((Self::Limit, "")),
            DisconnectReason::Protocol { detail } => Some((Self::Protocol, detail)),
            DisconnectReason::Replaced => Some((Self::Replaced, "")),
            DisconnectReason::Shutdown => Some((Self::Shutdown, "")),
        }
    }
}
