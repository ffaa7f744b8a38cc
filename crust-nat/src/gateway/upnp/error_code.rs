//! Why a gateway refused an action.

use std::{error::Error, fmt};

/// The error code of a UPnP action: of UDA 1.1 §3.2.2, WANIPConnection:2 §2.5 and WANIPv6FirewallControl:1 §2.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(u16);

impl ErrorCode {
    /// The action is unknown.
    pub const INVALID_ACTION: Self = Self(401);
    /// The gateway cannot do it now.
    pub const ACTION_FAILED: Self = Self(501);
    /// The owner of the gateway does not allow it.
    pub const NOT_AUTHORIZED: Self = Self(606);
    /// There is no such pinhole.
    pub const NO_SUCH_PINHOLE: Self = Self(704);
    /// There is no such mapping.
    pub const NO_SUCH_MAPPING: Self = Self(714);
    /// The external port is another host's.
    pub const CONFLICT: Self = Self(718);
    /// The external port has to be that of the host.
    pub const SAME_PORT_REQUIRED: Self = Self(724);
    /// Mappings last until they are deleted.
    pub const ONLY_PERMANENT_LEASES: Self = Self(725);

    /// The code of this number.
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// The number in the answer.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// What it means to a person.
    pub const fn meaning(self) -> &'static str {
        match self.0 {
            401 => "the gateway does not know the action",
            402 => "the gateway does not accept an argument",
            501 => "the gateway cannot do it now; it may have no external address",
            600..=605 => "the gateway does not accept the value of an argument",
            606 => "port mapping is turned off or not allowed for this host or port",
            701 => "the gateway has no room for another pinhole",
            702 => "the gateway's IPv6 firewall is turned off",
            703 => "the gateway's owner allows no pinholes",
            704 => "there is no such pinhole",
            705 => "the gateway opens no pinholes for this protocol",
            706..=709 => "the gateway wants the pinhole to be narrower",
            713 => "there are fewer mappings than that",
            714 | 730 => "there is no such mapping",
            715 | 726 => "the gateway is particular about remote hosts",
            716 | 727 | 732 => "the gateway does not accept any port",
            718 => "the external port is mapped for somebody else",
            724 => "the external port has to be the same as the internal one",
            725 => "the gateway makes only mappings that last until they are deleted",
            728 => "the gateway has no free port",
            729 => "the external port is in use by something else",
            _ => "a code that the standard does not name",
        }
    }
}

impl Error for ErrorCode {}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error {}: {}", self.0, self.meaning())
    }
}
