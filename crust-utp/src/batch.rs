//! Packets for one call of the system: all of one length, but the last, which may be shorter.

/// Datagrams side by side in one buffer.
#[derive(Debug)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    segment_len: usize,
    segments: usize,
    most_segments: usize,
    /// The last one was shorter, or may be taken apart on its way: nothing can follow it.
    is_closed: bool,
}

impl Batch {
    /// `most_segments`: what the system takes at once.
    pub(crate) fn new(most_segments: usize) -> Self {
        Self {
            bytes: Vec::new(),
            segment_len: 0,
            segments: 0,
            most_segments,
            is_closed: false,
        }
    }

    /// What is left of another.
    pub(crate) fn of(bytes: &[u8], segment_len: usize) -> Self {
        Self {
            bytes: bytes.to_vec(),
            segment_len,
            segments: bytes.len().div_ceil(segment_len.max(1)),
            most_segments: 0,
            is_closed: true,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        (self.segment_len, self.segments, self.is_closed) = (0, 0, false);
    }

    /// Whether a datagram of `len` bytes can follow.
    pub(crate) fn takes(&self, len: usize) -> bool {
        let fits = self.bytes.len() + len <= MOST_BYTES && self.segments < self.most_segments;
        self.segments == 0 || (!self.is_closed && fits && len <= self.segment_len)
    }

    /// Adds a datagram that `write` appends. Nothing follows it where it `is_last`.
    pub(crate) fn push(&mut self, is_last: bool, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        let len = self.bytes.len() - start;
        if self.segments == 0 {
            self.segment_len = len;
        }
        self.segments += 1;
        self.is_closed |= is_last || len < self.segment_len;
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes of each datagram but the last.
    pub(crate) const fn segment_len(&self) -> usize {
        self.segment_len
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.segments == 0
    }
}

/// The system takes no more at once: the length of an IP packet.
const MOST_BYTES: usize = 65_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn push(batch: &mut Batch, len: usize) {
        assert!(batch.takes(len));
        batch.push(false, |bytes| bytes.resize(bytes.len() + len, 0));
    }

    #[test]
    fn shorter_datagram_is_the_last() {
        let mut batch = Batch::new(64);
        push(&mut batch, 100);
        push(&mut batch, 100);
        assert!(!batch.takes(101));
        push(&mut batch, 50);
        assert!(!batch.takes(50));
        assert_eq!((batch.segment_len(), batch.bytes().len()), (100, 250));
        batch.clear();
        assert!(batch.is_empty() && batch.takes(101));
    }

    #[test]
    fn batch_takes_no_more_than_the_system() {
        let mut batch = Batch::new(3);
        (0..3).for_each(|_| push(&mut batch, 10));
        assert!(!batch.takes(10));
        batch.clear();
        push(&mut batch, 40_000);
        assert!(!batch.takes(40_000));
    }
}
