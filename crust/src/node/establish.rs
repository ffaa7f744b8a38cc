//! From a connection to a session: handshake, hellos, and which of two connections is kept.

use std::{
    future::poll_fn,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use crust_core::{Addr, Connection, PeerId, Role, rt};
use crust_crypto::{
    Cipher, HEADER_LEN, Handshake, HandshakeError, Keyed, Opened, Opener, Sealer, TAG_LEN,
};
use futures::{AsyncReadExt, AsyncWriteExt};

use crate::{
    clock,
    error::AttemptError,
    node::{inner::Inner, registry::Admission},
    reason::{CloseCode, DisconnectReason},
    session::{
        assembly::Assembly,
        buffers::{ReadBuffer, WriteBuffer},
        driver::{Driver, Link},
        liveness::Liveness,
        outbox::Outbox,
        shared::{self, Names, Order, Shared},
    },
    wire::{
        frame::{Frame, Frames},
        hello::Hello,
    },
};

/// What a connection becomes.
#[derive(Debug)]
pub(crate) struct Established {
    pub(crate) shared: Arc<Shared>,
    pub(crate) driver: Box<Driver>,
    /// Frames that came with the last record.
    pub(crate) first: Vec<u8>,
}

/// Why it becomes nothing.
#[derive(Debug)]
pub(crate) enum EstablishError {
    Attempt(AttemptError),
    /// There is another session with the peer already, or just about to be.
    Duplicate(PeerId),
}

impl<E: Into<AttemptError>> From<E> for EstablishError {
    fn from(error: E) -> Self {
        Self::Attempt(error.into())
    }
}

/// A connection after its handshake.
struct Keyring {
    connection: Connection,
    sealer: Sealer,
    opener: Opener,
    /// What was read and not opened.
    read: Vec<u8>,
    peer: PeerId,
    cipher: Cipher,
    rtt: Duration,
    /// The handshake's last message, to go out with the hello.
    unsent: Vec<u8>,
}

/// Makes a session of `connection`; the session's task is the caller's to run.
///
/// # Cancel safety
///
/// Dropped before it returns, nothing is registered here; the peer sees the connection close.
pub(crate) async fn establish(
    inner: &Arc<Inner>,
    connection: Connection,
    role: Role,
    expect: Option<PeerId>,
) -> Result<Established, EstablishError> {
    let limit = inner.timeouts.handshake;
    let agreed = clock::timeout(limit, agree(inner, connection, role, expect)).await;
    let (keyring, shared, window, first) =
        agreed.ok_or(AttemptError::HandshakeTimeout { limit })??;
    let liveness = Liveness::new(inner.timeouts.lost, role, keyring.rtt, rt::now());
    let assembly = Assembly::new(inner.limits.max_message, inner.window());
    let driver = Driver::new(
        shared.clone(),
        keyring.into_link(),
        Outbox::new(window),
        assembly,
        liveness,
    );
    Ok(Established {
        shared,
        driver: Box::new(driver),
        first,
    })
}

/// Everything that needs the other side. Gives the window that it opens, and the frames that came with its last word.
async fn agree(
    inner: &Inner,
    connection: Connection,
    role: Role,
    expect: Option<PeerId>,
) -> Result<(Keyring, Arc<Shared>, u64, Vec<u8>), EstablishError> {
    let (mut keyring, ours, theirs, rest) = meet(inner, connection, role, expect).await?;
    inner.learn(keyring.peer, &theirs.addrs);
    let shared = Arc::new(share(inner, &keyring, role, &ours, &theirs));
    let first = settle(inner, &mut keyring, &shared, &theirs, rest).await?;
    Ok((keyring, shared, theirs.window, first))
}

/// Handshake and hellos.
async fn meet(
    inner: &Inner,
    connection: Connection,
    role: Role,
    expect: Option<PeerId>,
) -> Result<(Keyring, Hello, Hello, Vec<u8>), EstablishError> {
    let mut keyring = shake_hands(inner, connection, role, expect).await?;
    if keyring.peer == inner.id {
        return Err(AttemptError::Oneself.into());
    }
    if inner.is_blocked_peer(&keyring.peer) {
        keyring.refuse(CloseCode::Blocked).await;
        return Err(AttemptError::Blocked.into());
    }
    let closing = inner.registry.session(&keyring.peer);
    if let Some(closing) = closing.filter(|session| session.is_closing()) {
        // The hello tells the peer that it has ended; until then the peer would take this connection for a duplicate.
        poll_fn(|cx| closing.poll_ended(cx)).await;
    }
    let ours = inner.hello(&keyring.peer, keyring.connection.remote_addr());
    keyring
        .send(&Frame::Hello(&ours.encode().map_err(protocol)?))
        .await?;
    let record = keyring.record().await?;
    let mut frames = Frames::new(&record);
    let theirs = match frames.next() {
        Some(Ok(Frame::Hello(body))) => Hello::decode(body).map_err(protocol)?,
        Some(Ok(Frame::Close { code, text })) => return Err(ended(keyring.peer, code, text)),
        _ => return Err(protocol("the first frame is no hello").into()),
    };
    let rest = frames.rest().to_vec();
    Ok((keyring, ours, theirs, rest))
}

/// Settles that this connection carries the session. Gives the frames that follow.
async fn settle(
    inner: &Inner,
    keyring: &mut Keyring,
    shared: &Arc<Shared>,
    theirs: &Hello,
    rest: Vec<u8>,
) -> Result<Vec<u8>, EstablishError> {
    if inner.registry.is_arbiter(&shared.peer) {
        let decide = || inner.registry.decide(shared, theirs.ended);
        match admit(decide).await {
            Ok(()) => {}
            Err(code) => {
                keyring.refuse(code.clone()).await;
                return Err(match code {
                    CloseCode::Duplicate => EstablishError::Duplicate(shared.peer),
                    _ => AttemptError::Ended(DisconnectReason::Shutdown).into(),
                });
            }
        }
        // The session is registered, so nothing may be awaited from here on; its task sends the confirmation first.
        keyring.unsent = keyring.seal(&Frame::Confirm);
        return Ok(rest);
    }
    let rest = if rest.is_empty() {
        keyring.record().await?
    } else {
        rest
    };
    let mut frames = Frames::new(&rest);
    match frames.next() {
        Some(Ok(Frame::Confirm)) => {}
        Some(Ok(Frame::Close { code, text })) => return Err(ended(shared.peer, code, text)),
        _ => return Err(protocol("the hello is not followed by a confirmation").into()),
    }
    let rest = frames.rest().to_vec();
    admit(|| inner.registry.confirm(shared))
        .await
        .map_err(|_| AttemptError::Ended(DisconnectReason::Shutdown))?;
    Ok(rest)
}

/// Asks until there is an answer; a session that gives way is waited for.
async fn admit(decide: impl Fn() -> Admission) -> Result<(), CloseCode> {
    loop {
        match decide() {
            Admission::Admitted => return Ok(()),
            Admission::Closed => return Err(CloseCode::Shutdown),
            Admission::Duplicate => return Err(CloseCode::Duplicate),
            Admission::Supersede(old, order) => give_way(&old, order).await,
        }
    }
}

async fn give_way(old: &Arc<Shared>, order: Order) {
    old.order(order);
    poll_fn(|cx| old.poll_ended(cx)).await;
}

/// Runs the handshake, but for writing its last message.
async fn shake_hands(
    inner: &Inner,
    mut connection: Connection,
    role: Role,
    expect: Option<PeerId>,
) -> Result<Keyring, EstablishError> {
    let mut handshake = match role {
        Role::Dialer => Handshake::dialer(&inner.keys, expect),
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
    fn into_link(self) -> Link {
        Link {
            connection: self.connection,
            sealer: self.sealer,
            opener: self.opener,
            read: ReadBuffer::new(self.read),
            write: WriteBuffer::new(self.unsent),
            unflushed: false,
            broken: false,
        }
    }

    /// Sends one frame in a record of its own, behind what was held back.
    async fn send(&mut self, frame: &Frame<'_>) -> Result<(), AttemptError> {
        let bytes = self.seal(frame);
        write(&mut self.connection, &bytes).await.map_err(lost)
    }

    /// A record with one frame, behind what was held back.
    fn seal(&mut self, frame: &Frame<'_>) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.unsent);
        let start = bytes.len();
        bytes.extend_from_slice(&[0; HEADER_LEN]);
        frame.put(&mut bytes);
        bytes.extend_from_slice(&[0; TAG_LEN]);
        self.sealer.seal(&mut bytes[start..]);
        bytes
    }

    /// Reads one record. What comes after it stays in `read`.
    async fn record(&mut self) -> Result<Vec<u8>, AttemptError> {
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
    async fn refuse(&mut self, code: CloseCode) {
        let said = async {
            self.send(&Frame::Close {
                code: code as u8,
                text: b"",
            })
            .await?;
            self.connection.close().await.map_err(lost)
        };
        let _ = clock::timeout(REFUSAL_TIMEOUT, said).await;
    }
}

fn share(inner: &Inner, keyring: &Keyring, role: Role, ours: &Hello, theirs: &Hello) -> Shared {
    let identity = shared::Identity {
        peer: keyring.peer,
        role,
        local: keyring.connection.local_addr().clone(),
        remote: keyring.connection.remote_addr().clone(),
        cipher: keyring.cipher,
        names: Names {
            connection: ours.connection(theirs),
            instance: theirs.instance,
        },
    };
    let their_limit = usize::try_from(theirs.max_message).unwrap_or(usize::MAX);
    let limits = shared::Limits {
        max_message: inner.limits.max_message.min(their_limit),
        window: inner.window(),
        send_queue: inner.limits.send_queue as u64,
    };
    Shared::new(identity, limits, Arc::downgrade(&inner.hub))
}

async fn write(connection: &mut Connection, bytes: &[u8]) -> io::Result<()> {
    connection.write_all(bytes).await?;
    connection.flush().await
}

/// What a close in place of a hello or a confirmation means.
fn ended(peer: PeerId, code: u8, text: &[u8]) -> EstablishError {
    if code == CloseCode::Duplicate as u8 {
        return EstablishError::Duplicate(peer);
    }
    AttemptError::Ended(CloseCode::reason(code, text)).into()
}

fn lost(error: io::Error) -> AttemptError {
    AttemptError::Ended(DisconnectReason::Lost { kind: error.kind() })
}

fn protocol(detail: impl ToString) -> AttemptError {
    AttemptError::Protocol {
        detail: detail.to_string(),
    }
}

/// The address and time of an attempt are its caller's to add.
pub(crate) fn attempt(addr: &Addr, started_at: Instant, error: AttemptError) -> crate::Attempt {
    let elapsed = rt::now().saturating_duration_since(started_at);
    crate::Attempt {
        addr: addr.clone(),
        elapsed,
        error,
    }
}

/// Room for the longest handshake message; most hellos fit too.
const READ_LEN: usize = 512;
/// A refusal is a courtesy.
const REFUSAL_TIMEOUT: Duration = Duration::from_millis(200);
