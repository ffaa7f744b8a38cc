//! The example transport keeps the laws of transports.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![cfg(unix)]

use std::sync::atomic::{AtomicU32, Ordering};

use crust_core::conformance::transport::Subject;

#[path = "../examples/custom_transport.rs"]
#[allow(
    dead_code,
    missing_docs,
    reason = "an example, of which only the transport is used here"
)]
mod example;

crust_core::transport_conformance!(subject());

fn subject() -> Subject {
    let folder = tempfile::tempdir().unwrap();
    let count = AtomicU32::new(0);
    Subject::with_addrs(example::unix::UnixTransport, move || {
        let name = count.fetch_add(1, Ordering::Relaxed);
        let path = folder.path().join(name.to_string());
        format!("unix://{}", path.display()).parse().unwrap()
    })
}
