//! How far a session is on the way to its end.

use std::{
    io,
    time::{Duration, Instant},
};

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
    /// Nothing can be written any more; what has come is still read, for it may say why.
    Broken {
        until: Instant,
        reason: Option<DisconnectReason>,
    },
    /// The close is sealed: it is written, and then the far end has its moment to end too, so that nothing it must read is
    /// torn down.
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
    pub(crate) fn on_closed(&mut self, now: Instant) {
        if let Self::Closing { reason, .. } = self {
            let reason = reason.clone();
            *self = Self::Lingering {
                reason,
                until: now + LINGER_TIMEOUT,
            };
        }
    }

    /// The connection takes no more bytes.
    pub(crate) fn on_broken(&mut self, now: Instant) {
        let reason = match self {
            Self::Broken { .. } => return,
            Self::Closing { reason, .. } | Self::Lingering { reason, .. } => Some(reason.clone()),
            Self::Open | Self::Draining { .. } => None,
        };
        *self = Self::Broken {
            until: now + BROKEN_TIMEOUT,
            reason,
        };
    }

    /// Whether a close must be said now, though not everything has been sent.
    pub(crate) fn must_give_up(&self, now: Instant) -> bool {
        matches!(self, Self::Closing { until, .. } if now >= *until)
    }

    /// Ends the session when its time is over.
    pub(crate) fn handle_timeout(&self, now: Instant) -> Result<(), DisconnectReason> {
        if self.poll_timeout().is_none_or(|until| now < until) {
            return Ok(());
        }
        Err(self.report(DisconnectReason::Lost {
            kind: io::ErrorKind::BrokenPipe,
        }))
    }

    /// When to call [`Phase::handle_timeout`]; never in an open session.
    pub(crate) const fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Open => None,
            Self::Closing { until, .. }
            | Self::Draining { until }
            | Self::Broken { until, .. }
            | Self::Lingering { until, .. } => Some(*until),
        }
    }

    /// Whether messages may still go out.
    pub(crate) const fn may_send(&self) -> bool {
        matches!(self, Self::Open | Self::Closing { .. })
    }

    /// Whether what is sealed may still go out.
    pub(crate) const fn may_write(&self) -> bool {
        !matches!(self, Self::Broken { .. })
    }

    /// What to report where the connection ended for `reason`: one that ends while it is being closed was closed.
    pub(crate) fn report(&self, reason: DisconnectReason) -> DisconnectReason {
        match (self, reason) {
            (Self::Closing { reason, .. } | Self::Lingering { reason, .. }, _)
            | (
                Self::Broken {
                    reason: Some(reason),
                    ..
                },
                _,
            ) => reason.clone(),
            (Self::Draining { .. }, DisconnectReason::Lost { .. }) => DisconnectReason::Replaced,
            (_, reason) => reason,
        }
    }
}

/// "Returns within a second": what a close has to send what is queued.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(600);
/// And then for the far end to answer.
const LINGER_TIMEOUT: Duration = Duration::from_millis(250);
/// What a connection that broke has to give what it still holds.
const BROKEN_TIMEOUT: Duration = Duration::from_secs(1);

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
            kind: io::ErrorKind::ConnectionReset,
        };
        assert_eq!(phase.report(lost.clone()), lost);
        phase.on_order(close(), now).unwrap();
        assert_eq!(phase.report(lost), DisconnectReason::Closed);
    }
}
