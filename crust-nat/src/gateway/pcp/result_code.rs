//! Why a server refused (RFC 6887 §7.4).

use std::{error::Error, fmt};

/// The result code of a PCP response that is no success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResultCode(u8);

impl ResultCode {
    /// `UNSUPP_VERSION`.
    pub const UNSUPPORTED_VERSION: Self = Self(1);
    /// `NOT_AUTHORIZED`: also where the mapping is another client's, whose nonce is another.
    pub const NOT_AUTHORIZED: Self = Self(2);
    /// `UNSUPP_OPCODE`.
    pub const UNSUPPORTED_OPCODE: Self = Self(4);
    /// `NETWORK_FAILURE`.
    pub const NETWORK_FAILURE: Self = Self(7);
    /// `NO_RESOURCES`.
    pub const NO_RESOURCES: Self = Self(8);
    /// `CANNOT_PROVIDE_EXTERNAL`.
    pub const CANNOT_PROVIDE_EXTERNAL: Self = Self(11);
    /// `ADDRESS_MISMATCH`: something between this host and the server translates addresses.
    pub const ADDRESS_MISMATCH: Self = Self(12);

    /// The code of this number; `None` for zero, which is success.
    pub const fn new(number: u8) -> Option<Self> {
        match number {
            0 => None,
            _ => Some(Self(number)),
        }
    }

    /// The number on the wire.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// What it means to a person.
    pub const fn meaning(self) -> &'static str {
        match self.0 {
            1 => "the gateway does not speak this version",
            2 => "port mapping is turned off, or the port is mapped for somebody else",
            3 => "the gateway could not read the request",
            4 => "the gateway does not know this operation",
            5 => "the gateway does not know an option",
            6 => "the gateway could not read an option",
            7 => "the gateway has no external address that it could map",
            8 => "the gateway has no room for another mapping at this time",
            9 => "the gateway does not map this protocol",
            10 => "this host has as many mappings as the gateway allows",
            11 => "the gateway cannot give the external port or address asked for",
            12 => "there is another NAT between this host and the gateway",
            13 => "the gateway cannot filter for so many remote hosts",
            _ => "a code that RFC 6887 does not name",
        }
    }
}

impl Error for ResultCode {}

impl fmt::Display for ResultCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "result code {}: {}", self.0, self.meaning())
    }
}
