//! A bottleneck link in virtual time, to see what the controllers do on it.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    time::{Duration, Instant},
};

use crate::{
    congestion::{
        controller::{Acked, Congestion, Lost},
        fixture,
    },
    pacing::Pacer,
};

/// A link with a drop-tail queue, shared by flows that always have something to send.
///
/// Lost data is replaced by new data, so recovery is perfect: what is measured is the controller alone.
#[derive(Debug)]
pub(crate) struct Sim {
    link: Link,
    start: Instant,
    now: Duration,
    events: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    order: u64,
    flows: Vec<Flow>,
    queue: Queue,
    busy_until: Duration,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Link {
    pub(crate) bits_per_second: u64,
    pub(crate) rtt: Duration,
    /// How long the longest queue takes to drain.
    pub(crate) queue: Duration,
    /// The share of packets that is lost by chance, ahead of the queue.
    pub(crate) loss: f64,
    pub(crate) seed: u64,
}

/// What the queue was like since it was last looked at.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Queue {
    pub(crate) longest: Duration,
    total: Duration,
    packets: u32,
}

#[derive(Debug)]
struct Flow {
    control: Box<dyn Congestion>,
    pacer: Pacer,
    mss: u64,
    outstanding: VecDeque<Packet>,
    next_nr: u64,
    srtt: Duration,
    delivered: u64,
    wakes_at: Duration,
    times_out_at: Duration,
    clock_offset_us: u32,
}

#[derive(Debug, Clone, Copy)]
struct Packet {
    nr: u64,
    sent_at: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Ack { flow: usize, nr: u64 },
    Wake { flow: usize },
    Timeout { flow: usize },
}

impl Sim {
    pub(crate) fn new(link: Link) -> Self {
        Self {
            link,
            start: fixture::start(),
            now: Duration::ZERO,
            events: BinaryHeap::new(),
            order: 0,
            flows: Vec::new(),
            queue: Queue::default(),
            busy_until: Duration::ZERO,
        }
    }

    /// Adds a flow that begins at `at`.
    pub(crate) fn flow(&mut self, at: Duration, mss: u64, control: Box<dyn Congestion>) -> usize {
        let flow = self.flows.len();
        self.flows.push(Flow {
            control,
            pacer: Pacer::new(self.start + at),
            mss,
            outstanding: VecDeque::new(),
            next_nr: 0,
            srtt: Duration::ZERO,
            delivered: 0,
            wakes_at: at,
            times_out_at: at + INITIAL_TIMEOUT,
            clock_offset_us: 0xffff_f000,
        });
        self.at(at, Event::Wake { flow });
        self.at(at + INITIAL_TIMEOUT, Event::Timeout { flow });
        flow
    }

    /// Runs for `time` more, and gives the bits per second that each flow got.
    pub(crate) fn run(&mut self, time: Duration) -> Vec<f64> {
        let (end, before) = (self.now + time, self.delivered());
        self.queue = Queue::default();
        while let Some(&Reverse((at, _, event))) = self.events.peek()
            && at <= end
        {
            self.events.pop();
            self.now = at;
            self.handle(event);
        }
        self.now = end;
        let rate = |(after, before): (u64, u64)| (after - before) as f64 * 8.0 / time.as_secs_f64();
        self.delivered().into_iter().zip(before).map(rate).collect()
    }

    pub(crate) fn queue(&self) -> Queue {
        self.queue
    }

    pub(crate) fn cwnd(&self, flow: usize) -> u64 {
        self.flows[flow].control.cwnd()
    }

    fn delivered(&self) -> Vec<u64> {
        self.flows.iter().map(|flow| flow.delivered).collect()
    }

    fn at(&mut self, at: Duration, event: Event) {
        self.order += 1;
        self.events.push(Reverse((at, self.order, event)));
    }

    fn handle(&mut self, event: Event) {
        let now = self.start + self.now;
        match event {
            Event::Ack { flow, nr } => {
                let (at, back) = (self.now, self.link.rtt / 2);
                self.flows[flow].on_ack(at, now, nr, back);
                self.send(flow);
            }
            Event::Wake { flow } => {
                self.flows[flow].wakes_at = Duration::MAX;
                self.send(flow);
            }
            Event::Timeout { flow } => self.time_out(flow, now),
        }
    }

    fn time_out(&mut self, index: usize, now: Instant) {
        let flow = &mut self.flows[index];
        if self.now >= flow.times_out_at {
            flow.control.on_timeout(now);
            flow.outstanding.clear();
            flow.times_out_at = self.now + INITIAL_TIMEOUT;
        }
        let at = flow.times_out_at;
        self.at(at, Event::Timeout { flow: index });
        self.send(index);
    }

    fn send(&mut self, index: usize) {
        let now = self.start + self.now;
        loop {
            let flow = &mut self.flows[index];
            if flow.in_flight() + flow.mss > flow.control.cwnd() {
                return;
            }
            if let Some(at) = flow.pacer.next_send_at(now, flow.mss) {
                let at = at.duration_since(self.start);
                if at < flow.wakes_at {
                    flow.wakes_at = at;
                    self.at(at, Event::Wake { flow: index });
                }
                return;
            }
            let (nr, mss) = flow.emit(self.now, now);
            self.carry(index, nr, mss);
        }
    }

    /// Takes one packet through the loss, the queue and back as an acknowledgement.
    fn carry(&mut self, flow: usize, nr: u64, bytes: u64) {
        if self.is_unlucky() {
            return;
        }
        let waits = self.busy_until.saturating_sub(self.now);
        if waits <= self.link.queue {
            self.queue.note(waits);
            self.busy_until = self.now
                + waits
                + Duration::from_nanos(bytes * 8_000_000_000 / self.link.bits_per_second);
            self.at(self.busy_until + self.link.rtt, Event::Ack { flow, nr });
        }
    }

    fn is_unlucky(&mut self) -> bool {
        // splitmix64.
        self.link.seed = self.link.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.link.seed;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64 <= self.link.loss
            && self.link.loss > 0.0
    }
}

impl Queue {
    pub(crate) fn mean(&self) -> Duration {
        self.total / self.packets.max(1)
    }

    fn note(&mut self, waits: Duration) {
        self.longest = self.longest.max(waits);
        self.total += waits;
        self.packets += 1;
    }
}

impl Flow {
    fn emit(&mut self, at: Duration, now: Instant) -> (u64, u64) {
        self.control.on_sent(now, self.in_flight());
        self.pacer.take(now, self.mss);
        let nr = self.next_nr;
        self.next_nr += 1;
        self.outstanding.push_back(Packet { nr, sent_at: at });
        (nr, self.mss)
    }

    fn on_ack(&mut self, at: Duration, now: Instant, nr: u64, back: Duration) {
        let Some(place) = self.outstanding.iter().position(|packet| packet.nr >= nr) else {
            return;
        };
        if self.outstanding[place].nr != nr {
            return;
        }
        let Some(packet) = self.outstanding.remove(place) else {
            return;
        };
        let ago = |sent_at| now.checked_sub(at - sent_at).unwrap_or(now);
        while let Some(missing) = self
            .outstanding
            .front()
            .filter(|missing| missing.nr + REORDERING <= nr)
        {
            self.control.on_loss(&Lost {
                now,
                bytes: self.mss,
                newest_sent_at: ago(missing.sent_at),
                is_persistent: false,
            });
            self.outstanding.pop_front();
        }
        let rtt = at - packet.sent_at;
        self.srtt = if self.srtt.is_zero() {
            rtt
        } else {
            (self.srtt * 7 + rtt) / 8
        };
        self.times_out_at = at + MIN_TIMEOUT.max(2 * self.srtt);
        self.delivered += self.mss;
        let delay_us = u32::try_from((rtt - back).as_micros()).unwrap();
        self.control.on_ack(&Acked {
            now,
            bytes: self.mss,
            newest_sent_at: ago(packet.sent_at),
            rtt: Some(rtt),
            srtt: self.srtt,
            delay_us: Some(self.clock_offset_us.wrapping_add(delay_us)),
            is_cwnd_limited: true,
            acked_nr: nr,
            next_nr: self.next_nr,
        });
        let rate = self.control.pacing_rate(self.srtt);
        self.pacer.set_rate(now, rate, self.srtt, self.mss);
    }

    fn in_flight(&self) -> u64 {
        self.outstanding.len() as u64 * self.mss
    }
}

/// Jain's index of fairness: 1 where all got the same.
pub(crate) fn jain(rates: &[f64]) -> f64 {
    let (sum, squares) = (
        rates.iter().sum::<f64>(),
        rates.iter().map(|rate| rate * rate).sum::<f64>(),
    );
    sum * sum / (rates.len() as f64 * squares)
}

/// Packets acknowledged after a missing one before it counts as lost (BEP 29: three duplicates).
const REORDERING: u64 = 3;

/// RFC 6298 §2.1.
const INITIAL_TIMEOUT: Duration = Duration::from_secs(1);

/// BEP 29's floor.
const MIN_TIMEOUT: Duration = Duration::from_millis(500);
