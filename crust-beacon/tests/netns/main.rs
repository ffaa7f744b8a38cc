//! Beacons on real links: each test makes a network namespace with a bridge, and further hosts as processes in
//! namespaces of their own. Skipped where the system gives no namespaces.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]
#![expect(clippy::print_stdout, reason = "the hosts talk to the test so")]

mod bad_input;
mod conformance;
mod finding;
mod hosts;
mod lab;
