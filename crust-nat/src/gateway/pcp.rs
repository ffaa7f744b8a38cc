//! PCP (RFC 6887): the packets, and what its answers mean.
//!
//! MAP and ANNOUNCE, for IPv4 and IPv6. Of the options PREFER_FAILURE alone is there to be encoded, and not used: §13.2 advises
//! against it where a mapping on another port is better than none. THIRD_PARTY is not there: a node maps its own ports.

mod dialect;
mod nonce;
mod result_code;
mod wire;

pub(crate) use self::{dialect::Pcp, nonce::Nonces};
pub use self::{
    result_code::ResultCode,
    wire::{Answer, AnswerError, Map, Opcode, Request, RequestBody, Response},
};
