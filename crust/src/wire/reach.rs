//! Dial-backs: a node asks a peer to dial it, to learn whether it can be dialed.

use std::str;

use bytes::{Buf, BufMut};
use crust_core::{Addr, AddrError};
use thiserror::Error;

/// A message of the reach channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ReachMessage {
    /// Dial me there, once.
    Ask { nonce: u64, addr: Addr },
    /// What came of it.
    Answer { nonce: u64, outcome: DialBack },
    /// This is the connection that was asked for: the only word on it.
    Here { nonce: u64 },
}

/// What came of a dial-back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DialBack {
    /// It was tried and led nowhere.
    Failed = 0,
    /// It was made.
    Made = 1,
    /// It was not tried: the address is not the asker's, or too much was asked for.
    Refused = 2,
}

impl ReachMessage {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let (kind, nonce) = match self {
            Self::Ask { nonce, .. } => (ASK, nonce),
            Self::Answer { nonce, .. } => (ANSWER, nonce),
            Self::Here { nonce } => (HERE, nonce),
        };
        bytes.put_u8(kind);
        bytes.put_u64(*nonce);
        match self {
            Self::Ask { addr, .. } => bytes.extend(addr.to_string().bytes()),
            Self::Answer { outcome, .. } => bytes.put_u8(*outcome as u8),
            Self::Here { .. } => {}
        }
        bytes
    }

    /// Reads what [`ReachMessage::encode`] wrote.
    pub(crate) fn decode(mut bytes: &[u8]) -> Result<Self, ReachError> {
        let cut = |_| ReachError::Truncated;
        let kind = bytes.try_get_u8().map_err(cut)?;
        let nonce = bytes.try_get_u64().map_err(cut)?;
        match (kind, bytes) {
            (ASK, text) => {
                let text = str::from_utf8(text).map_err(|_| ReachError::Text)?;
                let addr = text.parse()?;
                Ok(Self::Ask { nonce, addr })
            }
            (ANSWER, &[outcome]) => {
                let outcome = DialBack::from_byte(outcome).ok_or(ReachError::Outcome(outcome))?;
                Ok(Self::Answer { nonce, outcome })
            }
            (HERE, []) => Ok(Self::Here { nonce }),
            (ANSWER, []) => Err(ReachError::Truncated),
            (ANSWER | HERE, _) => Err(ReachError::Trailing),
            (kind, _) => Err(ReachError::Kind(kind)),
        }
    }
}

impl DialBack {
    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Failed),
            1 => Some(Self::Made),
            2 => Some(Self::Refused),
            _ => None,
        }
    }
}

/// Why bytes are no message of the reach channel.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum ReachError {
    #[error("the address to dial back is none")]
    Addr(#[from] AddrError),
    #[error("kind {0} is unknown")]
    Kind(u8),
    #[error("outcome {0} of a dial-back is unknown")]
    Outcome(u8),
    #[error("the address to dial back is no text")]
    Text,
    #[error("something follows the message")]
    Trailing,
    #[error("the message is cut off")]
    Truncated,
}

/// Kinds of messages.
const ASK: u8 = 0;
const ANSWER: u8 = 1;
const HERE: u8 = 2;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn messages_are_read_as_they_were_written() {
        let nonce = 0x0123_4567_89ab_cdef;
        let messages = [
            ReachMessage::Ask {
                nonce,
                addr: "tcp://[2d00::1]:5483".parse().unwrap(),
            },
            ReachMessage::Answer {
                nonce,
                outcome: DialBack::Refused,
            },
            ReachMessage::Here { nonce },
        ];
        for message in messages {
            assert_eq!(ReachMessage::decode(&message.encode()), Ok(message));
        }
    }

    #[test]
    fn what_is_no_message_is_named() {
        let here = ReachMessage::Here { nonce: 1 }.encode();
        assert_eq!(ReachMessage::decode(&here[..8]), Err(ReachError::Truncated));
        let long = [here, vec![0]].concat();
        assert_eq!(ReachMessage::decode(&long), Err(ReachError::Trailing));
        let with = |kind: u8, rest: &[u8]| {
            let bytes = [&[kind, 0, 0, 0, 0, 0, 0, 0, 1], rest].concat();
            ReachMessage::decode(&bytes).unwrap_err()
        };
        assert_eq!(with(9, b""), ReachError::Kind(9));
        assert_eq!(with(ANSWER, &[9]), ReachError::Outcome(9));
        assert_eq!(with(ASK, &[0xff]), ReachError::Text);
        assert!(matches!(with(ASK, b"nowhere"), ReachError::Addr(_)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            let _ = ReachMessage::decode(&bytes);
        }
    }
}
