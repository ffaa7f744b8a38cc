//! Whether the peer is still there: a ping when idle, a verdict after silence.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use crust_core::Role;

/// Watches one connection. Sans-IO: it is told what was heard and when, and says what to do.
///
/// Invariant: a peer that falls silent is given up exactly `lost_after` after it was last heard.
#[derive(Debug)]
pub(crate) struct Liveness {
    lost_after: Duration,
    ping_after: Duration,
    heard_at: Instant,
    ping: Option<Ping>,
    next_token: u64,
    rtt: Rtt,
}

#[derive(Debug, Clone, Copy)]
struct Ping {
    token: u64,
    sent_at: Instant,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The peer is there, as far as is known.
    Fine,
    /// The peer was silent for too long.
    Lost,
    /// Send a ping with this token.
    Ping(u64),
}

impl Liveness {
    /// Starts watching at `now`, with the round trip measured while the connection was made.
    pub(crate) fn new(lost_after: Duration, role: Role, rtt: Duration, now: Instant) -> Self {
        // The dialer asks first, so that one ping a period serves both ends.
        let ping_after = match role {
            Role::Dialer => lost_after.mul_f32(DIALER_PING),
            Role::Listener => lost_after.mul_f32(LISTENER_PING),
        };
        Self {
            lost_after,
            ping_after,
            heard_at: now,
            ping: None,
            next_token: 0,
            rtt: Rtt::new(rtt),
        }
    }

    /// Something came from the peer.
    pub(crate) const fn on_heard(&mut self, now: Instant) {
        self.heard_at = now;
    }

    /// Whether a ping is on its way.
    pub(crate) const fn is_pinging(&self) -> bool {
        self.ping.is_some()
    }

    /// A pong came. One that answers no ping of ours is of no use and no harm.
    pub(crate) fn on_pong(&mut self, token: u64, now: Instant) -> Option<Duration> {
        let ping = self.ping.take_if(|ping| ping.token == token)?;
        let sample = now.saturating_duration_since(ping.sent_at);
        self.rtt.on_sample(sample);
        Some(sample)
    }

    /// Says what to do at `now`. Repeated and early calls are harmless.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Verdict {
        let silent = now.saturating_duration_since(self.heard_at);
        if silent >= self.lost_after {
            return Verdict::Lost;
        }
        if silent < self.ping_after - self.slack()
            || self.ping.is_some_and(|ping| ping.sent_at >= self.heard_at)
        {
            return Verdict::Fine;
        }
        Verdict::Ping(self.ping(now))
    }

    /// Asks now, whatever the time; gives the token of the ping to send.
    pub(crate) fn ping(&mut self, now: Instant) -> u64 {
        self.next_token += 1;
        let token = self.next_token;
        self.ping = Some(Ping {
            token,
            sent_at: now,
        });
        token
    }

    /// When to call [`Liveness::handle_timeout`] next: any time in this window.
    pub(crate) fn poll_timeout(&self) -> Range<Instant> {
        if self.ping.is_some_and(|ping| ping.sent_at >= self.heard_at) {
            let lost_at = self.heard_at + self.lost_after;
            return lost_at..lost_at;
        }
        let ping_at = self.heard_at + self.ping_after;
        ping_at - self.slack()..ping_at
    }

    /// How much earlier than need be a ping may go, so that it can go together with others.
    fn slack(&self) -> Duration {
        self.lost_after / 20
    }

    /// The smoothed round trip.
    pub(crate) const fn rtt(&self) -> Duration {
        self.rtt.smoothed
    }
}

/// The smoothed round trip of RFC 6298 §2.
#[derive(Debug)]
struct Rtt {
    smoothed: Duration,
}

impl Rtt {
    const fn new(first: Duration) -> Self {
        Self { smoothed: first }
    }

    /// RFC 6298 §2.3 with alpha = 1/8.
    fn on_sample(&mut self, sample: Duration) {
        self.smoothed = (self.smoothed * 7 + sample) / 8;
    }
}

/// Half the time to lose a peer goes by before it is asked, the other half it has to answer.
const DIALER_PING: f32 = 0.5;
/// Later than the dialer by more than a round trip, so that in the usual case it need not ask.
const LISTENER_PING: f32 = 0.65;

#[cfg(test)]
mod tests {
    use super::*;

    const LOST: Duration = Duration::from_secs(20);
    const MS: Duration = Duration::from_millis(1);

    fn liveness(role: Role) -> (Liveness, Instant) {
        let now = crust_core::rt::now();
        (Liveness::new(LOST, role, 10 * MS, now), now)
    }

    #[test]
    fn idle_peer_is_asked_once_and_given_up_after_its_time() {
        let (mut liveness, start) = liveness(Role::Dialer);
        let window = liveness.poll_timeout();
        assert_eq!(window, start + LOST * 9 / 20..start + LOST / 2);
        assert_eq!(liveness.handle_timeout(window.start - MS), Verdict::Fine);
        assert_eq!(liveness.handle_timeout(window.start), Verdict::Ping(1));
        assert_eq!(liveness.handle_timeout(window.end), Verdict::Fine);
        assert_eq!(liveness.poll_timeout(), start + LOST..start + LOST);
        assert_eq!(liveness.handle_timeout(start + LOST), Verdict::Lost);
    }

    #[test]
    fn peer_that_is_heard_is_not_asked() {
        let (mut liveness, start) = liveness(Role::Dialer);
        liveness.on_heard(start + LOST / 2);
        assert_eq!(liveness.handle_timeout(start + LOST / 2), Verdict::Fine);
        assert_eq!(liveness.poll_timeout().end, start + LOST);
    }

    #[test]
    fn listener_asks_after_the_dialer() {
        let (dialer, _) = liveness(Role::Dialer);
        let (listener, _) = liveness(Role::Listener);
        assert!(listener.poll_timeout().start > dialer.poll_timeout().end + Duration::from_secs(1));
    }

    #[test]
    fn pong_moves_the_round_trip_and_a_strange_one_does_not() {
        let (mut liveness, start) = liveness(Role::Dialer);
        liveness.handle_timeout(start + LOST / 2);
        liveness.on_pong(99, start + LOST / 2);
        assert_eq!(liveness.rtt(), 10 * MS);
        liveness.on_pong(1, start + LOST / 2 + 18 * MS);
        assert_eq!(liveness.rtt(), 11 * MS);
        liveness.on_pong(1, start + LOST);
        assert_eq!(liveness.rtt(), 11 * MS);
    }
}
