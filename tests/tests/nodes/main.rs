//! What two honest nodes can rely on.
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

mod events;
mod finding;
mod flow;
mod meeting;
mod outside;
mod priorities;
mod settings;
mod shutdown;
