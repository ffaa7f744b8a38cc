//! What every congestion controller does, and what it is told.

use std::{
    fmt,
    time::{Duration, Instant},
};

/// Decides how many bytes of one connection may be in flight.
///
/// It has no clock and allocates nothing after it is made. Call [`Congestion::on_loss`] before [`Congestion::on_ack`]
/// when one packet reports both.
pub(crate) trait Congestion: fmt::Debug + Send {
    /// A data packet goes out while `in_flight_before` bytes are unacknowledged. Packets sent again count.
    fn on_sent(&mut self, now: Instant, in_flight_before: u64);

    /// Packets were acknowledged, by the cumulative number or selectively.
    fn on_ack(&mut self, ack: &Acked);

    /// Packets are held to be lost, by duplicate acknowledgements and not by the timer.
    ///
    /// The window shrinks at most once for the packets of one round trip (RFC 9002 §7.3.2).
    fn on_loss(&mut self, loss: &Lost);

    /// The retransmission timer ran out: everything in flight is held to be lost.
    fn on_timeout(&mut self, now: Instant);

    /// The remote saw a packet of ours, sent at `sent_at`, marked "congestion experienced" (RFC 3168 §5).
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "no packet is marked as taking part in ECN yet")
    )]
    fn on_congestion_experienced(&mut self, now: Instant, sent_at: Instant);

    /// The size of a full segment changed, by path MTU discovery.
    fn set_mss(&mut self, mss: u64);

    /// Bytes that may be in flight; two full segments at least.
    fn cwnd(&self) -> u64;

    /// Bytes a second to send at, `None` until there is a round-trip time.
    fn pacing_rate(&self, srtt: Duration) -> Option<u64>;
}

/// What one incoming packet newly acknowledged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Acked {
    /// When it came in.
    pub(crate) now: Instant,
    /// Bytes of data acknowledged for the first time.
    pub(crate) bytes: u64,
    /// When the newest of the acknowledged packets was sent, for the last time.
    pub(crate) newest_sent_at: Instant,
    /// The round-trip time of that packet; `None` when it was sent more than once (Karn).
    pub(crate) rtt: Option<Duration>,
    /// The smoothed round-trip time, this sample included.
    pub(crate) srtt: Duration,
    /// BEP 29's `timestamp_difference` as the remote reports it: microseconds from our clock at sending to its clock at
    /// receiving, modulo 2^32, the clocks set as they happen to be. `None` where the header says 0: not measured.
    pub(crate) delay_us: Option<u32>,
    /// Did the congestion window, or the pacer that spreads it, hold sending back since the last acknowledgement? Where
    /// the application or the remote's window did, it was not tested and does not grow (RFC 9438 §5.8).
    pub(crate) is_cwnd_limited: bool,
    /// The place of the newest acknowledged packet in the order of sending, counting each time a packet is sent, from
    /// 0 on and without wrapping. With `next_nr` it tells one round trip from the next, also across losses.
    pub(crate) acked_nr: u64,
    /// The place of the packet that is sent next.
    pub(crate) next_nr: u64,
}

/// What was found to be lost at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lost {
    /// When it was found.
    pub(crate) now: Instant,
    /// Bytes of data in the lost packets.
    pub(crate) bytes: u64,
    /// When the newest of the lost packets was sent.
    pub(crate) newest_sent_at: Instant,
    /// Was all lost that was sent over a long time (RFC 9002 §7.6)? The window falls to its minimum.
    pub(crate) is_persistent: bool,
}

/// Segments of the smallest window (RFC 9002 §7.2): with one, a delayed acknowledgement would stop the flow.
pub(crate) const MIN_SEGMENTS: u64 = 2;

/// The window before anything is known (RFC 6928 §2).
pub(crate) fn initial_window(mss: u64) -> u64 {
    (10 * mss).min((2 * mss).max(14_600))
}

/// How much faster than `cwnd` a round trip packets go out, so that pacing never holds back what the window allows
/// (RFC 9002 §7.7, which suggests 1.25) and slow start can double.
pub(crate) fn pacing_rate(cwnd: u64, srtt: Duration, is_slow_start: bool) -> Option<u64> {
    let gain = if is_slow_start { 8 } else { 5 };
    let srtt_ns = u64::try_from(srtt.as_nanos()).unwrap_or(u64::MAX);
    let rate = u128::from(cwnd) * 1_000_000_000 * gain / 4 / u128::from(srtt_ns.max(1));
    (srtt_ns > 0).then(|| u64::try_from(rate).unwrap_or(u64::MAX))
}
