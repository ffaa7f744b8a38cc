//! What `crust-nat` makes of real NATs: `cargo test -p crust-tests --test nat`. As root on Linux.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

mod kinds;
mod mapping;
mod policies;
mod program;
mod reach;
mod scene;
