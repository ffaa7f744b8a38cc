//! The tests of filtering: who is heard by a port that has sent to the server's first address alone.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::{
    behaviour::filtering::Filtering,
    stun::{Binding, Change, StunError},
};

/// Whose datagrams came in to a port that has sent to one address of the server alone; `None` where that is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterTests {
    /// From the server's other address: test II of RFC 5780 §4.4.
    pub is_heard_from_other_ip: Option<bool>,
    /// From another port of the same address: test III.
    pub is_heard_from_other_port: Option<bool>,
}

impl FilterTests {
    /// What follows from them.
    #[must_use]
    pub const fn verdict(&self) -> Option<Filtering> {
        match (self.is_heard_from_other_ip, self.is_heard_from_other_port) {
            (Some(true), _) => Some(Filtering::EndpointIndependent),
            (Some(false), Some(true)) => Some(Filtering::AddressDependent),
            (Some(false), Some(false)) => Some(Filtering::AddressAndPortDependent),
            (Some(false), None) | (None, _) => None,
        }
    }
}

/// The tests as they go.
#[derive(Debug, Default)]
pub(super) struct Tests {
    plain: Test,
    other_ip: Test,
    other_port: Test,
}

/// One test, which consists of several questions.
#[derive(Debug, Default)]
struct Test {
    pending: usize,
    /// Where the first answer came from.
    heard_from: Option<SocketAddr>,
    /// Whether something else than silence came of a question.
    has_failed: bool,
}

impl Tests {
    /// What is to be asked.
    pub(super) fn begin(&mut self) -> impl Iterator<Item = Change> + use<> {
        self.plain.pending = 1;
        self.other_ip.pending = COPIES;
        self.other_port.pending = COPIES;
        let copies = [Change::BOTH, Change::PORT].into_iter().cycle();
        [Change::NONE].into_iter().chain(copies.take(2 * COPIES))
    }

    pub(super) fn handle_result(&mut self, change: Change, result: &Result<Binding, StunError>) {
        let test = match change {
            Change { ip: true, .. } => &mut self.other_ip,
            Change { port: true, .. } => &mut self.other_port,
            Change::NONE => &mut self.plain,
        };
        test.pending = test.pending.saturating_sub(1);
        match result {
            Ok(binding) => {
                test.heard_from.get_or_insert(binding.answered_from);
            }
            Err(StunError::TimedOut { .. }) => {}
            Err(_) => test.has_failed = true,
        }
    }

    /// Whether nothing that may still come changes the verdict.
    pub(super) fn is_decided(&self) -> bool {
        let is_over = |test: &Test| test.pending == 0 || test.heard_from.is_some();
        self.other_ip.heard_from.is_some()
            || [&self.plain, &self.other_ip, &self.other_port]
                .into_iter()
                .all(is_over)
    }

    /// Whether `place`, which is that of `change`, was heard. `answers` tells whether it answers whom it may.
    pub(super) fn heard_from(
        &self,
        change: Change,
        place: SocketAddr,
        answers: bool,
    ) -> Option<bool> {
        let test = if change.ip {
            &self.other_ip
        } else {
            &self.other_port
        };
        if let Some(from) = test.heard_from {
            // A server that answers from elsewhere than it was asked to proves nothing.
            return (from == place).then_some(true);
        }
        let is_silence = test.pending == 0 && !test.has_failed;
        (is_silence && answers && self.plain.heard_from.is_some()).then_some(false)
    }
}

/// Questions for each test, each of which is sent several times: where one datagram in ten is lost, and so one answer in
/// five does not come, ten that are sent go unanswered by chance once in ten million.
const COPIES: usize = 2;
