//! One session's side of gossip: what it was told, when it is told more, and how much it may say.

use std::time::{Duration, Instant};

use bytes::Bytes;
use crust_core::{CONTROL_MAX_LEN, PeerId};

use super::{
    bucket::Bucket,
    digest::Digest,
    ignored::Ignored,
    moment::Moment,
    table::{Slot, Table},
    wire::{HEADER_LEN, Message},
};

/// One session's side of gossip. Bounded by its buckets; whom it knows of is in the table's marks.
#[derive(Debug)]
pub(super) struct Session {
    slot: Slot,
    phase: Phase,
    sending: Bucket,
    hearing: Bucket,
    /// When it is told what it does not know.
    flush_at: Option<Instant>,
    /// When it may be sent a digest next.
    digest_at: Instant,
    /// When it may send one next.
    hear_digest_at: Instant,
    /// All that came into the table until this version, the peer was told.
    settled: u64,
    /// The table's version when the peer's last digest came.
    recheck: u64,
    /// What was in the last message of records.
    last_sent: Vec<PeerId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Waits for the peer's digest, so as not to tell what it knows.
    Greeting { until: Instant },
    /// Tells what is new.
    Open,
    /// The peer broke the rules; it is neither told nor heard.
    Broken,
}

impl Session {
    pub(super) fn new(slot: Slot, now: Instant) -> Self {
        let until = now + GREETING;
        Self {
            slot,
            phase: Phase::Greeting { until },
            sending: Bucket::new(SEND_RATE, SEND_BURST, now),
            hearing: Bucket::new(HEAR_RATE, HEAR_BURST, now),
            flush_at: None,
            digest_at: now,
            hear_digest_at: now,
            settled: 0,
            recheck: 0,
            last_sent: Vec::new(),
        }
    }

    /// Whether a message of `len` bytes is within what the peer may say.
    pub(super) fn admit(&mut self, len: usize, now: Instant) -> Result<(), Ignored> {
        if self.phase == Phase::Broken {
            return Err(Ignored::AfterBreach);
        }
        if !self.hearing.take(len, now) {
            return Err(Ignored::OverBudget);
        }
        Ok(())
    }

    /// The peer broke the rules.
    pub(super) fn on_breach(&mut self) {
        self.phase = Phase::Broken;
        self.flush_at = None;
    }

    /// There is news, to be told with what else comes in the next moment.
    pub(super) fn on_news(&mut self, now: Instant) {
        if self.phase == Phase::Open {
            self.flush_at.get_or_insert(now + GATHERING);
        }
    }

    /// The peer has an older record of somebody than we: look through all again.
    pub(super) fn on_outdated(&mut self, now: Instant) {
        self.settled = 0;
        self.on_news(now);
    }

    /// The peer's digest came.
    pub(super) fn on_digest(
        &mut self,
        digest: &Digest,
        start: PeerId,
        table: &mut Table,
        now: Instant,
    ) -> Result<(), Ignored> {
        if now < self.hear_digest_at {
            return Err(Ignored::DigestTooSoon);
        }
        self.hear_digest_at = now + HEAR_DIGEST_GAP;
        table.on_digest(self.slot, digest, self.recheck, start);
        self.recheck = table.head();
        self.open(now);
        Ok(())
    }

    /// The last message of records did not go out.
    pub(super) fn on_unsent(&mut self, table: &mut Table, now: Instant) {
        for peer in self.last_sent.drain(..) {
            table.on_sent(&peer, self.slot, false);
        }
        self.settled = 0;
        if self.phase == Phase::Open {
            self.flush_at = Some(now + UNSENT_PAUSE);
        }
    }

    /// This node's own record, which waits for nothing.
    pub(super) fn announce(&mut self, table: &mut Table, at: Moment) -> Option<Bytes> {
        table.local().filter(|_| self.phase != Phase::Broken)?;
        self.collect(table, at, 1)
    }

    /// What the peer does not know, as much as it may be told now, where the time for that has come.
    pub(super) fn flush(&mut self, table: &mut Table, at: Moment) -> Option<Bytes> {
        if matches!(self.phase, Phase::Greeting { until } if until <= at.now) {
            self.open(at.now);
        }
        self.flush_at.take_if(|flush_at| *flush_at <= at.now)?;
        self.collect(table, at, usize::MAX)
    }

    /// All that is known in short, if the time for that has come and there is room for it.
    pub(super) fn digest(&mut self, table: &Table, salt: u64, now: Instant) -> Option<Bytes> {
        if !self.is_due(now) {
            return None;
        }
        let message = Message::Digest(table.digest(salt)).encode();
        if !self.sending.take(message.len(), now) {
            return None;
        }
        let len = u32::try_from(message.len()).unwrap_or(u32::MAX);
        let pause = Duration::from_secs(1) * len / DIGEST_RATE;
        self.digest_at = now + pause.max(DIGEST_GAP);
        Some(message)
    }

    /// Whether it may be sent a digest.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.phase != Phase::Broken && self.digest_at <= now
    }

    /// When [`flush`](Self::flush) has something to do.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Greeting { until } => Some(until),
            Phase::Open => self.flush_at,
            Phase::Broken => None,
        }
    }

    fn open(&mut self, now: Instant) {
        self.phase = Phase::Open;
        self.settled = 0;
        self.flush_at = Some(now);
    }

    /// Up to `limit` records that the peer does not know.
    fn collect(&mut self, table: &mut Table, at: Moment, limit: usize) -> Option<Bytes> {
        let budget = self.sending.available(at.now).min(CONTROL_MAX_LEN);
        let mut len = HEADER_LEN;
        let mut records = Vec::new();
        let mut all_fit = true;
        self.last_sent.clear();
        for (peer, entry) in table.unknown_to(self.slot, self.settled, at.unix_ms) {
            if len + entry.len() > budget || records.len() >= limit {
                all_fit = false;
                break;
            }
            len += entry.len();
            records.push(entry.signed().clone());
            self.last_sent.push(*peer);
        }
        for peer in &self.last_sent {
            table.on_sent(peer, self.slot, true);
        }
        self.settle(all_fit, table.head(), len, at.now);
        (!records.is_empty()).then(|| Message::Records(records).encode())
    }

    /// Takes what a message costs, and sees when the next is due.
    fn settle(&mut self, all_fit: bool, head: u64, len: usize, now: Instant) {
        if !self.last_sent.is_empty() {
            let taken = self.sending.take(len, now);
            assert!(taken, "no more is sent than there is room for");
        }
        if all_fit {
            self.settled = head;
        } else if self.phase == Phase::Open {
            self.flush_at = Some(self.sending.when(WORTH_SENDING).max(now));
        }
    }
}

/// Bytes a second that a peer is sent on average.
const SEND_RATE: u32 = 2_048;

/// Bytes that a peer may be sent at once: a hundred records, so that a small network is known at once. In any time `t`
/// a session carries 32 KiB + 2 KiB/s · `t` each way at most.
const SEND_BURST: u32 = 32_768;

/// Bytes a second that a peer may send: an eighth more than it should, for clocks that differ.
const HEAR_RATE: u32 = SEND_RATE / 8 * 9;

/// Bytes that a peer may send at once: twice what it should, since what it said in 16 s may arrive together.
const HEAR_BURST: u32 = 2 * SEND_BURST;

/// Bytes a second that digests may take: a quarter of all.
const DIGEST_RATE: u32 = SEND_RATE / 4;

/// The least time between two digests to a peer.
const DIGEST_GAP: Duration = Duration::from_secs(5);

/// The least time between two digests of a peer: each costs a look at every record. Less than it should be, since they
/// may be delayed.
const HEAR_DIGEST_GAP: Duration = Duration::from_secs(2);

/// How long a peer's first digest is waited for.
const GREETING: Duration = Duration::from_secs(2);

/// How long news waits for more of it. A hundred hops take ten seconds.
const GATHERING: Duration = Duration::from_millis(100);

/// How long a peer rests that could not be sent to.
const UNSENT_PAUSE: Duration = Duration::from_secs(1);

/// Room that is waited for before more is sent; the longest record takes 1,094 bytes.
const WORTH_SENDING: usize = 2_048;
