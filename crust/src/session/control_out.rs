//! Control messages on their way out.

use std::{
    collections::VecDeque,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;

use crate::{session::buffers::Plaintext, sync::lock, wire::frame::Frame};

/// The control messages that wait for a session's task: [`MAX_QUEUED`] bytes, or one message.
#[derive(Debug, Default)]
pub(crate) struct ControlOut {
    waiting: AtomicBool,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    messages: VecDeque<(u8, Bytes)>,
    bytes: usize,
}

impl ControlOut {
    /// Queues a message, if there is room. The task is the caller's to wake.
    pub(crate) fn push(&self, channel: u8, message: Bytes) -> bool {
        let mut queue = lock(&self.queue);
        if queue.bytes > 0 && queue.bytes + message.len() > MAX_QUEUED {
            return false;
        }
        queue.bytes += message.len();
        queue.messages.push_back((channel, message));
        self.waiting.store(true, Ordering::Release);
        true
    }

    /// Writes what fits into a record.
    pub(crate) fn fill(&self, plaintext: &mut Plaintext<'_>) {
        if !self.waiting.load(Ordering::Acquire) {
            return;
        }
        let mut queue = lock(&self.queue);
        while let Some((channel, message)) = queue.messages.front() {
            if plaintext.room() < MAX_HEADER_LEN + message.len() {
                return;
            }
            let frame = Frame::Control {
                channel: *channel,
                data: message,
            };
            plaintext.put(|out| frame.put(out));
            queue.bytes -= message.len();
            queue.messages.pop_front();
        }
        *queue = Queue::default();
        self.waiting.store(false, Ordering::Release);
    }
}

/// Bytes that may wait for a peer: as much as it takes in one round trip on most paths, and little for a node that has
/// many.
const MAX_QUEUED: usize = 64 * 1024;
/// A kind, and a varint of up to four bytes.
const MAX_HEADER_LEN: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queue_takes_its_bound_and_always_one_message() {
        let out = ControlOut::default();
        let message = Bytes::from_static(&[0; 16_000]);
        let taken = (0..10).filter(|_| out.push(0, message.clone())).count();
        assert_eq!(taken, MAX_QUEUED / 16_000);
    }
}
