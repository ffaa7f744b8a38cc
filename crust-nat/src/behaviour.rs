//! How a NAT maps and filters, found out with one server that has two addresses and two ports (RFC 5780 §4.3, §4.4).
//!
//! [`discover`] does it over a UDP port that speaks STUN; [`Discovery`] is the machine in it, which knows of no socket.
//! A [`Behaviour`] has what was seen beside what follows from it: whoever has observations of several servers or peers
//! puts them together and asks [`Mapping::of`].
//!
//! What RFC 5780 does one after another happens at once here. The tests of mapping ask all four places of the server from
//! the port in question. Those of filtering need a port that has sent to none but the server's first address, so they have
//! a fresh one, and disturb nobody. A test whose answer should be kept off by the NAT counts only where a lost packet is no
//! likely reason for the silence: it is made ten times, and what should have answered answered others.
//!
//! ```no_run
//! # use crust_core::{rt, udp::UdpPort};
//! # use crust_nat::{behaviour, stun::{Stun, StunConfig}};
//! # async fn tell() -> Result<(), Box<dyn std::error::Error>> {
//! let (port, driver) = UdpPort::bind("0.0.0.0:0".parse()?)?;
//! let _driver = rt::spawn(driver.run());
//! let stun = Stun::new(&port, StunConfig::default())?;
//! let behaviour = behaviour::discover(&stun, "192.0.2.1:3478".parse()?).await?;
//! match (behaviour.mapping, behaviour.filtering) {
//!     (Some(mapping), Some(filtering)) => println!("mapping {mapping}, filtering {filtering}"),
//!     _ => println!("not all could be measured"),
//! }
//! # Ok(())
//! # }
//! ```

mod discovery;
mod driver;
mod filtering;
mod mapping;
mod observation;

pub use self::{
    discovery::{Behaviour, Discovery, DiscoveryOutput, FilterTests, Probe, ProbePort},
    driver::{DiscoverError, discover},
    filtering::Filtering,
    mapping::Mapping,
    observation::Observation,
};
