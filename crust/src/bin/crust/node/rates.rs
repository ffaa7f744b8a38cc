//! How much goes in and out each second.

use std::{collections::HashMap, time::Duration};

use crust::{PeerId, Session, SessionStats};
use serde::Serialize;

/// What went through in a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct Rate {
    pub(super) messages_in: u64,
    pub(super) messages_out: u64,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
    pub(super) seconds: f64,
}

/// Counts what goes through all sessions.
#[derive(Debug, Default)]
pub(super) struct Rates {
    sessions: HashMap<PeerId, (Session, SessionStats)>,
    /// What went through since the last look, in sessions that have ended.
    ended: Rate,
}

impl Rates {
    pub(super) fn on_connected(&mut self, session: Session) {
        let counted = SessionStats::default();
        self.sessions.insert(session.peer(), (session, counted));
    }

    pub(super) fn on_disconnected(&mut self, peer: PeerId) {
        if let Some((session, counted)) = self.sessions.remove(&peer) {
            self.ended.add(&session.stats(), &counted);
        }
    }

    /// What went through since the last look, `passed` ago; `None` if nothing did.
    pub(super) fn look(&mut self, passed: Duration) -> Option<Rate> {
        let mut rate = std::mem::take(&mut self.ended);
        for (session, counted) in self.sessions.values_mut() {
            let stats = session.stats();
            rate.add(&stats, counted);
            *counted = stats;
        }
        if rate == Rate::default() {
            return None;
        }
        rate.seconds = (passed.as_secs_f64() * 1e3).round() / 1e3;
        Some(rate)
    }
}

impl Rate {
    fn add(&mut self, now: &SessionStats, before: &SessionStats) {
        self.messages_in += now.messages_in - before.messages_in;
        self.messages_out += now.messages_out - before.messages_out;
        self.bytes_in += now.bytes_in - before.bytes_in;
        self.bytes_out += now.bytes_out - before.bytes_out;
    }
}
