//! Sockets, timers and tasks around the machines.

mod datagrams;
mod fetch;
mod search;
mod shared;
mod supervisor;
mod upnp;
mod wake;

pub(crate) use self::{
    shared::Shared,
    supervisor::{Settings, supervise},
};
