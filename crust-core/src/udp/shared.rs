//! What the handles of a port and its driver share.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use futures::task::AtomicWaker;

use super::{
    demux::{Delivered, Protocols},
    error::BindError,
    socket::Socket,
    waiters::Waiters,
};

/// The state of a port.
///
/// Whoever sends or receives holds the lock shared, for one system call that does not wait; rebinding, closing, and
/// sending with a TTL of its own or in fragments, hold it alone. So a socket that is replaced is closed at once, which frees its port for the next.
#[derive(Debug)]
pub(super) struct Shared {
    asked: SocketAddr,
    socket: RwLock<Socket>,
    generation: AtomicU64,
    pub(super) waiters: Waiters,
    /// The driver's task, while it waits.
    pub(super) receiver: AtomicWaker,
    pub(super) protocols: Arc<Protocols>,
    counters: Counters,
}

impl Shared {
    pub(super) fn bind(addr: SocketAddr) -> Result<Self, BindError> {
        let socket = Socket::bind(addr).map_err(|error| BindError::from_io(addr, error))?;
        Ok(Self {
            asked: addr,
            socket: RwLock::new(socket),
            generation: AtomicU64::new(0),
            waiters: Waiters::new(),
            receiver: AtomicWaker::new(),
            protocols: Arc::default(),
            counters: Counters::default(),
        })
    }

    pub(super) fn rebind(&self) -> Result<SocketAddr, BindError> {
        let any = SocketAddr::new(self.asked.ip(), 0);
        // Had before the old one is given up, so that there is a socket whatever happens to the port.
        let reserve = Socket::bind(with_port(self.asked, 0));
        let reserve = reserve.map_err(|error| BindError::from_io(any, error))?;
        let mut socket = self.socket_alone();
        if socket.is_closed() {
            let closed = io::ErrorKind::NotConnected.into();
            return Err(BindError::from_io(self.asked, closed));
        }
        let port = socket.local_addr().port();
        *socket = reserve;
        if let Ok(same) = Socket::bind(with_port(self.asked, port)) {
            *socket = same;
        }
        let local = socket.local_addr();
        self.generation.fetch_add(1, Ordering::Release);
        drop(socket);
        self.wake();
        Ok(local)
    }

    pub(super) fn close(&self) {
        self.socket_alone().close();
        self.wake();
    }

    /// The socket is another: whoever waits for the old one looks again.
    fn wake(&self) {
        self.waiters.waker().wake_by_ref();
        self.receiver.wake();
    }

    pub(super) fn socket(&self) -> RwLockReadGuard<'_, Socket> {
        self.socket.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn socket_alone(&self) -> RwLockWriteGuard<'_, Socket> {
        self.socket.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(super) fn stats(&self) -> UdpStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        UdpStats {
            receive_errors: read(&self.counters.receive_errors),
            received: read(&self.counters.received),
            sent: read(&self.counters.sent),
            unclaimed: read(&self.counters.unclaimed),
        }
    }

    pub(super) fn count(&self, delivered: &Delivered) {
        let counters = &self.counters;
        counters
            .received
            .fetch_add(delivered.received, Ordering::Relaxed);
        counters
            .unclaimed
            .fetch_add(delivered.unclaimed, Ordering::Relaxed);
    }

    pub(super) fn count_sent(&self, datagrams: u64) {
        self.counters.sent.fetch_add(datagrams, Ordering::Relaxed);
    }

    pub(super) fn count_error(&self) {
        self.counters.receive_errors.fetch_add(1, Ordering::Relaxed);
    }
}

/// What a port has seen since it was bound first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UdpStats {
    /// Receive calls that failed; the system reports there what became of earlier datagrams.
    pub receive_errors: u64,
    /// Datagrams received.
    pub received: u64,
    /// Those of them that no protocol claimed.
    pub unclaimed: u64,
    /// Datagrams that the system took to be sent.
    pub sent: u64,
}

#[derive(Debug, Default)]
struct Counters {
    receive_errors: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
    unclaimed: AtomicU64,
}

fn with_port(mut addr: SocketAddr, port: u16) -> SocketAddr {
    addr.set_port(port);
    addr
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Linux compares the option as it is when the second socket binds.
    #[cfg(target_os = "linux")]
    #[test]
    fn rebinding_takes_another_port_where_the_old_one_is_lost() {
        use socket2::{Domain, Socket as NewSocket, Type};

        let shared = Shared::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let old = shared.socket().local_addr();
        shared.socket().options().set_reuse_address(true).unwrap();
        let other = NewSocket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
        other.set_reuse_address(true).unwrap();
        other.bind(&old.into()).unwrap();
        let new = shared.rebind().unwrap();
        assert_eq!(new, shared.socket().local_addr());
        assert_eq!((new.ip(), shared.generation()), (old.ip(), 1));
        assert_ne!(new.port(), old.port());
    }

    /// Asking for an address of another host stands for an interface that is gone. Wine lets that be bound.
    #[cfg(unix)]
    #[test]
    fn failed_rebinding_keeps_the_socket() {
        let mut shared = Shared::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let old = shared.socket().local_addr();
        shared.asked = "192.0.2.1:0".parse().unwrap();
        let error = shared.rebind().unwrap_err();
        assert!(matches!(error, BindError::Io { .. }), "{error}");
        assert_eq!(
            (shared.socket().local_addr(), shared.generation()),
            (old, 0)
        );
    }
}
