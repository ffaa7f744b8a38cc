//! What a connection is told at its start.

use crate::congestion::CongestionKind;

/// Settings of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Config {
    pub(crate) congestion: CongestionKind,
    /// Bytes that the other side may send which the application has not read.
    pub(crate) receive_window: usize,
    /// Bytes of a datagram that is known to get through, and of the longest that is to be tried.
    pub(crate) datagram_len: usize,
    pub(crate) longest_datagram: usize,
    /// SYNs that are sent before a dial is given up.
    pub(crate) syn_tries: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            congestion: CongestionKind::default(),
            // A gigabit per second over 100 ms of round trip has 12.5 MB on its way.
            receive_window: 16 * 1024 * 1024,
            datagram_len: crate::mtu::SAFE_LEN,
            // Ethernet's 9,000 bytes without the headers of IPv4.
            longest_datagram: 8_972,
            syn_tries: 5,
        }
    }
}
