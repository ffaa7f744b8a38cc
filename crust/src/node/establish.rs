//! From a connection to a session: handshake, hellos, and which of two connections is kept.

use std::{sync::Arc, time::Instant};

use crust_core::{Addr, Connection, PeerId, Role, rt};

use crate::{
    clock,
    control::Channel,
    error::AttemptError,
    node::{
        contacts,
        inner::Inner,
        keyring::{Keyring, Opening, protocol, shake_hands},
        registry::Admission,
        room::{Entry, Living},
    },
    reason::{CloseCode, DisconnectReason},
    session::{
        assembly::Assembly,
        driver::Driver,
        liveness::Liveness,
        machines::Machines,
        outbox::Outbox,
        send_side::Order,
        shared::{self, Names, Shared},
    },
    wire::{
        contacts::ContactsMessage,
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
    pub(crate) living: Living,
}

/// Why it becomes nothing.
#[derive(Debug)]
pub(crate) enum EstablishError {
    Attempt(AttemptError),
    /// There is another session with the peer already, or just about to be.
    Duplicate(PeerId),
    /// It was a dial-back, and has served its purpose.
    #[cfg(feature = "nat")]
    DialedBack,
}

impl<E: Into<AttemptError>> From<E> for EstablishError {
    fn from(error: E) -> Self {
        Self::Attempt(error.into())
    }
}

/// Makes a session of `connection`; the session's task is the caller's to run.
///
/// # Cancel safety
///
/// Dropped before it returns, nothing is registered here; the peer sees the connection close.
pub(crate) async fn establish(
    inner: &Arc<Inner>,
    connection: Connection,
    opening: Opening,
) -> Result<Established, EstablishError> {
    let limit = inner.timeouts.handshake;
    let agreed = clock::timeout(limit, agree(inner, connection, opening)).await;
    let (keyring, shared, window, first, living) =
        agreed.ok_or(AttemptError::HandshakeTimeout { limit })??;
    let liveness = Liveness::new(inner.timeouts.lost, opening.role, keyring.rtt, rt::now());
    let assembly = Assembly::new(inner.limits.max_message, inner.window());
    let machines = Machines::new(Outbox::new(window), assembly, liveness);
    let driver = Driver::new(shared.clone(), keyring.into_link(), machines);
    Ok(Established {
        shared,
        driver: Box::new(driver),
        first,
        living,
    })
}

/// How a session with `peer` comes to be.
///
/// A peer that has a session finds room for another: which of the two stays is settled later.
fn entry(inner: &Inner, peer: &PeerId, opening: Opening) -> Entry {
    if opening.pinned || inner.registry.session(peer).is_some() {
        return Entry::Wanted;
    }
    match opening.role {
        Role::Dialer => Entry::Dialed,
        Role::Listener => Entry::Accepted,
    }
}

/// Looks for room for a session with the peer that has proven itself, or tells it that there is none.
async fn refuse_if_full(
    inner: &Inner,
    keyring: &mut Keyring,
    opening: Opening,
) -> Result<(), AttemptError> {
    if inner.room.has_room(entry(inner, &keyring.peer, opening)) {
        return Ok(());
    }
    if opening.role == Role::Listener && inner.refusals.take(rt::now()) {
        // Whoever is told of this node by everybody must not meet a dead end.
        let contacts = inner.exchange.handout(rt::now(), || contacts::known(inner));
        let contacts = Frame::Control {
            channel: Channel::Contacts as u8,
            data: &contacts,
        };
        keyring.send(&contacts).await?;
        keyring.refuse(CloseCode::Limit).await;
    }
    Err(AttemptError::Limit)
}

/// Takes the room that was there when the peer proved itself. It may be gone: others were faster.
async fn enter(
    inner: &Inner,
    keyring: &mut Keyring,
    opening: Opening,
) -> Result<Living, AttemptError> {
    if let Some(living) = inner.room.enter(entry(inner, &keyring.peer, opening)) {
        return Ok(living);
    }
    keyring.refuse(CloseCode::Limit).await;
    Err(AttemptError::Limit)
}

/// Everything that needs the other side. Gives the window that it opens, and the frames that came with its last word.
async fn agree(
    inner: &Inner,
    connection: Connection,
    opening: Opening,
) -> Result<(Keyring, Arc<Shared>, u64, Vec<u8>, Living), EstablishError> {
    let Met {
        mut keyring,
        ours,
        theirs,
        rest,
    } = meet(inner, connection, opening).await?;
    inner.on_told(keyring.peer, &theirs.addrs);
    let (local, remote) = (
        keyring.connection.local_addr(),
        keyring.connection.remote_addr(),
    );
    inner.on_seen(local, remote, &theirs.observed);
    let shared = share(inner, &keyring, opening, &ours, &theirs);
    let end = (theirs.ended, rest);
    let (first, living) = settle(inner, &mut keyring, &shared, end, opening).await?;
    Ok((keyring, shared, theirs.window, first, living))
}

/// Two nodes that have said who they are.
struct Met {
    keyring: Keyring,
    ours: Hello,
    theirs: Hello,
    /// The frames that came with their hello.
    rest: Vec<u8>,
}

/// Handshake and hellos.
async fn meet(
    inner: &Inner,
    connection: Connection,
    opening: Opening,
) -> Result<Met, EstablishError> {
    let mut keyring = shake_hands(inner, connection, opening).await?;
    if keyring.peer == inner.id {
        return Err(AttemptError::Oneself.into());
    }
    refuse_if_blocked(inner, &mut keyring).await?;
    refuse_if_full(inner, &mut keyring, opening).await?;
    let closing = inner.registry.session(&keyring.peer);
    if let Some(closing) = closing.filter(|session| session.is_closing()) {
        // The hello tells the peer that it has ended; until then the peer would take this connection for a duplicate.
        closing.ended().await;
    }
    let ours = inner.hello(&keyring.peer, keyring.connection.remote_addr());
    keyring
        .send(&Frame::Hello(&ours.encode().map_err(protocol)?))
        .await?;
    let mut record = keyring.record().await?;
    if let Some(Ok(Frame::Control { channel, data })) = Frames::new(&record).next()
        && channel == Channel::Contacts as u8
        && opening.role == Role::Dialer
    {
        if let ContactsMessage::Contacts(records) =
            ContactsMessage::decode(data).map_err(protocol)?
        {
            inner.on_contacts(keyring.peer, &records);
        }
        record = keyring.record().await?;
    }
    let mut frames = Frames::new(&record);
    let theirs = match frames.next() {
        Some(Ok(Frame::Hello(body))) => Hello::decode(body).map_err(protocol)?,
        Some(Ok(Frame::Close { code, text })) => return Err(ended(keyring.peer, code, text)),
        #[cfg(feature = "nat")]
        Some(Ok(Frame::Control { channel, data }))
            if channel == Channel::Reach as u8
                && opening.role == Role::Listener
                && inner.on_here(&keyring.peer, keyring.connection.remote_addr(), data) =>
        {
            return Err(EstablishError::DialedBack);
        }
        _ => return Err(protocol("the first frame is no hello").into()),
    };
    let rest = frames.rest().to_vec();
    Ok(Met {
        keyring,
        ours,
        theirs,
        rest,
    })
}

/// Settles that this connection carries the session, and takes room for it. `their_end`: which of our sessions the
/// peer knows to have ended, and the frames that came with its hello. Gives the frames that follow.
async fn settle(
    inner: &Inner,
    keyring: &mut Keyring,
    shared: &Arc<Shared>,
    their_end: (Option<u64>, Vec<u8>),
    opening: Opening,
) -> Result<(Vec<u8>, Living), EstablishError> {
    let (ended_there, rest) = their_end;
    if inner.registry.is_arbiter(&shared.peer) {
        refuse_if_blocked(inner, keyring).await?;
        let living = enter(inner, keyring, opening).await?;
        let decide = || inner.registry.decide(shared, ended_there);
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
        return Ok((rest, living));
    }
    // Until it is a session here too, the peer may count it as one: the next hello tells that it is not.
    let unconfirmed = Unconfirmed { inner, shared };
    let rest = if rest.is_empty() {
        keyring.record().await?
    } else {
        rest
    };
    let mut frames = Frames::new(&rest);
    match frames.next() {
        Some(Ok(Frame::Confirm)) => {}
        Some(Ok(Frame::Close { code, text })) => {
            // The peer has refused it, so it is no session there.
            std::mem::forget(unconfirmed);
            return Err(ended(shared.peer, code, text));
        }
        _ => return Err(protocol("the hello is not followed by a confirmation").into()),
    }
    let rest = frames.rest().to_vec();
    refuse_if_blocked(inner, keyring).await?;
    let living = enter(inner, keyring, opening).await?;
    admit(|| inner.registry.confirm(shared))
        .await
        .map_err(|_| AttemptError::Ended(DisconnectReason::Shutdown))?;
    std::mem::forget(unconfirmed);
    Ok((rest, living))
}

/// A block may have come while the peer's word was waited for.
async fn refuse_if_blocked(inner: &Inner, keyring: &mut Keyring) -> Result<(), AttemptError> {
    let remote = keyring.connection.remote_addr();
    if inner.is_blocked_peer(&keyring.peer) || inner.is_blocked_addr(remote) {
        keyring.refuse(CloseCode::Blocked).await;
        return Err(AttemptError::Blocked);
    }
    Ok(())
}

/// A connection that the arbiter may have confirmed, and that is no session here yet.
struct Unconfirmed<'a> {
    inner: &'a Inner,
    shared: &'a Shared,
}

impl Drop for Unconfirmed<'_> {
    fn drop(&mut self) {
        self.inner
            .registry
            .give_up(self.shared.peer, self.shared.names.connection);
    }
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
    old.ended().await;
}

fn share(
    inner: &Inner,
    keyring: &Keyring,
    opening: Opening,
    ours: &Hello,
    theirs: &Hello,
) -> Arc<Shared> {
    let identity = shared::Identity {
        peer: keyring.peer,
        role: opening.role,
        pinned: opening.pinned,
        local: keyring.connection.local_addr().clone(),
        remote: keyring.connection.remote_addr().clone(),
        cipher: keyring.cipher,
        names: Names {
            connection: ours.connection(theirs),
            instance: theirs.instance,
        },
        began_at: rt::now(),
    };
    let their_limit = usize::try_from(theirs.max_message).unwrap_or(usize::MAX);
    let limits = shared::Limits {
        max_message: inner.limits.max_message.min(their_limit),
        window: inner.window(),
        send_queue: inner.limits.send_queue as u64,
    };
    let ties = shared::Ties {
        hub: Arc::downgrade(&inner.hub),
        budget: inner.budget.clone(),
        switchboard: inner.switchboard.clone(),
    };
    Shared::new(identity, limits, ties)
}

/// What a close in place of a hello or a confirmation means.
fn ended(peer: PeerId, code: u8, text: &[u8]) -> EstablishError {
    if code == CloseCode::Duplicate as u8 {
        return EstablishError::Duplicate(peer);
    }
    match CloseCode::reason(code, text) {
        DisconnectReason::Limit => AttemptError::Full { peer }.into(),
        reason => AttemptError::Ended(reason).into(),
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
