//! A capture file that Wireshark and tcpdump read.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
    time::Duration,
};

/// A capture of raw IP packets.
#[derive(Debug)]
pub(super) struct Pcap(BufWriter<File>);

impl Pcap {
    /// A new file, in place of one that is there.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let mut file = BufWriter::new(File::create(path)?);
        let words = [MAGIC, VERSION, 0, 0, MAX_LEN, LINKTYPE_RAW];
        for word in words {
            file.write_all(&word.to_ne_bytes())?;
        }
        Ok(Self(file))
    }

    /// Adds a packet that was seen at `unix_time`.
    pub(super) fn add(&mut self, unix_time: Duration, packet: &[u8]) -> io::Result<()> {
        // The format has 32 bits for the seconds.
        let seconds = u32::try_from(unix_time.as_secs()).unwrap_or(u32::MAX);
        let len = u32::try_from(packet.len()).unwrap_or(MAX_LEN);
        for word in [seconds, unix_time.subsec_nanos(), len, len] {
            self.0.write_all(&word.to_ne_bytes())?;
        }
        self.0.write_all(packet)
    }

    /// Writes what is not in the file yet.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Times are in nanoseconds, all words in this machine's order.
const MAGIC: u32 = 0xa1b2_3c4d;
/// 2.4, in this machine's order: the first half-word is the major one.
const VERSION: u32 = if cfg!(target_endian = "little") {
    0x0004_0002
} else {
    0x0002_0004
};
/// The longest packet.
const MAX_LEN: u32 = 65_535;
/// Each packet begins with its IP header.
const LINKTYPE_RAW: u32 = 101;
