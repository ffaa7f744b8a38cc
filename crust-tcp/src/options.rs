//! Socket options, and what each system needs so that a listener's port can be dialed from.
//!
//! A port is shared so: the listener binds *without* `SO_REUSEPORT`, so that the system refuses a port where somebody
//! listens, and gets the option once it listens; a dial sets it before it binds. The system compares the options as
//! they are when the second socket binds (measured on Linux 6.18; the BSD and macOS sources do the same), so dials may
//! join the port of a listener and a second listener made here may not. Only a program of the same user that sets
//! `SO_REUSEPORT` on purpose could still listen there.
//!
//! Windows has no `SO_REUSEPORT`, and its `SO_REUSEADDR` lets anybody take over the port of a socket that set it, so
//! neither side sets anything. What its documentation allows without any option is used: beside a socket bound to the
//! wildcard address, the same user may bind the same port of one specific address. A listener on a specific address
//! cannot be dialed from there; such a dial says that the address is in use.

use std::{io, net::SocketAddr, time::Duration};

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tracing::debug;

/// What is set on each connected stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StreamOptions {
    /// Idle time before the first keepalive probe; no probes without it.
    pub(crate) keepalive: Option<Duration>,
}

impl StreamOptions {
    /// Sets them; a connection works without them too, so that one refused is only logged.
    pub(crate) fn set_on<'s>(self, socket: impl Into<SockRef<'s>>) {
        let socket = socket.into();
        let nodelay = socket.set_tcp_nodelay(true);
        let keepalive = self.keepalive.map_or(Ok(()), |idle| {
            socket.set_tcp_keepalive(&keepalive_after(idle))
        });
        let unsent = keep_unsent_short(&socket);
        if let Err(error) = nodelay.and(keepalive).and(unsent) {
            debug!(%error, "socket option refused");
        }
    }
}

/// Lets the system take little more than it can send: what waits here can still be put in a better order, or be given
/// up, and what waits there cannot. Data that is on its way is not counted, so no rate suffers.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn keep_unsent_short(socket: &SockRef<'_>) -> io::Result<()> {
    socket.set_tcp_notsent_lowat(UNSENT_LOWAT)
}

/// Elsewhere the system's send buffer is the bound.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[expect(clippy::unnecessary_wraps, reason = "it can fail where there is one")]
fn keep_unsent_short(_: &SockRef<'_>) -> io::Result<()> {
    Ok(())
}

/// Bytes that wait in the system before it takes more.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT_LOWAT: u32 = 16 * 1024;

/// Whether an accepted socket has the options of its listener from the start, which spares each accept four calls.
pub(crate) const ACCEPTED_INHERIT: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// A socket that can be bound, or connected, to `addr`.
pub(crate) fn new_socket(addr: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Before a listener binds: lets it have a port on which only old connections remain.
///
/// That is how Windows treats any bind, and `SO_REUSEADDR` means something else there.
pub(crate) fn reclaim_port(socket: &Socket) -> io::Result<()> {
    if cfg!(unix) {
        socket.set_reuse_address(true)?;
    }
    Ok(())
}

/// Once a listener listens: lets dials join its port.
pub(crate) fn open_port_to_dials(socket: &Socket) {
    if let Err(error) = set_reuse_port(socket) {
        debug!(%error, "listener's port cannot be dialed from");
    }
}

/// Before a dial binds: lets it join the port of a listener.
pub(crate) fn join_port(socket: &Socket) -> io::Result<()> {
    reclaim_port(socket)?;
    set_reuse_port(socket)
}

#[cfg(all(
    unix,
    not(any(
        target_os = "solaris",
        target_os = "illumos",
        target_os = "cygwin",
        target_os = "nuttx"
    ))
))]
fn set_reuse_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(not(all(
    unix,
    not(any(
        target_os = "solaris",
        target_os = "illumos",
        target_os = "cygwin",
        target_os = "nuttx"
    ))
)))]
#[expect(clippy::unnecessary_wraps, reason = "it can fail where there is one")]
fn set_reuse_port(_: &Socket) -> io::Result<()> {
    Ok(())
}

fn keepalive_after(idle: Duration) -> TcpKeepalive {
    let idle = idle.clamp(MIN_KEEPALIVE, MAX_KEEPALIVE);
    let keepalive = TcpKeepalive::new().with_time(idle);
    with_interval(keepalive, PROBE_INTERVAL.min(idle))
}

#[cfg(not(any(target_os = "openbsd", target_os = "haiku", target_os = "solaris")))]
fn with_interval(keepalive: TcpKeepalive, interval: Duration) -> TcpKeepalive {
    keepalive.with_interval(interval)
}

#[cfg(any(target_os = "openbsd", target_os = "haiku", target_os = "solaris"))]
fn with_interval(keepalive: TcpKeepalive, _: Duration) -> TcpKeepalive {
    keepalive
}

/// The systems count in whole seconds and refuse 0.
const MIN_KEEPALIVE: Duration = Duration::from_secs(1);
/// Linux takes no more (`MAX_TCP_KEEPIDLE`).
const MAX_KEEPALIVE: Duration = Duration::from_secs(32_767);
/// Between unanswered probes; the systems give up after 8 to 10 of them, so in 80 to 100 s.
const PROBE_INTERVAL: Duration = Duration::from_secs(10);
