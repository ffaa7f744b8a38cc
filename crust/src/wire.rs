//! Bytes on the wire and back: frames inside records, and the hello's body. `docs/protocol.md` has the tables.

pub(crate) mod contacts;
pub(crate) mod frame;
pub(crate) mod hello;
#[cfg(feature = "nat")]
pub(crate) mod reach;
