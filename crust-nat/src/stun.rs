//! STUN: what others see of this host (RFC 8489), and how its NAT behaves (RFC 5780).

mod binding;
mod client;
mod limit;
mod retransmission;
mod server;
pub mod wire;

pub use self::{
    binding::{Binding, StunError},
    client::{Client, ClientOutput, MAX_TRANSACTIONS, Request},
    retransmission::Retransmission,
    server::{Answer, Arrival, Carrier, Place, Places, Server, ServerConfig, ServerStats},
    wire::{Change, TransactionId},
};
