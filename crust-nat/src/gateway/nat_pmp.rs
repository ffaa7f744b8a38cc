//! NAT-PMP (RFC 6886): the packets, and what its answers mean.

mod dialect;
mod result_code;
mod wire;

pub(crate) use self::dialect::NatPmp;
pub use self::{
    result_code::ResultCode,
    wire::{Answer, AnswerError, Request, Response},
};
