//! Durations as protocols write them.

use std::time::Duration;

/// Whole seconds, as many as 32 bits hold.
pub(crate) fn whole_seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}
