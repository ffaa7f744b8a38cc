//! What implementers test with: an in-memory transport and discovery, the conformance suites, a simulated network.

pub mod conformance;
mod memory;

pub use self::memory::MemoryTransport;
