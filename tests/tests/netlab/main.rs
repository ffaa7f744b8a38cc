//! The NAT lab, measured by itself: `cargo test -p crust-tests --test netlab`. As root on Linux.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

mod faults;
mod guests;
mod igd;
mod kinds;
mod lifetimes;
mod links;
mod matrix;
mod policies;
mod scale;
mod scene;
mod tcp;
mod udp;
mod v6;
mod words;
