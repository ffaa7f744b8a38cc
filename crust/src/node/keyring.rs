//! A connection after its handshake, before its session.

use std::{io, time::Duration};

use crust_core::{Connection, PeerId, Role, rt};
use crust_crypto::{
    Cipher, HEADER_LEN, Handshake, HandshakeError, Keyed, Opened, Opener, Sealer, TAG_LEN,
};
use futures::{AsyncReadExt, AsyncWriteExt};

use crate::{
    clock,
    error::AttemptError,
    node::inner::Inner,
    reason::{CloseCode, DisconnectReason},
    session::{
        buffers::{ReadBuffer, WriteBuffer},
        link::Link,
    },
    wire::frame::Frame,
};

/// A connection after its handshake.
pub(crate) struct Keyring {
    pub(crate) connection: Connection,
    pub(crate) sealer: Sealer,
    pub(crate) opener: Opener,
    /// What was read and not opened.
    pub(crate) read: Vec<u8>,
    pub(crate) peer: PeerId,
    pub(crate) cipher: Cipher,
    pub(crate) rtt: Duration,
    /// The handshake's last message, to go out with the hello.
    pub(crate) unsent: Vec<u8>,
}

/// How a connection came about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opening {
    pub(crate) role: Role,
    /// Who is to be on the other side, where that is known.
    pub(crate) expect: Option<PeerId>,
    /// The application asked for it.
    pub(crate) pinned: bool,
}

impl Opening {
    /// A peer dialed.
    pub(crate) const ACCEPTED: Self = Self {
        role: Role::Listener,
        expect: None,
        pinned: false,
    };
}

/// Runs the handshake, but for writing its last message.
pub(crate) async fn shake_hands(
    inner: &Inner,
    mut connection: Connection,
    opening: Opening,
) -> Result<Keyring, AttemptError> {
    let mut handshake = match opening.role {
        Role::Dialer => Handshake::dialer(&inner.keys, opening.expect),
        Role::Listener => Handshake::listener(&inner.keys),
    };
    let mut input = vec![0; READ_LEN];
    let mut asked_at = rt::now();
    let mut rtt = Duration::ZERO;
    let mut held = 0;
    loop {
        let unsent = handshake.poll_output();
        if let Some(keyed) = handshake.poll_keyed() {
            input.truncate(held);
            return Ok(Keyring::new(
                connection,
                keyed,
                input,
                rtt,
                unsent.unwrap_or_default(),
            ));
        }
        if let Some(output) = unsent {
            asked_at = rt::now();
            write(&mut connection, &output)
                .await
                .map_err(HandshakeError::Io)?;
        }
        let read = connection
            .read(&mut input[..])
            .await
            .map_err(HandshakeError::Io)?;
        if read == 0 {
            return Err(HandshakeError::Closed.into());
        }
        rtt = rt::now().saturating_duration_since(asked_at);
        let taken = handshake.handle_input(&input[..read])?;
        input.copy_within(taken..read, 0);
        held = read - taken;
    }
}

impl Keyring {
    fn new(
        connection: Connection,
        keyed: Keyed,
        read: Vec<u8>,
        rtt: Duration,
        unsent: Vec<u8>,
    ) -> Self {
        let Keyed {
            peer,
            sealer,
            opener,
            cipher,
            ..
        } = keyed;
        Self {
            connection,
            sealer,
            opener,
            read,
            peer,
            cipher,
            rtt,
            unsent,
        }
    }

    /// What the session's task goes on with.
    pub(crate) fn into_link(self) -> Link {
        Link {
            connection: self.connection,
            sealer: self.sealer,
            opener: self.opener,
            read: ReadBuffer::new(self.read),
            write: WriteBuffer::new(self.unsent),
            unflushed: false,
        }
    }

    /// Sends one frame in a record of its own, behind what was held back.
    pub(crate) async fn send(&mut self, frame: &Frame<'_>) -> Result<(), AttemptError> {
        let bytes = self.seal(frame);
        write(&mut self.connection, &bytes).await.map_err(lost)
    }

    /// A record with one frame, behind what was held back.
    pub(crate) fn seal(&mut self, frame: &Frame<'_>) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.unsent);
        let start = bytes.len();
        bytes.extend_from_slice(&[0; HEADER_LEN]);
        frame.put(&mut bytes);
        bytes.extend_from_slice(&[0; TAG_LEN]);
        self.sealer.seal(&mut bytes[start..]);
        bytes
    }

    /// Reads one record. What comes after it stays in `read`.
    pub(crate) async fn record(&mut self) -> Result<Vec<u8>, AttemptError> {
        loop {
            if let Some(record) = self.open()? {
                return Ok(record);
            }
            let held = self.read.len();
            self.read.resize(held + READ_LEN, 0);
            let read = self
                .connection
                .read(&mut self.read[held..])
                .await
                .map_err(lost)?;
            self.read.truncate(held + read);
            if read == 0 {
                return Err(lost(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// Opens the first record if all of it is there. One that claims to be longer than any here is not waited for.
    fn open(&mut self) -> Result<Option<Vec<u8>>, AttemptError> {
        let Some(header) = self.read.first_chunk() else {
            return Ok(None);
        };
        let broken = |_| protocol("a record is broken");
        let len = HEADER_LEN + self.opener.body_len(header).map_err(broken)?;
        if self.read.len() < len {
            return Ok(None);
        }
        let rest = self.read.split_off(len);
        let mut record = std::mem::replace(&mut self.read, rest);
        match self.opener.open(&mut record).map_err(broken)? {
            Opened::Data(plaintext) => Ok(Some(plaintext.to_vec())),
            Opened::Close => Err(lost(io::ErrorKind::UnexpectedEof.into())),
        }
    }

    /// Says no, as far as one attempt goes.
    pub(crate) async fn refuse(&mut self, code: CloseCode) {
        let mut unread = [0; 64];
        let said = async {
            self.send(&Frame::Close {
                code: code as u8,
                text: b"",
            })
            .await?;
            self.connection.close().await.map_err(lost)?;
            // What is not read when a socket closes makes it reset the connection, and the refusal would be lost.
            while self.connection.read(&mut unread[..]).await.map_err(lost)? > 0 {}
            Ok::<_, AttemptError>(())
        };
        let _ = clock::timeout(REFUSAL_TIMEOUT, said).await;
    }
}

async fn write(connection: &mut Connection, bytes: &[u8]) -> io::Result<()> {
    connection.write_all(bytes).await?;
    connection.flush().await
}

pub(crate) fn lost(error: io::Error) -> AttemptError {
    AttemptError::Ended(DisconnectReason::Lost { kind: error.kind() })
}

pub(crate) fn protocol(detail: impl ToString) -> AttemptError {
    AttemptError::Protocol {
        detail: detail.to_string(),
    }
}

/// Room for the longest handshake message; most hellos fit too.
const READ_LEN: usize = 512;
/// A refusal is a courtesy.
const REFUSAL_TIMEOUT: Duration = Duration::from_millis(500);
