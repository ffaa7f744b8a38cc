//! What implementers test with: an in-memory transport and discovery, the conformance suites, a simulated network.

pub mod conformance;
mod memory;
mod memory_discovery;
pub mod simnet;

pub use self::{memory::MemoryTransport, memory_discovery::MemoryDiscovery};
