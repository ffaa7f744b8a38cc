//! Tells one round trip from the next by what is acknowledged.

use crate::congestion::controller::Acked;

/// Counts round trips: one ends when all is acknowledged that was out when it began (RFC 9406 §4.2).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rounds {
    ends_at_nr: u64,
}

impl Rounds {
    /// Does this acknowledgement end a round?
    pub(crate) fn on_ack(&mut self, ack: &Acked) -> bool {
        let ended = ack.acked_nr >= self.ends_at_nr;
        if ended {
            self.ends_at_nr = ack.next_nr.max(ack.acked_nr + 1);
        }
        ended
    }
}
