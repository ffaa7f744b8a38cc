//! What the system's errors say about an address.

use std::io;

use crust_core::TransportError;
use rustix::io::Errno;

/// Whether this host lacks the address, or IPv6 as a whole.
pub(crate) fn is_missing(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable
        || Errno::from_io_error(error) == Some(Errno::AFNOSUPPORT)
}

/// Ranks the errors of several addresses: the attempt that came furthest says most about the far end; that this host
/// has no such network says least.
pub(crate) fn how_telling(error: &TransportError) -> u8 {
    match error {
        TransportError::Refused { .. } => 4,
        TransportError::TimedOut { .. } => 2,
        TransportError::Unreachable { .. } => 1,
        TransportError::Invalid { .. } => 0,
        TransportError::Io { source, .. } if is_missing(source) => 0,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_without_ipv6_is_recognized() {
        for errno in [Errno::AFNOSUPPORT, Errno::ADDRNOTAVAIL] {
            assert!(is_missing(&errno.into()));
        }
        for errno in [Errno::ADDRINUSE, Errno::ACCESS, Errno::MFILE] {
            assert!(!is_missing(&errno.into()));
        }
    }

    #[test]
    fn refusal_says_more_than_a_missing_network() {
        let addr = "tcp://example.org:1".parse().unwrap();
        let error = |errno: Errno| TransportError::from_io(&addr, errno.into());
        let mut errors = [
            Errno::CONNREFUSED,
            Errno::ADDRNOTAVAIL,
            Errno::TIMEDOUT,
            Errno::NETUNREACH,
            Errno::ACCESS,
        ]
        .map(error);
        errors.sort_by_key(how_telling);
        let order = errors.map(|error| error.to_string());
        let expected = [
            "tcp://example.org:1 failed",
            "tcp://example.org:1 cannot be reached from here",
            "tcp://example.org:1 did not answer",
            "tcp://example.org:1 failed",
            "tcp://example.org:1 refused the connection",
        ];
        assert_eq!(order, expected);
    }
}
