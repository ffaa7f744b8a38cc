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
    let mut rest = 0..0;
    loop {
        while let Some(output) = handshake.poll_output() {
            stream.write_all(&output).await.map_err(io_error)?;
            stream.flush().await.map_err(io_error)?;
        }
        if let Some(keyed) = handshake.poll_keyed() {
            return Ok((keyed, input[rest].to_vec()));
        }
        let len = stream.read(&mut input).await.map_err(io_error)?;
        if len == 0 {
            return Err(HandshakeError::Closed);
        }
        // Bytes are left only behind the last of the handshake.
        rest = handshake.handle_input(&input[..len])?..len;
    }
}

/// Room for the longest handshake message, salt and padding included (497 bytes).
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

#[cfg(test)]
mod tests {
    use std::{
        pin::Pin,
        task::{Context, Poll},
    };

    use crust_core::rt;
    use futures::io::Cursor;

    use super::*;
    use crate::handshake::tests::{fixed_dialer, fixed_listener, fixed_messages};

    /// A far end that says `input` and ends, whatever it is told.
    struct Recording {
        input: Cursor<Vec<u8>>,
        output: Vec<u8>,
    }

    impl AsyncRead for Recording {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.input).poll_read(cx, buf)
        }
    }

    impl AsyncWrite for Recording {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.output.extend_from_slice(buf);
            Poll::Ready(Ok(buf.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    type Outcome = Result<(Keyed, Vec<u8>), HandshakeError>;

    fn run(machine: Handshake, input: &[u8]) -> (Outcome, Vec<u8>) {
        let mut stream = Recording {
            input: Cursor::new(input.to_vec()),
            output: Vec::new(),
        };
        let outcome = rt::block_on(handshake(&mut stream, machine));
        (outcome, stream.output)
    }

    #[test]
    fn what_follows_the_handshake_is_given_back() {
        let [first, answer, proof] = fixed_messages();
        for more in [&b""[..], b"more"] {
            let said = [&first, &proof, more].concat();
            let (outcome, sent) = run(fixed_listener(), &said);
            assert_eq!((outcome.unwrap().1.as_slice(), &sent), (more, &answer));
            let (outcome, sent) = run(fixed_dialer(), &[&answer, more].concat());
            assert_eq!(outcome.unwrap().1, more);
            assert_eq!(sent, [first.as_slice(), &proof].concat());
        }
    }

    #[test]
    fn a_cut_anywhere_is_an_error() {
        let [first, answer, proof] = fixed_messages();
        let said = [first, proof].concat();
        for len in 0..said.len() {
            let (outcome, _) = run(fixed_listener(), &said[..len]);
            assert!(matches!(outcome, Err(HandshakeError::Closed)), "{len}");
        }
        for len in 0..answer.len() {
            let (outcome, _) = run(fixed_dialer(), &answer[..len]);
            assert!(matches!(outcome, Err(HandshakeError::Closed)), "{len}");
        }
    }

    #[test]
    fn the_longest_message_fits_one_read() {
        let salt_and_length = 24 + 2;
        let noise = 32 + 48 + crate::payload::PAYLOAD_LEN + 16;
        let overhead = crate::RECORD_OVERHEAD;
        assert!(salt_and_length + noise + 255 + overhead <= READ_LEN);
    }

    #[test]
    fn the_future_is_small() {
        let mut stream = Recording {
            input: Cursor::default(),
            output: Vec::new(),
        };
        let size = size_of_val(&handshake(&mut stream, fixed_listener()));
        assert!(size <= 1_024, "{size} bytes");
    }
}
