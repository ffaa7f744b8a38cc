//! The time, as machines are told it.

use std::time::Instant;

/// The time, as the machine is told it: on the clock that timers run by, and on the one that records are dated by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Never goes back.
    pub now: Instant,
    /// Milliseconds since the Unix epoch. May jump where somebody sets the clock.
    pub unix_ms: u64,
}

impl Moment {
    /// This moment, for drivers.
    pub fn current() -> Self {
        let unix_ms = crust_core::rt::unix_time().as_millis();
        Self {
            now: crust_core::rt::now(),
            unix_ms: u64::try_from(unix_ms).unwrap_or(u64::MAX),
        }
    }
}
