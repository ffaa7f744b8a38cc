//! When to acknowledge: soon, but not each packet by itself.

use std::time::{Duration, Instant};

/// Acknowledgements that are owed.
#[derive(Debug, Default)]
pub(crate) struct Acks {
    packets: u32,
    due: Due,
    /// The window that the other side knows of.
    told: usize,
    /// How often it was said that we are connected, while nothing shows that this was heard.
    repeated: Option<u32>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Due {
    #[default]
    Never,
    At(Instant),
    Now,
}

impl Acks {
    /// The handshake is done here, and over there when this is heard. It may be lost, and the other side have nothing to
    /// say that would show it: so it is said several times.
    pub(crate) fn on_connected(&mut self) {
        self.due = Due::Now;
        self.repeated = Some(0);
    }

    /// The other side knows that it is connected.
    pub(crate) fn on_heard(&mut self) {
        self.repeated = None;
    }

    /// A packet with a number came. One that is not in order, or was there before, tells of a loss, and is
    /// acknowledged at once (RFC 5681 §4.2).
    pub(crate) fn on_packet(&mut self, now: Instant, is_in_order: bool) {
        self.packets += 1;
        if !is_in_order || self.packets >= EVERY {
            self.due = Due::Now;
        } else if self.due == Due::Never {
            self.due = Due::At(now + DELAY);
        }
    }

    /// The other side is to hear something now, though nothing came of it.
    pub(crate) fn demand(&mut self) {
        self.due = Due::Now;
    }

    /// The reader made room: `window` bytes of `capacity` are free.
    pub(crate) fn on_read(&mut self, window: usize, capacity: usize) {
        let is_narrow = self.told < capacity / 2;
        if is_narrow && window - self.told.min(window) >= capacity / 4 {
            self.due = Due::Now;
        }
    }

    /// A packet was sent, which acknowledges all that came and tells of `window`.
    pub(crate) fn on_sent(&mut self, now: Instant, window: usize) {
        self.packets = 0;
        self.told = window;
        self.due = match self.repeated {
            Some(times) if times < REPEATS => {
                self.repeated = Some(times + 1);
                Due::At(now + REPEAT_AFTER * (1 << times))
            }
            _ => Due::Never,
        };
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        match self.due {
            Due::Never => false,
            Due::At(at) => at <= now,
            Due::Now => true,
        }
    }

    /// When one is due; in the past where it is now.
    pub(crate) fn due_at(&self, now: Instant) -> Option<Instant> {
        match self.due {
            Due::Never => None,
            Due::At(at) => Some(at),
            Due::Now => Some(now),
        }
    }
}

/// How often it is said again that we are connected: after one, two, four seconds.
const REPEATS: u32 = 3;
const REPEAT_AFTER: Duration = Duration::from_secs(1);
/// RFC 5681 §4.2: each second packet at least.
const EVERY: u32 = 2;
/// RFC 9000 §13.2.1 has 25 ms; libutp holds back for 100, BEP 29 says nothing.
pub(crate) const DELAY: Duration = Duration::from_millis(25);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_packet_is_acknowledged_at_once_and_a_single_one_after_a_while() {
        let now = crust_core::rt::now();
        let mut acks = Acks::default();
        acks.on_packet(now, true);
        assert!(!acks.is_due(now) && acks.is_due(now + DELAY));
        acks.on_packet(now, true);
        assert!(acks.is_due(now));
        acks.on_sent(now, 0);
        assert!(!acks.is_due(now + DELAY * 9));
    }

    #[test]
    fn end_of_the_handshake_is_repeated_until_something_is_heard() {
        let mut now = crust_core::rt::now();
        let mut acks = Acks::default();
        acks.on_connected();
        let mut said = 0;
        while let Some(at) = acks.due_at(now) {
            now = at;
            acks.on_sent(now, 0);
            said += 1;
        }
        assert_eq!(said, 1 + REPEATS);
        acks.on_connected();
        acks.on_sent(now, 0);
        acks.on_heard();
        acks.on_sent(now, 0);
        assert_eq!(acks.due_at(now), None);
    }

    #[test]
    fn packet_out_of_order_is_acknowledged_at_once() {
        let now = crust_core::rt::now();
        let mut acks = Acks::default();
        acks.on_packet(now, false);
        assert!(acks.is_due(now));
    }

    #[test]
    fn reader_that_made_room_is_told_of_where_there_was_little() {
        let now = crust_core::rt::now();
        let mut acks = Acks::default();
        acks.on_sent(now, 100);
        acks.on_read(200, 1_000);
        assert!(!acks.is_due(now));
        acks.on_read(350, 1_000);
        assert!(acks.is_due(now));
        acks.on_sent(now, 600);
        acks.on_read(1_000, 1_000);
        assert!(!acks.is_due(now), "there was enough");
    }
}
