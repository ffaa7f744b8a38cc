//! Reliable, encrypted peer-to-peer connections by public key.
//!
//! To be written.

mod clock;
mod error;
mod event;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzz;
mod message;
mod node;
mod pool;
mod reason;
mod recent;
mod session;
mod sync;
mod wire;

pub use bytes::Bytes;
pub use crust_core::{self as core, Addr, Contact, PeerId, Role, rt};
pub use crust_crypto::{Cipher, Identity, NetworkKey};
pub use ipnet::IpNet;

pub use self::{
    error::{Attempt, AttemptError, ConnectError, StartError},
    event::{AbuseKind, Event},
    message::{Message, Priority},
    node::{
        Blocked, Node, NodeStats,
        builder::NodeBuilder,
        config::{Limits, Timeouts},
        dial::Target,
        endpoints::Endpoint,
    },
    reason::DisconnectReason,
    session::{SendError, Session, SessionStats},
};
