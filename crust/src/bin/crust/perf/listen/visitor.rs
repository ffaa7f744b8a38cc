//! What a listener knows of one session or connection.

use std::time::Instant;

use crust::rt;

use super::super::{
    args::Mode,
    ask::Total,
    tally::{Counts, Tally},
};
use crate::usage::Usage;

/// One session or connection.
#[derive(Debug, Default)]
pub(super) struct Visitor {
    /// What it brought.
    pub(super) total: Total,
    /// Set where it accompanies a run.
    pub(super) run: Option<Box<Run>>,
    /// Of `total`, what the listener's own counters do not have yet.
    uncounted: Total,
    echoes: bool,
    /// Whether its messages come without a pause.
    pub(super) brings_much: bool,
}

/// A run, from when its listener heard of it.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) mode: Mode,
    pub(super) plain: bool,
    pub(super) began_at: Instant,
    pub(super) usage: Usage,
    pub(super) counts: Counts,
}

impl Visitor {
    pub(super) fn begin(&mut self, mode: Mode) {
        self.echoes = mode == Mode::Pingpong;
        self.brings_much = matches!(mode, Mode::Stream | Mode::Messages);
    }

    /// A measured message. Returns whether it goes back.
    pub(super) fn on_data(&mut self, len: usize) -> bool {
        for total in [&mut self.total, &mut self.uncounted] {
            total.messages += 1;
            total.bytes += len as u64;
        }
        self.echoes
    }

    pub(super) fn take_uncounted(&mut self) -> Total {
        std::mem::take(&mut self.uncounted)
    }
}

impl Run {
    pub(super) fn new(mode: Mode, plain: bool, tally: &Tally) -> Self {
        Self {
            mode,
            plain,
            began_at: rt::now(),
            usage: Usage::now(),
            counts: tally.counts(),
        }
    }
}
