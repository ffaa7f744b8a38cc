//! How far an address reaches that a gateway calls external.

use std::{fmt, net::IpAddr};

use crust_core::Reach;

/// How far the external address of a mapping reaches.
///
/// A gateway that is itself behind another NAT hands out addresses that nobody outside can dial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExternalScope {
    /// The whole Internet, as far as the address tells.
    Global,
    /// A carrier's network: 100.64.0.0/10 (RFC 6598) or 192.0.0.0/29 (DS-Lite, RFC 6333 §5.7). There is a second NAT.
    Shared,
    /// A private network (RFC 1918, RFC 4193), or an address that names no place. There is a second NAT, or a mistake.
    Private,
}

impl ExternalScope {
    /// The scope of `ip`.
    pub fn of(ip: IpAddr) -> Self {
        if is_carriers(ip.to_canonical()) {
            return Self::Shared;
        }
        match Reach::of_ip(ip) {
            Reach::Everywhere => Self::Global,
            Reach::Host(_) | Reach::Lan(_) | Reach::Nowhere => Self::Private,
        }
    }
}

impl fmt::Display for ExternalScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Global => "global",
            Self::Shared => "shared",
            Self::Private => "private",
        })
    }
}

fn is_carriers(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => match ip.octets() {
            [100, second, ..] => second & 0xc0 == 64,
            [192, 0, 0, last] => last < 8,
            _ => false,
        },
        IpAddr::V6(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scope_is_that_of_the_address() {
        for (text, scope) in [
            ("22.0.0.1", ExternalScope::Global),
            ("100.63.255.255", ExternalScope::Global),
            ("100.64.0.0", ExternalScope::Shared),
            ("100.127.255.255", ExternalScope::Shared),
            ("192.0.0.2", ExternalScope::Shared),
            ("192.168.1.1", ExternalScope::Private),
            ("::ffff:10.0.0.1", ExternalScope::Private),
            ("0.0.0.0", ExternalScope::Private),
            ("127.0.0.1", ExternalScope::Private),
            ("255.255.255.255", ExternalScope::Private),
            ("2001:db8::1", ExternalScope::Global),
            ("fd00::1", ExternalScope::Private),
            ("fe80::1", ExternalScope::Private),
        ] {
            assert_eq!(ExternalScope::of(text.parse().unwrap()), scope, "{text}");
        }
    }
}
