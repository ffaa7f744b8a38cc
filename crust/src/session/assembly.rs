//! What comes in: pieces become messages, within the window that we gave.

use bytes::BytesMut;
use thiserror::Error;

use crate::{
    message::{Message, Priority, cost},
    wire::frame::Chunk,
};

/// Puts the pieces of messages together. Sans-IO: chunks go in, whole messages come out of [`Assembly::take`].
///
/// Invariants: what all messages cost that were begun and not yet read by the application is at most the window; of a
/// message in pieces no more memory is held than has come, doubled at most.
#[derive(Debug)]
pub(crate) struct Assembly {
    max_message: usize,
    window: u64,
    /// What all messages begun so far cost.
    begun: u64,
    /// What has come of them.
    arrived: u64,
    /// Message frames received: what an acknowledgement tells.
    frames: u64,
    partial: Vec<Partial>,
    /// Whole messages of the record in hand, as places in it.
    whole: Vec<Place>,
    whole_len: usize,
    done: Vec<Message>,
}

#[derive(Debug)]
struct Partial {
    priority: Priority,
    total: usize,
    data: BytesMut,
}

#[derive(Debug)]
struct Place {
    priority: Priority,
    start: usize,
    len: usize,
}

impl Assembly {
    /// An empty one.
    pub(crate) const fn new(max_message: usize, window: u64) -> Self {
        Self {
            max_message,
            window,
            begun: 0,
            arrived: 0,
            frames: 0,
            partial: Vec::new(),
            whole: Vec::new(),
            whole_len: 0,
            done: Vec::new(),
        }
    }

    /// Takes one piece of `record`, of which the application has read `consumed` in cost since the session began.
    pub(crate) fn handle_chunk(
        &mut self,
        record: &[u8],
        chunk: Chunk<'_>,
        consumed: u64,
    ) -> Result<(), AssemblyError> {
        self.frames += 1;
        if let Some(total) = chunk.total {
            self.begin(total, consumed)?;
            self.arrived += cost(0);
        }
        self.arrived += chunk.data.len() as u64;
        match (chunk.total, chunk.last) {
            (Some(_), true) => self.whole_message(record, chunk),
            (Some(total), false) => self.first_piece(chunk, total),
            (None, _) => self.next_piece(chunk, record),
        }
    }

    /// Ends a record: its whole messages are copied out together, with one allocation for all.
    pub(crate) fn finish_record(&mut self, record: &[u8]) {
        if self.whole.is_empty() {
            return;
        }
        let mut data = BytesMut::with_capacity(self.whole_len);
        for place in &self.whole {
            data.extend_from_slice(&record[place.start..place.start + place.len]);
        }
        let data = data.freeze();
        let mut at = 0;
        for place in self.whole.drain(..) {
            self.done
                .push(Message::new(data.slice(at..at + place.len), place.priority));
            at += place.len;
        }
        self.whole_len = 0;
    }

    /// The messages that are whole.
    pub(crate) const fn done(&mut self) -> &mut Vec<Message> {
        &mut self.done
    }

    /// What has come, in cost: that of whole messages, and the bytes of others.
    pub(crate) const fn arrived(&self) -> u64 {
        self.arrived
    }

    /// Message frames received.
    pub(crate) const fn frames(&self) -> u64 {
        self.frames
    }

    /// What messages may cost that were begun and not read.
    pub(crate) const fn window(&self) -> u64 {
        self.window
    }

    /// Gives memory of a burst back. For a session that falls idle.
    pub(crate) fn shrink(&mut self) {
        self.whole = Vec::new();
        self.done = Vec::new();
    }

    fn begin(&mut self, total: usize, consumed: u64) -> Result<(), AssemblyError> {
        if total > self.max_message {
            return Err(AssemblyError::TooLong {
                len: total,
                limit: self.max_message,
            });
        }
        self.begun += cost(total);
        if self.begun - consumed > self.window {
            return Err(AssemblyError::Window);
        }
        Ok(())
    }

    fn whole_message(&mut self, record: &[u8], chunk: Chunk<'_>) -> Result<(), AssemblyError> {
        if self.partial_of(chunk.priority).is_some() {
            return Err(AssemblyError::Mixed);
        }
        // The data is part of the record; its place in it is what lies before it.
        let start = chunk.data.as_ptr() as usize - record.as_ptr() as usize;
        self.whole.push(Place {
            priority: chunk.priority,
            start,
            len: chunk.data.len(),
        });
        self.whole_len += chunk.data.len();
        Ok(())
    }

    fn first_piece(&mut self, chunk: Chunk<'_>, total: usize) -> Result<(), AssemblyError> {
        if self.partial_of(chunk.priority).is_some() {
            return Err(AssemblyError::Mixed);
        }
        if chunk.data.len() >= total {
            return Err(AssemblyError::Length);
        }
        let mut data = BytesMut::with_capacity(total.min(FIRST_CAPACITY));
        data.extend_from_slice(chunk.data);
        self.partial.push(Partial {
            priority: chunk.priority,
            total,
            data,
        });
        Ok(())
    }

    fn next_piece(&mut self, chunk: Chunk<'_>, record: &[u8]) -> Result<(), AssemblyError> {
        let index = self
            .partial_of(chunk.priority)
            .ok_or(AssemblyError::Mixed)?;
        let partial = &mut self.partial[index];
        let len = partial.data.len() + chunk.data.len();
        if len > partial.total || chunk.last != (len == partial.total) {
            return Err(AssemblyError::Length);
        }
        partial.grow(chunk.data.len());
        partial.data.extend_from_slice(chunk.data);
        if chunk.last {
            self.finish_record(record);
            let partial = self.partial.swap_remove(index);
            self.done
                .push(Message::new(partial.data.freeze(), partial.priority));
        }
        Ok(())
    }

    fn partial_of(&self, priority: Priority) -> Option<usize> {
        self.partial
            .iter()
            .position(|partial| partial.priority == priority)
    }
}

impl Partial {
    /// Makes room for `more`: twice what is there, and never more than the message needs.
    fn grow(&mut self, more: usize) {
        let needed = self.data.len() + more;
        if needed > self.data.capacity() {
            let capacity = (2 * self.data.capacity()).clamp(needed, self.total);
            self.data.reserve_exact_to(capacity);
        }
    }
}

/// `BytesMut::reserve` counted from the start.
trait ReserveTo {
    fn reserve_exact_to(&mut self, capacity: usize);
}

impl ReserveTo for BytesMut {
    fn reserve_exact_to(&mut self, capacity: usize) {
        self.reserve(capacity - self.len());
    }
}

/// What a peer did wrong with its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum AssemblyError {
    #[error("the pieces of a message do not make up its length")]
    Length,
    #[error("a piece does not follow the one before it")]
    Mixed,
    #[error("a message has at most {limit} bytes, not {len}")]
    TooLong { len: usize, limit: usize },
    #[error("more was sent than the window allows")]
    Window,
}

/// What a message in pieces gets at once; what a peer claims beyond that has to come first.
const FIRST_CAPACITY: usize = 128 * 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        session::outbox::{Outbox, Outgoing},
        wire::frame::{Frame, Frames},
    };

    fn take(assembly: &mut Assembly, record: &[u8]) -> Result<(), AssemblyError> {
        for frame in Frames::new(record) {
            if let Frame::Message(chunk) = frame.unwrap() {
                assembly.handle_chunk(record, chunk, 0)?;
            }
        }
        assembly.finish_record(record);
        Ok(())
    }

    fn put(chunk: Chunk<'_>) -> Vec<u8> {
        let mut record = Vec::new();
        Frame::Message(chunk).put(&mut record);
        record
    }

    fn chunk(total: Option<usize>, last: bool, data: &[u8]) -> Chunk<'_> {
        Chunk {
            priority: Priority::NORMAL,
            total,
            last,
            data,
        }
    }

    proptest! {
        #[test]
        fn what_the_outbox_cuts_is_put_together(
            messages in prop::collection::vec((0_usize..100_000, 0_u8..8), 1..20),
            record_len in 200_usize..16_384,
        ) {
            let mut outbox = Outbox::new(u64::MAX);
            for (index, (len, level)) in messages.iter().enumerate() {
                let data = vec![u8::try_from(index).unwrap(); *len].into();
                outbox.push(Outgoing { data, priority: Priority::new(*level).unwrap() });
            }
            let mut assembly = Assembly::new(1 << 20, 1 << 30);
            while !outbox.is_empty() {
                let mut record = Vec::new();
                outbox.fill(&mut record, record_len);
                take(&mut assembly, &record).unwrap();
            }
            let mut got: Vec<_> =
                assembly.done().drain(..).map(|m| (m.data.first().copied(), m.data.len(), m.priority.level())).collect();
            let mut sent: Vec<_> = messages
                .iter()
                .enumerate()
                .map(|(i, (len, level))| ((*len > 0).then(|| u8::try_from(i).unwrap()), *len, *level))
                .collect();
            got.sort_unstable();
            sent.sort_unstable();
            prop_assert_eq!(got, sent);
        }
    }

    #[test]
    fn whole_message_before_the_end_of_a_long_one_keeps_its_place() {
        let mut assembly = Assembly::new(100, 1000);
        take(&mut assembly, &put(chunk(Some(4), false, b"ab"))).unwrap();
        let urgent = Chunk {
            priority: Priority::HIGHEST,
            total: Some(1),
            last: true,
            data: b"!",
        };
        let record = [put(urgent), put(chunk(None, true, b"cd"))].concat();
        take(&mut assembly, &record).unwrap();
        let got: Vec<_> = assembly
            .done()
            .iter()
            .map(|message| message.data.to_vec())
            .collect();
        assert_eq!(got, [b"!".to_vec(), b"abcd".to_vec()]);
    }

    #[test]
    fn message_over_the_limit_is_refused_at_its_first_piece() {
        let mut assembly = Assembly::new(100, 1000);
        let error = take(&mut assembly, &put(chunk(Some(101), false, b"a")));
        assert_eq!(
            error,
            Err(AssemblyError::TooLong {
                len: 101,
                limit: 100
            })
        );
    }

    #[test]
    fn messages_over_the_window_are_refused() {
        let mut assembly = Assembly::new(100, cost(100) + cost(10));
        take(&mut assembly, &put(chunk(Some(100), false, b"a"))).unwrap();
        let urgent = |len| {
            put(Chunk {
                priority: Priority::HIGHEST,
                total: Some(len),
                last: true,
                data: &[0; 99][..len],
            })
        };
        take(&mut assembly, &urgent(10)).unwrap();
        assert_eq!(take(&mut assembly, &urgent(0)), Err(AssemblyError::Window));
    }

    #[test]
    fn pieces_that_do_not_fit_are_refused() {
        let wrong: [&[Chunk<'_>]; 6] = [
            &[chunk(None, true, b"a")],
            &[chunk(Some(3), false, b"a"), chunk(Some(3), false, b"a")],
            &[chunk(Some(3), false, b"a"), chunk(Some(1), true, b"a")],
            &[chunk(Some(3), false, b"a"), chunk(None, true, b"a")],
            &[chunk(Some(3), false, b"a"), chunk(None, false, b"abc")],
            &[chunk(Some(1), false, b"a")],
        ];
        for chunks in wrong {
            let mut assembly = Assembly::new(100, 1000);
            let record: Vec<_> = chunks.iter().flat_map(|chunk| put(*chunk)).collect();
            assert!(take(&mut assembly, &record).is_err(), "{chunks:?}");
        }
    }

    #[test]
    fn claimed_length_reserves_little() {
        let mut assembly = Assembly::new(1 << 30, 1 << 40);
        take(&mut assembly, &put(chunk(Some(1 << 30), false, b"a"))).unwrap();
        assert!(assembly.partial[0].data.capacity() <= FIRST_CAPACITY);
    }
}
