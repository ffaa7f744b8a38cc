//! uTP: reliable streams over one UDP port, as BEP 29 describes them.
//!
//! uTP is the transport of BitTorrent: ordered byte streams whose packets are UDP datagrams. Many streams share one port,
//! and so one mapping on a gateway; and a stream can give way to other traffic.
//!
//! ```
//! use crust_core::rt;
//! use crust_utp::UtpSocket;
//! use futures::{AsyncReadExt, AsyncWriteExt, future::join};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # rt::block_on(async {
//! let there = UtpSocket::bind("127.0.0.1:0".parse()?)?;
//! there.listen();
//! let here = UtpSocket::bind("127.0.0.1:0".parse()?)?;
//! let (dialed, (mut accepted, _)) = join(here.connect(there.local_addr()), there.accept()).await;
//! let mut dialed = dialed?;
//!
//! let mut text = String::new();
//! let write = async {
//!     dialed.write_all(b"hello").await?;
//!     dialed.close().await // returns when all of it has arrived
//! };
//! let (written, read) = join(write, accepted.read_to_string(&mut text)).await;
//! written?;
//! read?;
//! assert_eq!(text, "hello");
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! [`UtpTransport`] is the same as a [`Transport`](crust_core::Transport), for addresses `utp://192.0.2.7:5483`.
//!
//! # What it does
//!
//! - All of BEP 29: SYNs sent again, selective acknowledgement both ways, FIN and half-close, RESET, zero-window probes,
//!   keepalive, delayed acknowledgements. Packets are found lost by what was sent after them (RFC 8985, RFC 9002), with a tail
//!   probe, and the time-out of RFC 6298 with BEP 29's floor of half a second.
//! - Congestion control chosen by connection, [`CongestionKind`]: CUBIC (RFC 9438, HyStart++) for conversations, which does
//!   not take every loss for congestion; LEDBAT (RFC 6817, with the remedies of LEDBAT++) for transfers that should not be
//!   noticed. Both are paced.
//! - The longest datagram that the path takes is found by probes that cost nothing when they are lost (RFC 8899).
//! - Two sides that dial each other at one moment get one connection, [`UtpSocket::connect_simultaneously`]: what hole punching
//!   needs.
//! - A SYN costs 64 bytes in a bounded table until whoever sent it has shown that the address is its own. RESETs are no longer
//!   than what they answer, 100 a second at most.
//!
//! # What it does not do yet
//!
//! Packets that are too long for a path that has become narrower go in fragments on Linux and Android alone, and over IPv4
//! alone are fragments of the right length made on the way; elsewhere such a connection ends. ECN marks are not set.
//!
//! # With other implementations
//!
//! Tests move files to and from libtorrent and librqbit-utp, over paths that lose packets too, and Wireshark's dissector reads what
//! is sent. Two things to know: a stream is accepted when the side that dialed has sent something, as in BEP 29, and others than
//! this one send nothing until their application does, so it must speak first. And neither of the two goes on with a stream that
//! one side has ended; half-close is for Crust on both sides.
//!
//! # How it is built
//!
//! The protocol is a machine without socket, clock or task: packets and the time go in, packets and the time to wake up come
//! out. So it runs on a simulated network in virtual time, thousands of seeds of loss, reordering and delay in seconds, and a
//! failing seed replays exactly. A thin driver joins it to the UDP port of [`crust_core::udp`], which it shares with other
//! protocols.

mod acks;
mod batch;
mod clock;
mod config;
mod congestion;
mod connection;
mod endpoint;
mod flight;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzz;
mod half_open;
mod link;
mod mtu;
mod pacing;
mod reassembly;
mod rng;
mod rtt;
mod send_buffer;
mod sender;
mod seq_nr;
#[cfg(test)]
mod sim;
mod socket;
mod stream;
mod transport;
mod wire;

pub use self::{
    congestion::CongestionKind, socket::UtpSocket, stream::UtpStream, transport::UtpTransport,
};
