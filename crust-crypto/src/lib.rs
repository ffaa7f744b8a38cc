//! Identity and the encrypted, masked channel of Crust.
//!
//! An [`Identity`] is an Ed25519 key pair in a file; its public half, the `PeerId`, is the node's name. A [`Channel`]
//! is an encrypted stream over any other stream, to a peer that has proven its name. To anyone without the
//! [`NetworkKey`] every byte of it, from the first, looks random, and a listener answers nobody who lacks that key.
//!
//! ```
//! use std::net::{TcpListener, TcpStream};
//!
//! use async_io::Async;
//! use crust_crypto::{Channel, Identity, Keys, NetworkKey};
//! use futures::{AsyncReadExt, AsyncWriteExt, future::try_join};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let alice = Keys::new(&Identity::generate(), NetworkKey::from_name("example"));
//! let bob = Keys::new(&Identity::generate(), NetworkKey::from_name("example"));
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let dialed = Async::new(TcpStream::connect(listener.local_addr()?)?)?;
//! let accepted = Async::new(listener.accept()?.0)?;
//!
//! async_io::block_on(async {
//!     let (mut near, mut far) = try_join(
//!         Channel::dial(dialed, &alice, Some(bob.peer_id())),
//!         Channel::accept(accepted, &bob),
//!     )
//!     .await?;
//!     assert_eq!(far.peer_id(), alice.peer_id());
//!
//!     near.write_all(b"hello").await?;
//!     near.close().await?;
//!     let mut heard = String::new();
//!     far.read_to_string(&mut heard).await?;
//!     assert_eq!(heard, "hello");
//!     Ok(())
//! })
//! # }
//! ```
//!
//! Those who lay out their own buffers use what is below it: [`Handshake`] is the handshake without I/O,
//! [`handshake()`] runs it over a stream, and [`Sealer`] and [`Opener`] work on records in place, without allocating.
//! Datagrams, such as those of the beacon on a LAN, are sealed by a [`NetworkSealer`].
//!
//! Secrets are wiped from memory when they are dropped, but for what ring and snow keep inside their types. What is on
//! the wire, byte by byte, is in `docs/protocol.md` of the repository; vectors are in `tests/vectors` of this crate.

mod channel;
mod cipher;
mod datagram;
mod driver;
mod epoch;
mod handshake;
mod identity;
mod identity_file;
mod kdf;
mod keys;
mod mask;
mod network_key;
mod noise;
mod payload;
mod pkcs8;
mod random;
mod record;
mod replay;
mod resolver;
#[cfg(test)]
mod vectors;

pub use self::{
    channel::Channel,
    cipher::Cipher,
    datagram::NetworkSealer,
    driver::handshake,
    epoch::{HEADER_LEN, MAX_PLAINTEXT, RECORD_OVERHEAD, TAG_LEN},
    handshake::{Handshake, HandshakeError, Keyed},
    identity::{Ed25519Verifier, Identity},
    identity_file::IdentityError,
    keys::Keys,
    network_key::NetworkKey,
    record::{Opened, Opener, RecordError, Sealer},
};
