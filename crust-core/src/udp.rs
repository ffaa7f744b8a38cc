//! One UDP port shared by several protocols.
//!
//! [`UdpPort::bind`] gives the port, which is cheap to clone and sends, and the [`UdpDriver`], which receives. Each
//! [`Protocol`] registered is asked in turn whether a datagram is its own; one that nobody claims is counted and
//! dropped. Both directions move many datagrams with one system call where the system can (GSO, GRO, `recvmmsg`), and
//! nothing is allocated for a datagram.
//!
//! ```
//! use std::{sync::Arc, time::{Duration, Instant}};
//!
//! use crust_core::{rt, udp::{Datagram, Protocol, Transmit, UdpPort}};
//!
//! /// Sends back what begins with its name.
//! #[derive(Debug)]
//! struct Echo(UdpPort);
//!
//! impl Protocol for Echo {
//!     fn claim(&self, datagram: &Datagram<'_>) -> bool {
//!         datagram.data.starts_with(b"echo")
//!     }
//!
//!     fn handle(&self, _: Instant, datagram: &Datagram<'_>) {
//!         // A full socket loses it, as the network might.
//!         let _ = self.0.try_send(&Transmit::new(datagram.from, datagram.data));
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (port, driver) = UdpPort::bind("127.0.0.1:0".parse()?)?;
//! let _driver = rt::spawn(driver.run());
//! let _echo = port.register(Arc::new(Echo(port.clone())))?;
//!
//! let client = std::net::UdpSocket::bind("127.0.0.1:0")?;
//! client.set_read_timeout(Some(Duration::from_secs(5)))?;
//! client.send_to(b"echo 1", port.local_addr())?;
//! let mut answer = [0; 6];
//! client.recv(&mut answer)?;
//! assert_eq!(&answer, b"echo 1");
//! # Ok(())
//! # }
//! ```

mod batch;
mod calls;
mod datagram;
mod demux;
mod driver;
mod error;
mod fragments;
mod gso;
mod port;
mod shared;
mod socket;
mod waiters;
mod writable;

pub use self::{
    datagram::{Datagram, Ecn, Transmit},
    demux::{Protocol, Registration},
    driver::UdpDriver,
    error::{BindError, RegisterError, SendError},
    port::UdpPort,
    shared::UdpStats,
    socket::BufferSizes,
    writable::Writable,
};
