//! TCP as a transport.

use std::time::Duration;

use crust_core::{
    Addr, Connection, DialOpts, HostPort, Listener, Transport, TransportError, async_trait,
};

use crate::{
    dial::Dial,
    listen::{self, ListenOptions},
    options::StreamOptions,
};

/// TCP over IPv4 and IPv6, for addresses `tcp://IP:PORT` and `tcp://NAME:PORT`.
#[derive(Debug, Clone)]
pub struct TcpTransport {
    backlog: u16,
    keepalive: Option<Duration>,
}

impl TcpTransport {
    /// One with the defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            backlog: DEFAULT_BACKLOG,
            keepalive: Some(DEFAULT_KEEPALIVE),
        }
    }

    /// How many dialers may wait to be accepted on each listener; 4,096 by default.
    ///
    /// The system lowers it to its own limit (`net.core.somaxconn` on Linux).
    #[must_use]
    pub const fn with_backlog(mut self, backlog: u16) -> Self {
        self.backlog = backlog;
        self
    }

    /// After which silence the system asks whether the far end is still there; 30 s by default, `None` for never.
    ///
    /// In whole seconds from 1 to 32,767. A dead end is noticed about 100 s after that; it keeps NAT mappings open and
    /// frees what would otherwise stay for ever, and is not meant to notice losses fast.
    #[must_use]
    pub const fn with_keepalive(mut self, idle: Option<Duration>) -> Self {
        self.keepalive = idle;
        self
    }

    const fn stream_options(&self) -> StreamOptions {
        StreamOptions {
            keepalive: self.keepalive,
        }
    }
}

impl Default for TcpTransport {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Transport for TcpTransport {
    fn schemes(&self) -> &[&'static str] {
        &[SCHEME]
    }

    async fn dial(&self, addr: &Addr, opts: &DialOpts) -> Result<Connection, TransportError> {
        let target = HostPort::parse_remote(SCHEME, addr)?;
        let dial = Dial::new(addr, opts, self.stream_options())?;
        dial.any_of(target.resolve(addr).await?).await
    }

    async fn listen(&self, addr: &Addr) -> Result<Listener, TransportError> {
        let candidates = HostPort::parse(SCHEME, addr)?.resolve(addr).await?;
        let options = ListenOptions {
            backlog: self.backlog,
            stream: self.stream_options(),
        };
        listen::first_of(candidates, addr, options)
    }
}

/// The one scheme of this transport.
pub(crate) const SCHEME: &str = "tcp";
/// More than any system's own limit by default, which then decides; a burst of dialers must not meet a full queue.
const DEFAULT_BACKLOG: u16 = 4096;
/// Home routers forget a TCP mapping after minutes at worst (RFC 5382 §5 asks for 2 h 4 min); one packet in 30 s is cheap.
const DEFAULT_KEEPALIVE: Duration = Duration::from_secs(30);
