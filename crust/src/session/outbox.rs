//! What goes out, in which order: eight queues, cut into records, within the credit that the peer gives.

use std::collections::VecDeque;

use bytes::{BufMut, Bytes};
use crust_core::varint;

use crate::{
    message::{Priority, cost},
    wire::frame::{Chunk, Frame},
};

/// A message on its way out.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) data: Bytes,
    pub(crate) priority: Priority,
}

/// The order of messages on the wire. Sans-IO: [`Outbox::push`] puts in, [`Outbox::fill`] takes out.
///
/// Invariants: the most urgent message that may go, goes next; a started one needs no further credit; the costs of all
/// started messages never exceed the credit.
#[derive(Debug)]
pub(crate) struct Outbox {
    queues: [VecDeque<Queued>; Priority::LEVELS],
    /// Bit n is set while queue n holds something.
    occupied: u8,
    /// Bit n is set while the first message of queue n is started.
    started: u8,
    spent: u64,
    credit: u64,
    /// Message frames written: the number of the next one.
    frames: u64,
    acked: u64,
    /// Messages, and bytes of them, that went out whole.
    sent: (u64, u64),
    /// What they cost, by level, since it was last asked.
    finished: Costs,
}

/// What messages cost, by level.
pub(crate) type Costs = [u64; Priority::LEVELS];

#[derive(Debug)]
struct Queued {
    data: Bytes,
    sent: usize,
}

impl Outbox {
    /// An empty one that may spend `credit`.
    pub(crate) fn new(credit: u64) -> Self {
        Self {
            queues: Default::default(),
            occupied: 0,
            started: 0,
            spent: 0,
            credit,
            frames: 0,
            acked: 0,
            sent: (0, 0),
            finished: Costs::default(),
        }
    }

    /// Puts a message behind the others of its priority.
    pub(crate) fn push(&mut self, message: Outgoing) {
        let level = message.priority.index();
        self.queues[level].push_back(Queued {
            data: message.data,
            sent: 0,
        });
        self.occupied |= 1 << level;
    }

    /// Takes the peer's acknowledgement.
    ///
    /// # Errors
    ///
    /// [`AckError`] for frames that were never sent, and for numbers that go back.
    pub(crate) fn on_ack(&mut self, received: u64, credit: u64) -> Result<(), AckError> {
        if received > self.frames || received < self.acked || credit < self.credit {
            return Err(AckError);
        }
        self.acked = received;
        self.credit = credit;
        Ok(())
    }

    /// Appends message frames to `out` until it holds `limit` bytes more or nothing may go.
    pub(crate) fn fill<B: BufMut>(&mut self, out: &mut B, mut limit: usize) {
        while limit > Chunk::MAX_HEADER_LEN {
            let Some(level) = self.next_level() else {
                break;
            };
            limit -= self.fill_from(level, out, limit);
        }
    }

    /// What the messages cost that went out whole since the last call.
    pub(crate) fn take_finished(&mut self) -> Costs {
        std::mem::take(&mut self.finished)
    }

    /// Whether something could go out now.
    pub(crate) fn is_ready(&self) -> bool {
        self.next_level().is_some()
    }

    /// Whether nothing waits.
    pub(crate) const fn is_empty(&self) -> bool {
        self.occupied == 0
    }

    /// Frames written that the peer has not acknowledged.
    pub(crate) const fn unacked(&self) -> u64 {
        self.frames - self.acked
    }

    /// Messages, and bytes of them, that went out whole.
    pub(crate) const fn sent(&self) -> (u64, u64) {
        self.sent
    }

    /// The most urgent message that may go. One that is new and over the credit lets only started ones go before it.
    fn next_level(&self) -> Option<usize> {
        if self.occupied == 0 {
            return None;
        }
        let top = highest(self.occupied);
        if self.started & 1 << top != 0 || self.affordable(top) {
            return Some(top);
        }
        (self.started != 0).then(|| highest(self.started))
    }

    fn affordable(&self, level: usize) -> bool {
        let first = self.queues[level]
            .front()
            .expect("an occupied queue has a first message");
        self.spent + cost(first.data.len()) <= self.credit
    }

    fn fill_from<B: BufMut>(&mut self, level: usize, out: &mut B, limit: usize) -> usize {
        let queue = &mut self.queues[level];
        let message = queue
            .front_mut()
            .expect("an occupied queue has a first message");
        let total = message.data.len();
        let first = message.sent == 0 && self.started & 1 << level == 0;
        if first {
            self.spent += cost(total);
        }
        let room = limit - Chunk::MAX_HEADER_LEN;
        let end = total.min(message.sent + room);
        let last = end == total;
        let priority = Priority::from_bits(u8::try_from(level).expect("there are eight levels"));
        let data = &message.data[message.sent..end];
        let frame = Chunk {
            priority,
            total: first.then_some(total),
            last,
            data,
        };
        let used = put(frame, out);
        message.sent = end;
        self.frames += 1;
        if !last {
            self.started |= 1 << level;
            return used;
        }
        queue.pop_front();
        self.sent = (self.sent.0 + 1, self.sent.1 + total as u64);
        self.started &= !(1 << level);
        if queue.is_empty() {
            self.occupied &= !(1 << level);
        }
        self.finished[level] += cost(total);
        used
    }

    /// Gives memory of a burst back. For a session that falls idle.
    pub(crate) fn shrink(&mut self) {
        for queue in &mut self.queues {
            if queue.is_empty() && queue.capacity() > 0 {
                *queue = VecDeque::new();
            }
        }
    }
}

/// An acknowledgement that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AckError;

const fn highest(bits: u8) -> usize {
    (7 - bits.leading_zeros()) as usize
}

/// Puts a message frame and tells its length.
fn put<B: BufMut>(chunk: Chunk<'_>, out: &mut B) -> usize {
    let mut used = 1 + varint::len(chunk.data.len() as u64) + chunk.data.len();
    if let (Some(total), false) = (chunk.total, chunk.last) {
        used += varint::len(total as u64);
    }
    Frame::Message(chunk).put(out);
    used
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::frame::Frames;

    const RECORD: usize = 16 * 1024;

    fn outgoing(len: usize, level: u8) -> Outgoing {
        Outgoing {
            data: vec![level; len].into(),
            priority: Priority::new(level).unwrap(),
        }
    }

    fn record(outbox: &mut Outbox) -> Vec<u8> {
        let mut out = Vec::new();
        outbox.fill(&mut out, RECORD);
        assert!(out.len() <= RECORD);
        out
    }

    fn chunks(record: &[u8]) -> Vec<Chunk<'_>> {
        Frames::new(record)
            .map(|frame| match frame.unwrap() {
                Frame::Message(chunk) => chunk,
                other => panic!("{other:?} is no message"),
            })
            .collect()
    }

    #[test]
    fn urgent_message_overtakes_a_long_one_at_the_next_record() {
        let mut outbox = Outbox::new(u64::MAX);
        outbox.push(outgoing(4 << 20, 0));
        record(&mut outbox);
        outbox.push(outgoing(100, 7));
        let next = record(&mut outbox);
        assert_eq!(chunks(&next)[0].data, [7; 100]);
        assert_eq!(chunks(&next)[1].priority, Priority::LOWEST);
    }

    #[test]
    fn small_messages_share_a_record() {
        let mut outbox = Outbox::new(u64::MAX);
        (0..100).for_each(|_| outbox.push(outgoing(100, 3)));
        assert_eq!(chunks(&record(&mut outbox)).len(), 100);
    }

    #[test]
    fn empty_message_is_a_message() {
        let mut outbox = Outbox::new(u64::MAX);
        outbox.push(outgoing(0, 3));
        let record = record(&mut outbox);
        assert_eq!(
            (chunks(&record)[0].total, chunks(&record)[0].last),
            (Some(0), true)
        );
        assert!(outbox.is_empty());
    }

    #[test]
    fn nothing_starts_over_the_credit() {
        let mut outbox = Outbox::new(cost(100));
        outbox.push(outgoing(100, 3));
        outbox.push(outgoing(100, 3));
        assert_eq!(chunks(&record(&mut outbox)).len(), 1);
        assert!(!outbox.is_ready());
        outbox.on_ack(1, 2 * cost(100)).unwrap();
        assert!(outbox.is_ready());
    }

    #[test]
    fn started_message_ends_before_an_urgent_one_over_the_credit() {
        let mut outbox = Outbox::new(cost(40_000));
        outbox.push(outgoing(40_000, 0));
        record(&mut outbox);
        outbox.push(outgoing(100, 7));
        assert_eq!(chunks(&record(&mut outbox))[0].priority, Priority::LOWEST);
    }

    #[test]
    fn acknowledgement_of_what_was_not_sent_is_refused() {
        let mut outbox = Outbox::new(1000);
        outbox.push(outgoing(10, 3));
        record(&mut outbox);
        assert_eq!(outbox.on_ack(2, 1000), Err(AckError));
        assert_eq!(outbox.on_ack(1, 999), Err(AckError));
        outbox.on_ack(1, 1000).unwrap();
        assert_eq!(outbox.on_ack(0, 1000), Err(AckError));
        assert_eq!(outbox.unacked(), 0);
    }

    proptest! {
        #[test]
        fn each_priority_keeps_its_order(
            messages in prop::collection::vec((0_usize..40_000, 0_u8..8), 1..40),
        ) {
            let mut outbox = Outbox::new(u64::MAX);
            for (len, level) in &messages {
                outbox.push(outgoing(*len, *level));
            }
            let mut got = vec![Vec::new(); 8];
            let mut partial = [0; 8];
            while !outbox.is_empty() {
                for chunk in chunks(&record(&mut outbox)) {
                    let level = chunk.priority.index();
                    partial[level] += chunk.data.len();
                    if chunk.last {
                        got[level].push(std::mem::take(&mut partial[level]));
                    }
                }
            }
            for (level, got) in got.iter().enumerate() {
                let sent: Vec<_> =
                    messages.iter().filter(|(_, l)| usize::from(*l) == level).map(|(len, _)| *len).collect();
                prop_assert_eq!(got, &sent);
            }
        }
    }
}
