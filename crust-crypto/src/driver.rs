//! Runs a handshake over a stream.

use std::io;

use futures::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::handshake::{Handshake, HandshakeError, Keyed};

/// Runs `handshake` over `stream`; gives the keys, and the bytes that came after its last.
///
/// It has no time-out of its own. An error leaves the stream to be dropped: the far end must see nothing but a close.
///
/// # Errors
///
/// Each variant of [`HandshakeError`], as it says.
///
/// # Cancel safety
///
/// Dropping the future ends the handshake; the stream is of no further use.
pub async fn handshake<S>(
    stream: &mut S,
    mut handshake: Handshake,
) -> Result<(Keyed, Vec<u8>), HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // On the heap, so that whoever goes on to use the channel in the same task does not keep it.
    let mut input = vec![0; READ_LEN];
    loop {
        while let Some(output) = handshake.poll_output() {
            stream.write_all(&output).await.map_err(io_error)?;
            stream.flush().await.map_err(io_error)?;
        }
        if let Some(keyed) = handshake.poll_keyed() {
            return Ok((keyed, Vec::new()));
        }
        let len = stream.read(&mut input).await.map_err(io_error)?;
        if len == 0 {
            return Err(HandshakeError::Closed);
        }
        let taken = handshake.handle_input(&input[..len])?;
        if taken < len {
            let keyed = handshake.poll_keyed().ok_or(HandshakeError::Rejected)?;
            return Ok((keyed, input[taken..len].to_vec()));
        }
    }
}

/// Room for the longest handshake message, salt and padding included (503 bytes).
const READ_LEN: usize = 512;

/// A listener that refuses us may reset the connection, for what it had not read yet.
fn io_error(error: io::Error) -> HandshakeError {
    match error.kind() {
        io::ErrorKind::BrokenPipe
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::UnexpectedEof => HandshakeError::Closed,
        _ => HandshakeError::Io(error),
    }
}
