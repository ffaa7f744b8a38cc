//! How a peer broke the rules of gossip.

use crust_core::{PeerId, RecordError};
use thiserror::Error;

use super::wire::WireError;

/// How a peer broke the rules of gossip. Nothing more is taken from it until its session ends.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Breach {
    /// It sent what is no message.
    #[error("{peer:#} sent what is no message of gossip")]
    Message {
        /// Who did.
        peer: PeerId,
        /// What is wrong with it.
        source: WireError,
    },
    /// It handed on a record that nobody may.
    #[error("{peer:#} handed on a record that nobody may")]
    Record {
        /// Who did.
        peer: PeerId,
        /// What is wrong with it.
        source: RecordError,
    },
}
