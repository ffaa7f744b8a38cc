//! What a node does to those who keep to no rule, and what the others notice of it: nothing.
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

mod arbiter;
mod blocks;
mod bounds;
mod closing;
mod junk;
mod offenders;
mod pace;
mod protocol;
mod returning;
mod scene;
