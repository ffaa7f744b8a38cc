//! Nodes on networks: hosts in namespaces, as root on Linux.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

mod clock;
mod lab;
mod lan;
mod routed;
mod utp;
