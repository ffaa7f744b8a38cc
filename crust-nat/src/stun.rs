//! STUN: at which address others see this host (RFC 8489), client and server.
//!
//! [`Stun`] speaks it on a UDP port that other protocols share, and is both at once: so the nodes of a network ask each other,
//! and need no server of anybody else.
//!
//! ```
//! use crust_core::{rt, udp::UdpPort};
//! use crust_nat::stun::{Stun, StunConfig};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (port, driver) = UdpPort::bind("127.0.0.1:0".parse()?)?;
//! let _driver = rt::spawn(driver.run());
//! let here = Stun::new(&port, StunConfig::default())?;
//!
//! let (port, driver) = UdpPort::bind("127.0.0.1:0".parse()?)?;
//! let _driver = rt::spawn(driver.run());
//! let there = Stun::new(&port, StunConfig::default())?;
//!
//! let binding = rt::block_on(here.binding(there.local_addr()))?;
//! assert_eq!(binding.observed_addr, here.local_addr()); // no NAT between them
//! # Ok(())
//! # }
//! ```
//!
//! - [`tcp`] asks over a connection, which may come from the port that listens.
//! - [`StunServer`] is a server of its own. With two addresses it answers from the other one where it is asked to, and so
//!   serves [behaviour discovery](crate::behaviour) (RFC 5780).
//! - [`Client`] and [`Server`] are the machines of all this, without socket, clock or randomness; [`wire`] is the messages.
//!
//! # Whom to believe
//!
//! Anybody can send an answer. One is taken that has the 96 random bits of a request in it, which whoever got the request
//! knows, and comes from whom was asked; where the request asked for an answer from elsewhere, the source is told instead.
//! What a server says is its word alone: two that do not know each other should agree before it is relied upon.
//!
//! As a server it gives no more than it gets: an answer is longer than its request by the address alone, goes to one host,
//! and there are so many in a second to one network and in all. Credentials are neither asked for nor sent: the address of
//! the asker is no secret from the asker. The codec has both kinds of MESSAGE-INTEGRITY for others who need them.
//!
//! # What it does not do
//!
//! Clients of RFC 3489 get no answer, for their requests have no mark by which a shared port could know them. Servers are
//! addresses, not names: there is no DNS discovery (RFC 8489 §8), no TLS, and an answer that names another server
//! (ALTERNATE-SERVER) is an error. Long answers for path measurements (PADDING of RFC 5780) are refused.

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
