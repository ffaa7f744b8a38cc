//! What a link does to datagrams, and how often it did.

use std::{
    iter::Sum,
    ops::{Add, AddAssign},
    time::Duration,
};

/// What one direction between two nodes does to datagrams.
///
/// A datagram over the MTU is dropped. The others queue for the line, are sent at its rate, and are then lost, doubled,
/// corrupted, delayed or held back; so a datagram that is lost has used its share of the rate. The default does none
/// of it. Probabilities are from 0 to 1; what is outside counts as the nearer of the two.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Link {
    /// From the end of sending to arrival.
    pub delay: Duration,
    /// At most this is added to the delay, evenly spread. It does not reorder: nobody overtakes.
    pub jitter: Duration,
    /// How datagrams get lost.
    pub loss: Loss,
    /// The share of datagrams that arrive twice.
    pub duplicate: f64,
    /// The share of datagrams that are held back, and may be overtaken.
    pub reorder: f64,
    /// For how long they are held back.
    pub reorder_by: Duration,
    /// The share of datagrams that arrive with one bit flipped; empty ones cannot.
    pub corrupt: f64,
    /// Payload bytes per second; `None` sends at once.
    pub rate_bytes_per_s: Option<u64>,
    /// Payload bytes that may wait, the one being sent included; what does not fit is dropped. Counts with a rate only.
    pub queue_bytes: usize,
    /// The longest payload.
    pub mtu_bytes: usize,
}

impl Link {
    /// Delays each datagram by `delay`.
    #[must_use]
    pub fn with_delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Adds up to `jitter` to the delay.
    #[must_use]
    pub fn with_jitter(mut self, jitter: Duration) -> Self {
        self.jitter = jitter;
        self
    }

    /// Loses datagrams.
    #[must_use]
    pub fn with_loss(mut self, loss: Loss) -> Self {
        self.loss = loss;
        self
    }

    /// Doubles a share of the datagrams.
    #[must_use]
    pub fn with_duplicate(mut self, share: f64) -> Self {
        self.duplicate = share;
        self
    }

    /// Holds a share of the datagrams back for `by`.
    #[must_use]
    pub fn with_reorder(mut self, share: f64, by: Duration) -> Self {
        self.reorder = share;
        self.reorder_by = by;
        self
    }

    /// Flips a bit in a share of the datagrams.
    #[must_use]
    pub fn with_corrupt(mut self, share: f64) -> Self {
        self.corrupt = share;
        self
    }

    /// Sends `bytes_per_s`, and lets `queue_bytes` wait.
    ///
    /// # Panics
    ///
    /// When the rate is zero; a black-out sends nothing.
    #[must_use]
    pub fn with_rate(mut self, bytes_per_s: u64, queue_bytes: usize) -> Self {
        assert!(bytes_per_s > 0, "a rate of zero never sends");
        self.rate_bytes_per_s = Some(bytes_per_s);
        self.queue_bytes = queue_bytes;
        self
    }

    /// Drops datagrams of more than `bytes`.
    #[must_use]
    pub fn with_mtu(mut self, bytes: usize) -> Self {
        self.mtu_bytes = bytes;
        self
    }
}

impl Default for Link {
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            loss: Loss::None,
            duplicate: 0.0,
            reorder: 0.0,
            reorder_by: Duration::ZERO,
            corrupt: 0.0,
            rate_bytes_per_s: None,
            queue_bytes: DEFAULT_QUEUE_BYTES,
            mtu_bytes: MAX_UDP_PAYLOAD,
        }
    }
}

/// How datagrams get lost.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub enum Loss {
    /// None are.
    #[default]
    None,
    /// Each with the same probability, whatever became of the one before.
    Random(f64),
    /// In bursts (Gilbert-Elliott): before each datagram the link may change between a good and a bad state.
    Bursts {
        /// The probability to go from good to bad.
        enter: f64,
        /// The probability to go from bad to good.
        leave: f64,
        /// The probability that a datagram is lost in the good state.
        good: f64,
        /// The probability that a datagram is lost in the bad state.
        bad: f64,
    },
}

impl Loss {
    /// Loses `share` of the datagrams in the long run, `mean_len` in a row on average.
    pub fn bursts(share: f64, mean_len: f64) -> Self {
        let leave = 1.0 / mean_len.max(1.0);
        Self::Bursts {
            enter: leave * share / (1.0 - share),
            leave,
            good: 0.0,
            bad: 1.0,
        }
    }
}

/// What happened to the datagrams of a link.
///
/// Each one sent is delivered, in flight, or in one of the four ways to be lost; each duplicate comes on top.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Were sent.
    pub sent: u64,
    /// Came out of [`SimNet::poll_output`](super::SimNet::poll_output), duplicates included.
    pub delivered: u64,
    /// Were doubled.
    pub duplicated: u64,
    /// Had a bit flipped, duplicates included.
    pub corrupted: u64,
    /// Were held back, duplicates included.
    pub reordered: u64,
    /// Were lost to [`Link::loss`].
    pub lost: u64,
    /// Were lost to a black-out.
    pub blacked_out: u64,
    /// Found the queue full.
    pub queue_full: u64,
    /// Were longer than the MTU.
    pub too_long: u64,
}

impl AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.delivered += other.delivered;
        self.duplicated += other.duplicated;
        self.corrupted += other.corrupted;
        self.reordered += other.reordered;
        self.lost += other.lost;
        self.blacked_out += other.blacked_out;
        self.queue_full += other.queue_full;
        self.too_long += other.too_long;
    }
}

impl Add for Counters {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}

impl Sum for Counters {
    fn sum<I: Iterator<Item = Self>>(counters: I) -> Self {
        counters.fold(Self::default(), Add::add)
    }
}

/// 43 full datagrams: what home routers have, and a third of a second at 1.5 Mbit/s.
const DEFAULT_QUEUE_BYTES: usize = 64 * 1024;

/// 65,535 bytes of an IPv4 packet less its header and UDP's (RFC 768, RFC 791 §3.1).
const MAX_UDP_PAYLOAD: usize = 65_507;
