//! How far a session is on the way to its end.

use std::time::{Duration, Instant};

use crate::{reason::DisconnectReason, session::send_side::Order};

/// Where a session is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    /// Sends what is queued, then says why and ends.
    Closing {
        reason: DisconnectReason,
        text: Box<str>,
        until: Instant,
    },
    /// Another connection takes over; what has come is still read.
    Draining {
        until: Instant,
    },
    /// The close is written: waits for the far end to end too, so that nothing it must read is torn down.
    Lingering {
        reason: DisconnectReason,
        until: Instant,
    },
}

impl Phase {
    /// Takes an order. Only a cut ends the session at once.
    pub(crate) fn on_order(&mut self, order: Order, now: Instant) -> Result<(), DisconnectReason> {
        match (order, &self) {
            (Order::Cut(reason), _) => return Err(reason),
            (Order::Close { reason, text }, Self::Open) => {
                *self = Self::Closing {
                    reason,
                    text,
                    until: now + CLOSE_TIMEOUT,
                };
            }
            (Order::Supersede { grace }, Self::Open | Self::Closing { .. }) => {
                *self = Self::Draining { until: now + grace };
            }
            _ => {}
        }
        Ok(())
    }

    /// The close has been sealed.
    pub(crate) fn on_closed(&mut self, reason: DisconnectReason, now: Instant) {
        *self = Self::Lingering {
            reason,
            until: now + CLOSE_TIMEOUT,
        };
    }

    /// Ends the session when its time is over.
    pub(crate) fn handle_timeout(&self, now: Instant) -> Result<(), DisconnectReason> {
        match self {
            Self::Draining { until } if now >= *until => Err(DisconnectReason::Replaced),
            Self::Lingering { reason, until } | Self::Closing { reason, until, .. }
                if now >= *until =>
            {
                Err(reason.clone())
            }
            _ => Ok(()),
        }
    }

    /// When to call [`Phase::handle_timeout`]; never in an open session.
    pub(crate) const fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Open => None,
            Self::Closing { until, .. }
            | Self::Draining { until }
            | Self::Lingering { until, .. } => Some(*until),
        }
    }

    /// Whether messages may still go out.
    pub(crate) const fn may_send(&self) -> bool {
        matches!(self, Self::Open | Self::Closing { .. })
    }

    /// What to report where the connection ended for `reason`: one that breaks while it is being closed was closed.
    pub(crate) fn report(&self, reason: DisconnectReason) -> DisconnectReason {
        match self {
            Self::Open => reason,
            Self::Closing { reason, .. } | Self::Lingering { reason, .. } => reason.clone(),
            Self::Draining { .. } => DisconnectReason::Replaced,
        }
    }
}

/// "Returns within a second": what closing may take, first to send what is queued, then for the far end to answer.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(800);

#[cfg(test)]
mod tests {
    use super::*;

    fn close() -> Order {
        Order::Close {
            reason: DisconnectReason::Closed,
            text: "bye".into(),
        }
    }

    #[test]
    fn close_has_its_time_and_then_ends() {
        let now = crust_core::rt::now();
        let mut phase = Phase::Open;
        phase.on_order(close(), now).unwrap();
        assert!(phase.may_send());
        assert_eq!(phase.poll_timeout(), Some(now + CLOSE_TIMEOUT));
        assert_eq!(phase.handle_timeout(now), Ok(()));
        assert_eq!(
            phase.handle_timeout(now + CLOSE_TIMEOUT),
            Err(DisconnectReason::Closed)
        );
    }

    #[test]
    fn close_ordered_twice_keeps_its_first_time() {
        let now = crust_core::rt::now();
        let mut phase = Phase::Open;
        phase.on_order(close(), now).unwrap();
        phase.on_order(close(), now + CLOSE_TIMEOUT / 2).unwrap();
        assert_eq!(phase.poll_timeout(), Some(now + CLOSE_TIMEOUT));
    }

    #[test]
    fn cut_ends_at_once_in_any_phase() {
        let now = crust_core::rt::now();
        let mut phase = Phase::Draining { until: now };
        let cut = Order::Cut(DisconnectReason::Blocked);
        assert_eq!(phase.on_order(cut, now), Err(DisconnectReason::Blocked));
    }

    #[test]
    fn connection_that_breaks_while_it_is_closed_was_closed() {
        let now = crust_core::rt::now();
        let mut phase = Phase::Open;
        let lost = DisconnectReason::Lost {
            kind: std::io::ErrorKind::ConnectionReset,
        };
        assert_eq!(phase.report(lost.clone()), lost);
        phase.on_order(close(), now).unwrap();
        assert_eq!(phase.report(lost), DisconnectReason::Closed);
    }
}
