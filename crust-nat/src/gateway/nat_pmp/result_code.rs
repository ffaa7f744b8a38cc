//! Why a gateway refused (RFC 6886 §3.5).

use std::{error::Error, fmt};

/// The result code of a NAT-PMP response that is no success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResultCode(u16);

impl ResultCode {
    /// Version 0 is not spoken.
    pub const UNSUPPORTED_VERSION: Self = Self(1);
    /// The owner of the gateway turned port mapping off, or forbids this one.
    pub const NOT_AUTHORIZED: Self = Self(2);
    /// The gateway itself has no address.
    pub const NETWORK_FAILURE: Self = Self(3);
    /// The gateway's table is full.
    pub const OUT_OF_RESOURCES: Self = Self(4);
    /// The gateway does not know the operation.
    pub const UNSUPPORTED_OPCODE: Self = Self(5);

    /// The code of this number; `None` for zero, which is success.
    pub const fn new(number: u16) -> Option<Self> {
        match number {
            0 => None,
            _ => Some(Self(number)),
        }
    }

    /// The number on the wire.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// What it means to a person.
    pub const fn meaning(self) -> &'static str {
        match self.0 {
            1 => "the gateway does not speak this version",
            2 => "port mapping is turned off or not allowed for this port",
            3 => "the gateway has no external address that it could map",
            4 => "the gateway has no room for another mapping",
            5 => "the gateway does not know this operation",
            _ => "a code that RFC 6886 does not name",
        }
    }
}

impl Error for ResultCode {}

impl fmt::Display for ResultCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "result code {}: {}", self.0, self.meaning())
    }
}
