//! The buffers of one receive call, used again and again.

use std::{
    array, fmt,
    io::{self, IoSliceMut},
    net::SocketAddr,
};

use quinn_udp::{EcnCodepoint, RecvMeta};

use super::datagram::{Datagram, Ecn};

/// What one receive call gave. A buffer holds one datagram, or several of one sender that the system put together.
pub(super) struct Batch {
    /// Memory that no datagram reaches is never touched, so that a port with little traffic has little of it.
    bytes: Box<[u8]>,
    metas: [RecvMeta; BUFFERS],
    filled: usize,
}

impl Batch {
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![0; BUFFERS * BUFFER_BYTES].into(),
            metas: [RecvMeta::default(); BUFFERS],
            filled: 0,
        }
    }

    /// Replaces what is in it by what `receive` gives, which tells how many buffers it filled.
    pub(super) fn fill(
        &mut self,
        receive: impl FnOnce(&mut [IoSliceMut<'_>], &mut [RecvMeta]) -> io::Result<usize>,
    ) -> io::Result<()> {
        self.filled = 0;
        let mut buffers = self.bytes.chunks_exact_mut(BUFFER_BYTES);
        let mut buffers: [_; BUFFERS] =
            array::from_fn(|_| IoSliceMut::new(buffers.next().unwrap_or_default()));
        self.filled = receive(&mut buffers, &mut self.metas)?;
        Ok(())
    }

    /// The datagrams in it, one by one.
    pub(super) fn datagrams(&self) -> impl Iterator<Item = Datagram<'_>> {
        let buffers = self.bytes.chunks_exact(BUFFER_BYTES);
        let filled = buffers.zip(&self.metas).take(self.filled);
        filled.flat_map(|(buffer, meta)| split(&buffer[..meta.len], meta))
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("filled", &self.filled)
            .finish_non_exhaustive()
    }
}

/// Cuts what the system put together.
fn split<'a>(data: &'a [u8], meta: &RecvMeta) -> impl Iterator<Item = Datagram<'a>> + use<'a> {
    let head = Datagram {
        from: canonical(meta.addr),
        to: meta.dst_ip.map(|ip| ip.to_canonical()),
        ecn: meta.ecn.map(from_codepoint),
        data,
    };
    // No bytes are no chunk, and yet a datagram.
    let empty = data.is_empty().then_some(data);
    let datagrams = empty.into_iter().chain(data.chunks(meta.stride.max(1)));
    datagrams.map(move |data| Datagram { data, ..head })
}

/// `addr`, as IPv4 where it is an IPv4 address in IPv6 clothes.
pub(super) fn canonical(addr: SocketAddr) -> SocketAddr {
    match addr.ip().to_canonical() {
        ip if ip.is_ipv4() => SocketAddr::new(ip, addr.port()),
        // Its scope is kept.
        _ => addr,
    }
}

fn from_codepoint(ecn: EcnCodepoint) -> Ecn {
    match ecn {
        EcnCodepoint::Ce => Ecn::Ce,
        EcnCodepoint::Ect0 => Ecn::Ect0,
        EcnCodepoint::Ect1 => Ecn::Ect1,
    }
}

/// Half of what one call takes on Linux: when the last is read, the first are still in the cache. Some systems fill one.
const BUFFERS: usize = if quinn_udp::BATCH_SIZE < 16 {
    quinn_udp::BATCH_SIZE
} else {
    16
};
/// No datagram is longer, nor are those that the system puts together.
const BUFFER_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(data: &[u8], stride: usize, from: &str) -> Batch {
        let mut batch = Batch::new();
        let receive = |buffers: &mut [IoSliceMut<'_>], metas: &mut [RecvMeta]| {
            buffers[0][..data.len()].copy_from_slice(data);
            metas[0].addr = from.parse().unwrap();
            metas[0].dst_ip = Some("::ffff:192.0.2.9".parse().unwrap());
            metas[0].len = data.len();
            metas[0].stride = stride;
            Ok(1)
        };
        batch.fill(receive).unwrap();
        batch
    }

    fn payloads(batch: &Batch) -> Vec<&[u8]> {
        batch.datagrams().map(|datagram| datagram.data).collect()
    }

    #[test]
    fn datagrams_put_together_are_single_ones() {
        let batch = filled(b"aaabbbc", 3, "192.0.2.1:1");
        assert_eq!(payloads(&batch), [&b"aaa"[..], b"bbb", b"c"]);
    }

    #[test]
    fn datagram_without_bytes_is_one_datagram() {
        for stride in [0, 3] {
            assert_eq!(payloads(&filled(b"", stride, "192.0.2.1:1")), [b""]);
        }
    }

    #[test]
    fn failed_receive_leaves_nothing_of_the_last() {
        let mut batch = filled(b"a", 1, "192.0.2.1:1");
        let error = batch.fill(|_, _| Err(io::ErrorKind::WouldBlock.into()));
        assert!(error.is_err());
        assert_eq!(batch.datagrams().count(), 0);
    }

    #[test]
    fn mapped_address_is_shown_as_ipv4_and_a_scope_is_kept() {
        let mapped = filled(b"a", 1, "[::ffff:192.0.2.1]:1");
        let datagram = mapped.datagrams().next().unwrap();
        assert_eq!(datagram.from, "192.0.2.1:1".parse().unwrap());
        assert_eq!(datagram.to, Some("192.0.2.9".parse().unwrap()));
        let scoped = filled(b"a", 1, "[fe80::1%7]:1");
        let from = scoped.datagrams().next().unwrap().from;
        assert_eq!(from, "[fe80::1%7]:1".parse().unwrap());
    }
}
