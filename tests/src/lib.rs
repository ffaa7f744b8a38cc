//! Whole-node tests of Crust: several nodes, several processes. The tests are in `tests/tests`; here is what they share.

mod finds;
mod frames;
mod from;
mod hostile;
mod lines;
mod link;
mod namespace;
mod net;
#[cfg(target_os = "linux")]
pub mod netlab;
mod tell;
mod wait;

pub use self::{
    finds::{Finds, find, find_addr},
    frames::{Frame, Hello, chunk, message},
    from::{TcpFrom, builder_from, dial_from},
    hostile::{Hostile, identity_above, identity_below},
    lines::input_lines,
    link::{Link, LinkTransport},
    namespace::{Tool, in_namespace},
    net::{Net, Pair, addr, contact, start, two_identities},
    tell::{all_events, events, tell},
    wait::{connected, disconnected, event, eventually, message_text, next_message, run, soon},
};
