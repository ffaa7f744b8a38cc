//! What a run and its listener say to each other, beside what is measured.
//!
//! Messages that begin with `{` are these, as JSON; measured ones begin with a zero byte.

use bytes::Bytes;
use crust::Addr;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::args::Mode;
use crate::usage::Usage;

/// What a run tells its listener.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "lowercase")]
pub(super) enum Ask {
    /// The first message of the session that accompanies a run. It is answered by [`State`], and so is each further one.
    Run { mode: Mode, plain: bool },
    /// The first message of what is measured. It is answered by [`Total`].
    Begin { mode: Mode },
    /// After the last measured message. It is answered by [`Total`].
    End,
}

/// How the listener is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) usage: Usage,
    /// Its port for plain TCP.
    pub(super) plain: Addr,
}

/// What one session or connection brought.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Total {
    pub(super) messages: u64,
    pub(super) bytes: u64,
}

/// Whether a message is one of these.
pub(super) fn is_ask(message: &[u8]) -> bool {
    message.first() == Some(&b'{')
}

pub(super) fn encode(value: &impl Serialize) -> Bytes {
    let text = serde_json::to_vec(value).expect("what is said here is plain");
    text.into()
}

/// `None` for what is not of the kind that was expected.
pub(super) fn decode<T: DeserializeOwned>(message: &[u8]) -> Option<T> {
    serde_json::from_slice(message).ok()
}

/// Bytes of the longest of these; addresses have 256 at most.
pub(super) const MAX_ASK_LEN: usize = 1_024;
