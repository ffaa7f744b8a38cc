//! The transport on trial, and where it listens.

use std::{fmt, sync::Arc, time::Duration};

use crate::{Addr, Connection, DialOpts, Listener, Transport, TransportError};

/// The transport on trial, and where it listens.
#[derive(Clone)]
pub struct Subject {
    transport: Arc<dyn Transport>,
    listen_addr: Arc<dyn Fn() -> Addr + Send + Sync>,
    limit: Duration,
}

impl Subject {
    /// A transport that picks a fresh address when it listens on `addr`, as with port 0.
    ///
    /// Name one interface (`tcp://127.0.0.1:0`), not all of them: the bound address must be one that can be dialed.
    ///
    /// # Panics
    ///
    /// When `addr` is no address; it is the caller's own constant.
    pub fn new<T: Transport>(transport: T, addr: &str) -> Self {
        let addr: Addr = addr.parse().expect("the suite is given an address");
        Self::with_addrs(transport, move || addr.clone())
    }

    /// A transport for which `fresh_addr` makes an address that nobody listens on, another one each time.
    pub fn with_addrs<T, F>(transport: T, fresh_addr: F) -> Self
    where
        T: Transport,
        F: Fn() -> Addr + Send + Sync + 'static,
    {
        Self {
            transport: Arc::new(transport),
            listen_addr: Arc::new(fresh_addr),
            limit: DEFAULT_LIMIT,
        }
    }

    /// Gives each law `limit` instead of 20 s.
    #[must_use]
    pub fn with_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The time each law has.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// The transport on trial.
    pub fn transport(&self) -> &Arc<dyn Transport> {
        &self.transport
    }

    /// Where to listen next.
    pub fn listen_addr(&self) -> Addr {
        (self.listen_addr)()
    }

    /// Listens on a fresh address.
    pub(super) async fn listen(&self) -> Result<Listener, TransportError> {
        self.transport.listen(&self.listen_addr()).await
    }

    /// Dials with default options.
    pub(super) async fn dial(&self, addr: &Addr) -> Result<Connection, TransportError> {
        self.transport.dial(addr, &DialOpts::default()).await
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject")
            .field("transport", &self.transport)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

/// No law takes a second on an idle machine; a busy one may be twenty times slower.
const DEFAULT_LIMIT: Duration = Duration::from_secs(20);
