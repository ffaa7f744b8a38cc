//! What takes its time: silence, and its limits. In a process of its own, so that no other test slows it down.
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

mod liveness;
mod scale;
mod starting;
