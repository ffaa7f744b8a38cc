//! Remembers the peers of earlier sessions.
mod builder;
mod cache;
mod cached;
mod entry;
mod file;
mod folder;
mod keeper;
mod known;
mod lans;
mod rank;
mod scope;
mod stored;
mod table;
#[cfg(test)]
mod testing;
mod wire;

pub use self::{
    builder::{PeerCacheBuilder, default_path},
    cache::PeerCache,
    cached::{CachedAddr, CachedPeer, ImportError},
    file::CacheError,
};
