//! STUN: what others see of this host (RFC 8489), and how its NAT behaves (RFC 5780).

mod binding;
mod client;
mod limit;
mod port;
mod retransmission;
mod server;
mod standalone;
pub mod tcp;
pub mod wire;

pub use self::{
    binding::{Binding, StunError},
    client::{Client, ClientOutput, MAX_TRANSACTIONS, Request},
    port::{Stun, StunConfig, StunStats},
    retransmission::Retransmission,
    server::{Answer, Arrival, Carrier, Place, Places, Server, ServerConfig, ServerStats},
    standalone::{ServeError, StunServer},
    wire::{Change, TransactionId},
};
