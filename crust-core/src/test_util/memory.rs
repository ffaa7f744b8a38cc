//! A transport inside one process: what is written at one end is read at the other.

mod pipe;

use std::{
    collections::{BTreeMap, VecDeque},
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use async_trait::async_trait;

use self::pipe::Duplex;
use crate::{Addr, Connection, DialOpts, Incoming, Listener, Transport, TransportError};

/// A transport inside one process, scheme `memory`.
///
/// Clones share one registry of listeners; each [`MemoryTransport::new`] has its own, so tests that run at the same
/// time do not meet. `memory://name` listens under that name, `memory://0` under a fresh one that
/// [`Listener::local_addr`] tells, and a dialer without [`DialOpts::from`] gets a fresh one too.
///
/// Each direction holds at most [`MemoryTransport::CAPACITY`] bytes, and writes wait where it is full. At most
/// [`MemoryTransport::BACKLOG`] connections wait to be accepted, and further dials wait for room. Dropping an end
/// without closing it loses what the far end had not read yet, and resets the far end: the unkindest a transport may
/// be, so that whoever passes with this one relies on nothing more.
#[derive(Debug, Clone, Default)]
pub struct MemoryTransport {
    hub: Arc<Mutex<Hub>>,
}

impl MemoryTransport {
    /// Bytes that one direction of a connection holds: what a kernel gives a socket, roughly.
    pub const CAPACITY: usize = 64 * 1024;

    /// Connections that wait to be accepted, as in `listen(2)`.
    pub const BACKLOG: usize = 128;

    /// A transport with a registry of its own.
    pub fn new() -> Self {
        Self::default()
    }

    fn local_addr(&self, opts: &DialOpts) -> Result<Addr, TransportError> {
        match &opts.from {
            Some(from) => check_scheme(from).map(|()| from.clone()),
            None => Ok(lock(&self.hub).fresh_addr()),
        }
    }

    fn queue_of(&self, addr: &Addr) -> Result<Arc<Mutex<Queue>>, TransportError> {
        let queue = lock(&self.hub).queues.get(addr).cloned();
        queue.ok_or_else(|| TransportError::Refused { addr: addr.clone() })
    }
}

#[async_trait]
impl Transport for MemoryTransport {
    fn schemes(&self) -> &[&'static str] {
        &[SCHEME]
    }

    async fn dial(&self, addr: &Addr, opts: &DialOpts) -> Result<Connection, TransportError> {
        check_scheme(addr)?;
        let local = self.local_addr(opts)?;
        let mut waiting = Waiting {
            queue: self.queue_of(addr)?,
            ticket: None,
        };
        poll_fn(|cx| waiting.poll_dial(cx, &local, addr)).await
    }

    async fn listen(&self, addr: &Addr) -> Result<Listener, TransportError> {
        check_scheme(addr)?;
        let queue = Arc::default();
        let local = lock(&self.hub).bind(addr, &queue)?;
        let bound = Bound {
            hub: self.hub.clone(),
            local: local.clone(),
            queue,
        };
        Ok(Listener::from_accept(local, bound, |bound| async {
            let connection = poll_fn(|cx| with(&bound.queue, |queue| queue.poll_pop(cx))).await;
            (bound, Ok(Incoming::ready(connection)))
        }))
    }
}

/// Who listens where.
#[derive(Debug, Default)]
struct Hub {
    queues: BTreeMap<Addr, Arc<Mutex<Queue>>>,
    last_name: u64,
}

impl Hub {
    fn bind(&mut self, addr: &Addr, queue: &Arc<Mutex<Queue>>) -> Result<Addr, TransportError> {
        let local = if addr.body() == ANY_NAME {
            self.fresh_addr()
        } else {
            addr.clone()
        };
        if self.queues.contains_key(&local) {
            return Err(TransportError::InUse { addr: local });
        }
        self.queues.insert(local.clone(), queue.clone());
        Ok(local)
    }

    fn fresh_addr(&mut self) -> Addr {
        loop {
            self.last_name += 1;
            let addr: Addr = format!("{SCHEME}://{}", self.last_name)
                .parse()
                .expect("a number is the body of an address");
            if !self.queues.contains_key(&addr) {
                return addr;
            }
        }
    }
}

/// The name taken by one listener, freed when it is dropped.
struct Bound {
    hub: Arc<Mutex<Hub>>,
    local: Addr,
    queue: Arc<Mutex<Queue>>,
}

impl Drop for Bound {
    fn drop(&mut self) {
        lock(&self.hub).queues.remove(&self.local);
        drop(with(&self.queue, Queue::close));
    }
}

/// The connections that one listener has not accepted yet, and the dials that wait for room among them.
#[derive(Debug, Default)]
struct Queue {
    closed: bool,
    unaccepted: VecDeque<Connection>,
    acceptor: Option<Waker>,
    dialers: BTreeMap<u64, Waker>,
    last_ticket: u64,
    /// To be woken once the lock is released.
    woken: Vec<Waker>,
    /// To be dropped then.
    stale: Option<Waker>,
}

impl Queue {
    fn poll_pop(&mut self, cx: &mut Context<'_>) -> Poll<Connection> {
        let Some(connection) = self.unaccepted.pop_front() else {
            self.stale = self.acceptor.replace(cx.waker().clone());
            return Poll::Pending;
        };
        self.wake_dialers();
        Poll::Ready(connection)
    }

    fn push(&mut self, connection: Connection) {
        self.unaccepted.push_back(connection);
        self.woken.extend(self.acceptor.take());
    }

    fn close(&mut self) -> VecDeque<Connection> {
        self.closed = true;
        self.wake_dialers();
        std::mem::take(&mut self.unaccepted)
    }

    /// All of them: the first may be dropped before it runs, and each looks for room itself.
    fn wake_dialers(&mut self) {
        let dialers = std::mem::take(&mut self.dialers);
        self.woken.extend(dialers.into_values());
    }

    fn next_ticket(&mut self) -> u64 {
        self.last_ticket += 1;
        self.last_ticket
    }
}

/// A dial that may have to wait for room; leaves the queue when dropped.
struct Waiting {
    queue: Arc<Mutex<Queue>>,
    ticket: Option<u64>,
}

impl Waiting {
    fn poll_dial(
        &mut self,
        cx: &mut Context<'_>,
        local: &Addr,
        remote: &Addr,
    ) -> Poll<Result<Connection, TransportError>> {
        let Self { queue, ticket } = self;
        with(queue, |queue| {
            if queue.closed {
                let addr = remote.clone();
                return Poll::Ready(Err(TransportError::Refused { addr }));
            }
            if queue.unaccepted.len() >= MemoryTransport::BACKLOG {
                let ticket = *ticket.get_or_insert_with(|| queue.next_ticket());
                queue.stale = queue.dialers.insert(ticket, cx.waker().clone());
                return Poll::Pending;
            }
            let (near, far) = Duplex::pair(MemoryTransport::CAPACITY);
            queue.push(Connection::new(far, remote.clone(), local.clone()));
            Poll::Ready(Ok(Connection::new(near, local.clone(), remote.clone())))
        })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            let _waker = with(&self.queue, |queue| queue.dialers.remove(&ticket));
        }
    }
}

fn check_scheme(addr: &Addr) -> Result<(), TransportError> {
    if addr.scheme() == SCHEME {
        return Ok(());
    }
    Err(TransportError::Unsupported { addr: addr.clone() })
}

/// Changes the queue, and wakes whom that concerns once the lock is released.
fn with<T>(queue: &Mutex<Queue>, change: impl FnOnce(&mut Queue) -> T) -> T {
    let mut locked = lock(queue);
    let output = change(&mut locked);
    let (woken, stale) = (std::mem::take(&mut locked.woken), locked.stale.take());
    drop(locked);
    woken.into_iter().for_each(Waker::wake);
    drop(stale);
    output
}

/// No holder of these locks panics, and what they guard is whole after each line.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const SCHEME: &str = "memory";

/// Stands for a fresh name, as port 0 stands for a fresh port.
const ANY_NAME: &str = "0";

#[cfg(test)]
mod tests {
    use futures::{AsyncReadExt, FutureExt, StreamExt, poll};

    use super::*;
    use crate::rt::block_on;

    crate::transport_conformance!(crate::conformance::transport::Subject::new(
        MemoryTransport::new(),
        "memory://0"
    ));

    #[test]
    fn instances_do_not_meet_and_clones_do() {
        let here = MemoryTransport::new();
        let addr: Addr = "memory://a".parse().unwrap();
        block_on(async {
            let _listener = here.listen(&addr).await.unwrap();
            let opts = DialOpts::default();
            assert!(here.clone().dial(&addr, &opts).await.is_ok());
            let elsewhere = MemoryTransport::new().dial(&addr, &opts).await;
            assert!(matches!(elsewhere, Err(TransportError::Refused { .. })));
        });
    }

    #[test]
    fn dial_from_a_name_comes_from_it() {
        let transport = MemoryTransport::new();
        let subject = crate::conformance::transport::Subject::new(transport, "memory://0");
        let law = crate::conformance::transport::dial_from_a_listener_comes_from_its_address;
        crate::conformance::check("dial_from", subject.limit(), law(&subject));
    }

    #[test]
    fn full_backlog_makes_dials_wait_for_an_accept() {
        let transport = MemoryTransport::new();
        block_on(async {
            let (mut listener, addr, _held) = full(&transport).await;
            let opts = DialOpts::default();
            let mut late = transport.dial(&addr, &opts);
            assert!(poll!(&mut late).is_pending());
            assert!(listener.next().await.unwrap().is_ok());
            late.await.unwrap();
        });
    }

    #[test]
    fn cancelled_dial_leaves_the_queue() {
        let transport = MemoryTransport::new();
        block_on(async {
            let (_listener, addr, _held) = full(&transport).await;
            let queue = transport.queue_of(&addr).unwrap();
            let opts = DialOpts::default();
            let mut late = transport.dial(&addr, &opts);
            assert!(poll!(&mut late).is_pending());
            assert_eq!(lock(&queue).dialers.len(), 1);
            drop(late);
            assert_eq!(lock(&queue).dialers.len(), 0);
            assert_eq!(lock(&queue).unaccepted.len(), MemoryTransport::BACKLOG);
        });
    }

    #[test]
    fn dropped_listener_refuses_waiting_dials_and_resets_unaccepted_ones() {
        let transport = MemoryTransport::new();
        block_on(async {
            let (listener, addr, mut held) = full(&transport).await;
            let opts = DialOpts::default();
            let mut late = transport.dial(&addr, &opts);
            assert!(poll!(&mut late).is_pending());
            drop(listener);
            assert!(matches!(
                late.now_or_never(),
                Some(Err(TransportError::Refused { .. }))
            ));
            let read = held[0].read(&mut [0; 1]).await;
            assert!(read.is_err(), "{read:?}");
        });
    }

    async fn full(transport: &MemoryTransport) -> (Listener, Addr, Vec<Connection>) {
        let any: Addr = "memory://0".parse().unwrap();
        let listener = transport.listen(&any).await.unwrap();
        let addr = listener.local_addr().clone();
        let mut held = Vec::new();
        for _ in 0..MemoryTransport::BACKLOG {
            held.push(transport.dial(&addr, &DialOpts::default()).await.unwrap());
        }
        (listener, addr, held)
    }
}
