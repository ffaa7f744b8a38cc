//! STUN on a UDP port that other protocols share.

mod timer;

use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use crust_core::{
    rt,
    udp::{Datagram, Protocol, RegisterError, Registration, SendError, Transmit, UdpPort},
};
use futures::channel::oneshot;
use ring::rand::{SecureRandom, SystemRandom};

use self::timer::Timer;
use super::{
    binding::{Binding, StunError},
    client::{Client, ClientOutput, Request},
    retransmission::Retransmission,
    server::{Arrival, Carrier, Place, Server, ServerConfig, ServerStats},
    wire::{Class, Message, TransactionId, looks_like_stun},
};

/// STUN on one UDP port: asks servers, and answers whoever asks. Clones are the same one; with the last it leaves the port.
///
/// It is asked before the protocols that are there already, for an answer of STUN may look like a packet of uTP; it takes
/// what is its own and nothing else.
#[derive(Debug, Clone)]
pub struct Stun {
    owner: Arc<Owner>,
}

/// How a port speaks STUN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StunConfig {
    /// How much it answers; with its defaults by default, `None` for nothing at all.
    pub server: Option<ServerConfig>,
    /// When requests are sent again; [`Retransmission::STANDARD`] by default.
    pub retransmission: Retransmission,
}

impl StunConfig {
    /// Answers so much.
    #[must_use]
    pub const fn with_server(mut self, server: Option<ServerConfig>) -> Self {
        self.server = server;
        self
    }

    /// Sets when requests are sent again.
    #[must_use]
    pub const fn with_retransmission(mut self, retransmission: Retransmission) -> Self {
        self.retransmission = retransmission;
        self
    }
}

impl Default for StunConfig {
    fn default() -> Self {
        Self {
            server: Some(ServerConfig::default()),
            retransmission: Retransmission::STANDARD,
        }
    }
}

/// What the STUN of a port has seen so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StunStats {
    /// Datagrams that looked like STUN and were none.
    pub malformed: u64,
    /// What it did as a server.
    pub server: ServerStats,
    /// Answers that belonged to no request, or came from whom they should not.
    pub strays: u64,
}

impl Stun {
    /// Has `port`, whose driver somebody runs, speak STUN too.
    ///
    /// # Errors
    ///
    /// [`RegisterError`], as it says.
    pub fn new(port: &UdpPort, config: StunConfig) -> Result<Self, RegisterError> {
        let now = rt::now();
        let shared = Arc::new(Shared {
            port: port.clone(),
            state: Mutex::new(State {
                client: Client::new(),
                server: config.server.map(|server| Server::new(server, now)),
                waiting: BTreeMap::new(),
                malformed: 0,
            }),
            timer: Timer::default(),
        });
        let registration = port.register_first(shared.clone())?;
        let timers = rt::spawn(run_timers(shared.clone()));
        let owner = Arc::new(Owner {
            shared,
            retransmission: config.retransmission,
            _registration: registration,
            _timers: timers,
        });
        Ok(Self { owner })
    }

    /// Asks `server` at which address it sees this port.
    ///
    /// # Errors
    ///
    /// [`StunError`], as it says; [`StunError::TimedOut`] after the time of [`StunConfig::retransmission`], 39.5 s by
    /// default.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the request up.
    pub async fn binding(&self, server: SocketAddr) -> Result<Binding, StunError> {
        let request = Request::new(server).with_retransmission(self.owner.retransmission);
        self.request(request).await
    }

    /// Asks what `request` says.
    ///
    /// # Errors
    ///
    /// Those of [`Stun::binding`], after the time of `request`.
    ///
    /// # Cancel safety
    ///
    /// As that of [`Stun::binding`].
    pub async fn request(&self, request: Request) -> Result<Binding, StunError> {
        let shared = &self.owner.shared;
        let (sender, receiver) = oneshot::channel();
        let asking = shared.ask(rt::now(), request, sender)?;
        shared.act();
        shared.timer.wake();
        let result = receiver.await;
        drop(asking);
        result.expect("whoever takes the sender sends with it")
    }

    /// The port's bound address.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.owner.shared.port.local_addr()
    }

    /// What it has seen so far.
    #[must_use]
    pub fn stats(&self) -> StunStats {
        let state = self.owner.shared.lock();
        StunStats {
            malformed: state.malformed,
            server: state.server.as_ref().map(Server::stats).unwrap_or_default(),
            strays: state.client.strays(),
        }
    }
}

/// What keeps it going.
struct Owner {
    shared: Arc<Shared>,
    retransmission: Retransmission,
    _registration: Registration,
    _timers: rt::Task<()>,
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.shared, f)
    }
}

/// What the port's task and those who ask share.
#[derive(Debug)]
struct Shared {
    port: UdpPort,
    state: Mutex<State>,
    timer: Timer,
}

#[derive(Debug)]
struct State {
    client: Client,
    server: Option<Server>,
    /// Who waits for the client's answers: as many as it has transactions.
    waiting: BTreeMap<TransactionId, Sender>,
    malformed: u64,
}

type Sender = oneshot::Sender<Result<Binding, StunError>>;

impl Shared {
    fn ask(&self, now: Instant, request: Request, sender: Sender) -> Result<Asking<'_>, StunError> {
        let id = random_id();
        let mut state = self.lock();
        state.client.request(now, id, request)?;
        state.waiting.insert(id, sender);
        drop(state);
        Ok(Asking { shared: self, id })
    }

    /// Does what the client wants done.
    fn act(&self) {
        loop {
            // A statement of its own, so that the lock is free before anything is done.
            let output = self.lock().client.poll_output();
            match output {
                Some(ClientOutput::Finished { id, result }) => self.finish(id, result),
                Some(ClientOutput::Transmit {
                    id,
                    number,
                    to,
                    data,
                }) => {
                    let sent = self.port.try_send(&Transmit::new(to, &data));
                    if let Err(error) = sent {
                        self.on_unsent(id, number, to, error);
                    }
                }
                None => return,
            }
        }
    }

    /// One that cannot even be sent the first time ends. A full socket, and what happens later, is a loss as others are.
    fn on_unsent(&self, id: TransactionId, number: u32, server: SocketAddr, source: SendError) {
        tracing::debug!(%server, error = %source, "STUN request not sent");
        if number == 1 && !matches!(source, SendError::Full { .. }) {
            self.lock().client.cancel(id);
            self.finish(id, Err(StunError::Send { server, source }));
        }
    }

    /// Tells who waits, if somebody still does.
    fn finish(&self, id: TransactionId, result: Result<Binding, StunError>) {
        let sender = self.lock().waiting.remove(&id);
        if let Some(sender) = sender {
            let _ = sender.send(result);
        }
    }

    fn on_request(&self, now: Instant, datagram: &Datagram<'_>, message: &Message<'_>) {
        let arrival = Arrival {
            from: datagram.from,
            at: Place::PRIMARY,
            carrier: Carrier::Datagram,
        };
        let mut state = self.lock();
        let server = state.server.as_mut();
        let answer = server.and_then(|server| server.handle_message(now, arrival, message));
        drop(state);
        if let Some(answer) = answer {
            let mut transmit = Transmit::new(answer.to, &answer.data);
            transmit.from = datagram.to;
            // A full socket loses it, as the network might.
            let _ = self.port.try_send(&transmit);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Protocol for Shared {
    fn claim(&self, datagram: &Datagram<'_>) -> bool {
        looks_like_stun(datagram.data)
    }

    fn handle(&self, now: Instant, datagram: &Datagram<'_>) {
        let message = match Message::decode(datagram.data) {
            Ok(message) => message,
            Err(error) => {
                self.lock().malformed += 1;
                tracing::trace!(from = %datagram.from, %error, "STUN message refused");
                return;
            }
        };
        if message.class() == Class::Request {
            return self.on_request(now, datagram, &message);
        }
        self.lock()
            .client
            .handle_message(now, datagram.from, &message);
        self.act();
    }
}

/// A request that is given up when nobody waits any more.
struct Asking<'a> {
    shared: &'a Shared,
    id: TransactionId,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.client.cancel(self.id);
        let sender = state.waiting.remove(&self.id);
        drop(state);
        drop(sender);
    }
}

async fn run_timers(shared: Arc<Shared>) {
    loop {
        let next = || shared.lock().client.poll_timeout();
        shared.timer.wait(next).await;
        shared.lock().client.handle_timeout(rt::now());
        shared.act();
    }
}

/// # Panics
///
/// Where the system has no random bytes, as `std`'s hash maps do.
pub(super) fn random_id() -> TransactionId {
    let mut bytes = [0; 12];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.expect("the system gives random bytes");
    TransactionId::new(bytes)
}
