//! TCP as a Crust transport: dual stack, port reuse for hole punching, on Linux, macOS and Windows.
//!
//! [`TcpTransport`] dials and listens on addresses `tcp://IP:PORT` and `tcp://NAME:PORT`. Hand it to a node of the
//! `crust` crate as a value, or use it alone: what it gives are ordered byte streams of `futures`' traits, the same
//! under each runtime.
//!
//! ```
//! use crust_core::{Addr, DialOpts, Transport};
//! use crust_tcp::TcpTransport;
//! use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # crust_core::rt::block_on(async {
//! let tcp = TcpTransport::new();
//! let mut listener = tcp.listen(&"tcp://127.0.0.1:0".parse()?).await?;
//!
//! let mut dialed = tcp.dial(listener.local_addr(), &DialOpts::default()).await?;
//! dialed.write_all(b"hello").await?;
//! dialed.close().await?;
//!
//! let incoming = listener.next().await.expect("a listener never ends")?;
//! println!("{} dialed us", incoming.remote_addr());
//! let mut text = String::new();
//! incoming.accept().await?.read_to_string(&mut text).await?;
//! assert_eq!(text, "hello");
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! # Listening
//!
//! Port 0 lets the system choose; [`Listener::local_addr`](crust_core::Listener::local_addr) tells what. `tcp://[::]:0`
//! takes IPv6 and IPv4 alike, and IPv4 alone where the host has no IPv6; a remote that came over IPv4 is shown as such,
//! not as `[::ffff:192.0.2.7]`. [`listen_live`](crust_core::listen_live) tries a port known beforehand and goes to a random one where that is
//! busy. A port where somebody listens is [`InUse`](crust_core::TransportError::InUse), always; one on which only old
//! connections remain is not.
//!
//! An error in accepting is one item of the stream, and the next poll goes on. What is dropped unaccepted has cost one
//! system call and its close.
//!
//! # Dialing
//!
//! A name's addresses are raced as RFC 8305 says: families alternate, each attempt has 250 ms before the next starts,
//! the first success ends the others. When all fail the error is the most telling of theirs. Dropping the dial closes
//! all that was half open; only the system's resolver, on its own thread, ends unheard.
//!
//! # Dialing from the listener's port
//!
//! [`DialOpts::from`](crust_core::DialOpts::from) with the listener's address makes the far end see the port that a NAT
//! already maps, and lets two nodes behind NATs open to each other at the same moment: their SYN packets cross, and TCP
//! joins them into one connection (RFC 9293 §3.5). Where one SYN arrives before the other leaves, the listener takes it
//! and the later dial fails with an [`Io`](crust_core::TransportError::Io) error, *address not available*; so whoever
//! punches waits for both, the dial and the listener.
//!
//! | | many dials from a listener's port | a second listener on it |
//! |---|---|---|
//! | Linux, Android, macOS, BSD | yes | refused |
//! | Windows, listener on a wildcard address | yes, by its documentation | refused |
//! | Windows, listener on a specific address | [`InUse`](crust_core::TransportError::InUse) | refused |

mod accept;
mod dial;
mod failure;
mod listen;
mod options;
mod race;
mod stream;
mod transport;

pub use self::transport::TcpTransport;
