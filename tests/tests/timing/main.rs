//! What takes its time: silence, and its limits. In a process of its own, so that no other test slows it down.

mod liveness;
mod scale;
mod starting;
