//! Bytes that were written and are not all acknowledged yet.

use std::collections::VecDeque;

/// A row of bytes, each with its place in the stream. What everybody has is let go from its front.
#[derive(Debug, Default)]
pub(crate) struct SendBuffer {
    bytes: VecDeque<u8>,
    /// The place of the first byte.
    start: u64,
    /// The place of the first byte that was never sent.
    unsent: u64,
}

impl SendBuffer {
    pub(crate) fn write(&mut self, data: &[u8]) {
        self.bytes.extend(data);
    }

    /// Takes up to `most` unsent bytes for a packet; gives their place and how many they are.
    pub(crate) fn take(&mut self, most: usize) -> (u64, usize) {
        let place = self.unsent;
        let len = self.unsent_len().min(most);
        self.unsent += len as u64;
        (place, len)
    }

    /// Everything before `place` has arrived.
    pub(crate) fn release(&mut self, place: u64) {
        let gone = self.index(place).min(self.bytes.len());
        self.bytes.drain(..gone);
        self.start += gone as u64;
        if self.bytes.is_empty() {
            // An idle stream holds no buffer.
            self.bytes = VecDeque::new();
        }
    }

    /// Copies `len` bytes from `place` on to the end of `out`.
    pub(crate) fn copy(&self, place: u64, len: usize, out: &mut Vec<u8>) {
        let at = self.index(place);
        let (front, back) = self.bytes.as_slices();
        if let Some(front) = front.get(at..) {
            let here = len.min(front.len());
            out.extend_from_slice(&front[..here]);
            out.extend_from_slice(&back[..len - here]);
        } else {
            let at = at - front.len();
            out.extend_from_slice(&back[at..at + len]);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The place of the first byte that was never sent.
    pub(crate) const fn unsent_place(&self) -> u64 {
        self.unsent
    }

    pub(crate) fn unsent_len(&self) -> usize {
        self.bytes.len() - self.index(self.unsent)
    }

    fn index(&self, place: u64) -> usize {
        usize::try_from(place.saturating_sub(self.start)).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_keep_their_places_over_the_turns_of_the_ring() {
        let mut buffer = SendBuffer::default();
        let byte = |place: u64| (place % 251) as u8;
        let mut written = 0;
        for turn in 0..200_u64 {
            let data: Vec<u8> = (written..written + 97).map(byte).collect();
            buffer.write(&data);
            written += 97;
            let (place, len) = buffer.take(89);
            let mut out = vec![0xaa];
            buffer.copy(place, len, &mut out);
            let expected: Vec<u8> = (place..place + len as u64).map(byte).collect();
            assert_eq!(out[1..], expected, "turn {turn}");
            buffer.release(place + len as u64 / 2);
        }
    }

    #[test]
    fn empty_buffer_holds_no_memory() {
        let mut buffer = SendBuffer::default();
        buffer.write(&[0; 10_000]);
        let (place, len) = buffer.take(usize::MAX);
        buffer.release(place + len as u64);
        assert_eq!((buffer.len(), buffer.bytes.capacity()), (0, 0));
    }
}
