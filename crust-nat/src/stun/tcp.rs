//! STUN over a connection, which is what RFC 8489 §6.2.2 says of TCP.
//!
//! The same messages, one after another; the connection sends again what was lost. Dial from the port that listens
//! ([`DialOpts::from`](crust_core::DialOpts::from)) to learn how others see that one:
//!
//! ```no_run
//! # use crust_core::{Addr, DialOpts, Transport};
//! # async fn ask(transport: &dyn Transport, listener: &Addr) -> Result<(), Box<dyn std::error::Error>> {
//! let server = "tcp://192.0.2.1:3478".parse()?;
//! let opts = DialOpts::default().with_from(listener.clone());
//! let mut connection = transport.dial(&server, &opts).await?;
//! let binding = crust_nat::stun::tcp::binding(&mut connection).await?;
//! println!("{server} sees this listener at {}", binding.observed_addr);
//! # Ok(())
//! # }
//! ```

use std::{io, net::SocketAddr, time::Duration};

use crust_core::{Connection, rt};
use futures::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use thiserror::Error;

use super::{
    binding::{self, Binding, StunError},
    client::Request,
    port::random_id,
    wire::{
        Change, Class, DecodeError, HEADER_LEN, MAX_LEN, Message, Method, TransactionId,
        message_len,
    },
};

/// Asks the server at the other end of `connection` at which address it sees this end. The connection is as good as
/// before after an answer, and can be asked again.
///
/// # Errors
///
/// [`StreamError`], as it says; [`StreamError::TimedOut`] after 39.5 s, the Ti of RFC 8489 §6.2.2: give it less time with
/// [`rt::timeout`].
///
/// # Cancel safety
///
/// Dropping the future may leave half a message on its way: the connection is of no further use.
pub async fn binding(connection: &mut Connection) -> Result<Binding, StreamError> {
    let server: SocketAddr = connection
        .remote_addr()
        .body()
        .parse()
        .map_err(|_| StreamError::NoSocketAddr)?;
    let asked = rt::timeout(TI, ask(connection, server)).await;
    asked.unwrap_or(Err(StreamError::TimedOut { server }))
}

/// Sends a request that is to be answered from elsewhere: by a connection that the server opens to this end's external address,
/// from where `change` says, whose first message is the answer. Gives the transaction that this speaks of.
///
/// RFC 5780 has no such thing for TCP. A server of this crate does it ([`StunServer`](super::StunServer)), one connection for each request; others
/// refuse on the same connection, or answer there.
///
/// # Errors
///
/// Those of the connection.
///
/// # Cancel safety
///
/// As that of [`binding`].
pub(crate) async fn send_request(
    connection: &mut Connection,
    change: Change,
) -> io::Result<TransactionId> {
    let id = random_id();
    let unused = SocketAddr::from(([0, 0, 0, 0], 0));
    let request = Request::new(unused).with_change(change).encode(id);
    connection.write_all(&request).await?;
    connection.flush().await?;
    Ok(id)
}

/// Waits until anything comes, or the connection ends.
pub(crate) async fn next_byte(connection: &mut Connection) {
    let _ = connection.read(&mut [0]).await;
}

/// Why a connection gave no binding.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The server answered, with what is of no use.
    #[error("the answer is of no use")]
    Answer(#[from] StunError),
    /// The connection ended or failed.
    #[error("the connection to {server} failed")]
    Io {
        /// Who was asked.
        server: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// What came is not STUN.
    #[error("{server} does not speak STUN")]
    NotStun {
        /// Who was asked.
        server: SocketAddr,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// The connection does not go to an IP address and port.
    #[error("the connection goes to no IP address")]
    NoSocketAddr,
    /// The server sent many messages, none of which was the answer.
    #[error("{server} sends everything but the answer")]
    Strays {
        /// Who was asked.
        server: SocketAddr,
    },
    /// No answer came.
    #[error("{server} did not answer")]
    TimedOut {
        /// Who was asked.
        server: SocketAddr,
    },
}

async fn ask(connection: &mut Connection, server: SocketAddr) -> Result<Binding, StreamError> {
    let io = |source| StreamError::Io { server, source };
    let id = random_id();
    let start = rt::now();
    let request = Request::new(server).encode(id);
    connection.write_all(&request).await.map_err(io)?;
    connection.flush().await.map_err(io)?;
    let mut buffer = Vec::new();
    for _ in 0..MAX_STRAYS {
        let read = read_message(connection, &mut buffer).await.map_err(io)?;
        let message = read.and_then(|()| Message::decode(&buffer));
        let message = message.map_err(|source| StreamError::NotStun { server, source })?;
        if is_answer(&message, id) {
            let rtt = rt::now().saturating_duration_since(start);
            return Ok(binding::read(server, server, &message, Some(rtt))?);
        }
    }
    Err(StreamError::Strays { server })
}

fn is_answer(message: &Message<'_>, id: TransactionId) -> bool {
    matches!(message.class(), Class::Success | Class::Error)
        && message.method() == Method::BINDING
        && message.transaction_id() == id
}

/// Reads the next message into `buffer`, which it alone is in then. Nothing is read beyond it.
pub(crate) async fn read_message(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
) -> io::Result<Result<(), DecodeError>> {
    buffer.clear();
    buffer.resize(HEADER_LEN, 0);
    stream.read_exact(buffer).await?;
    let len = match message_len(buffer) {
        Ok(len) if len <= MAX_LEN => len,
        Ok(_) => return Ok(Err(DecodeError::Long)),
        Err(error) => return Ok(Err(error)),
    };
    buffer.resize(len, 0);
    stream.read_exact(&mut buffer[HEADER_LEN..]).await.map(Ok)
}

/// The time for a transaction over a reliable transport, as RFC 8489 §6.2.2 has it.
const TI: Duration = Duration::from_millis(39_500);
/// Messages that are read for one answer. A server has nothing else to say, but for a late answer or two.
const MAX_STRAYS: u32 = 8;
