//! A UDP port that speaks uTP.

use std::{
    fmt,
    future::poll_fn,
    hash::{BuildHasher, RandomState},
    io,
    net::SocketAddr,
    sync::{Arc, Weak},
};

use crust_core::{
    rt,
    udp::{BindError, Registration, UdpPort, UdpStats},
};

use crate::{
    config::Config, congestion::CongestionKind, connection::EndReason, endpoint::Endpoint,
    link::Link, stream::UtpStream,
};

/// A port for uTP: dials, and takes connections. Clones are the same one.
///
/// It is closed when it and all its streams are dropped, and what they wrote and ended has arrived.
#[derive(Debug, Clone)]
pub struct UtpSocket {
    owner: Arc<Owner>,
}

/// What keeps a port going.
pub(crate) struct Owner {
    pub(crate) endpoint: Arc<Endpoint>,
    _registration: Registration,
    tasks: [rt::Task<()>; 2],
}

impl UtpSocket {
    /// Binds `addr`; port 0 lets the system choose. `[::]` takes IPv4 too.
    ///
    /// # Errors
    ///
    /// [`BindError`], as it says.
    pub fn bind(addr: SocketAddr) -> Result<Self, BindError> {
        let (port, driver) = UdpPort::bind(addr)?;
        let now = rt::now();
        let seed = RandomState::new().hash_one(0);
        let endpoint = Arc::new(Endpoint::new(port.clone(), Config::default(), seed, now));
        let registration = port.register(endpoint.clone());
        let registration = registration.map_err(|error| BindError::Io {
            addr,
            source: io::Error::other(error),
        })?;
        let tasks = [
            rt::spawn(driver.run()),
            rt::spawn(endpoint.clone().run_timers()),
        ];
        let owner = Arc::new(Owner {
            endpoint,
            _registration: registration,
            tasks,
        });
        Ok(Self { owner })
    }

    /// Connects to `remote`.
    ///
    /// # Errors
    ///
    /// `AddrNotAvailable` where there are too many connections to `remote`, of which some ended less than 20 s ago;
    /// `ConnectionRefused` where nobody listens there, `TimedOut` where nobody answers within 12 s.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the dial up.
    pub async fn connect(&self, remote: SocketAddr) -> io::Result<UtpStream> {
        self.connect_with(remote, CongestionKind::default()).await
    }

    /// Connects to `remote`, with this congestion control for what is sent from here.
    ///
    /// # Errors
    ///
    /// Those of [`UtpSocket::connect`].
    ///
    /// # Cancel safety
    ///
    /// As that of [`UtpSocket::connect`].
    pub async fn connect_with(
        &self,
        remote: SocketAddr,
        congestion: CongestionKind,
    ) -> io::Result<UtpStream> {
        let link = self.owner.endpoint.dial(rt::now(), remote, congestion);
        // As a system says that has no port left to dial from.
        let link = link.ok_or(io::ErrorKind::AddrNotAvailable)?;
        self.connected(link).await
    }

    /// Connects to `remote`, which connects to here at the same time: both get one and the same connection.
    ///
    /// Both sides call it, each with the address at which it expects the other and with the same `rendezvous`, a number
    /// that they agreed upon and that no other connection between them has. Neither has to listen. That opens NATs on both
    /// sides: the first packets of one side are lost, and make way for those of the other. If the other side shows itself
    /// with that number at another port of its address, as behind a NAT that takes one for each destination, that is where
    /// it is; [`UtpStream::remote_addr`] tells.
    ///
    /// Of 65,536 numbers one is soon guessed: whoever can send from that address can be the other side. Prove who it is.
    ///
    /// # Errors
    ///
    /// `AddrInUse` where there is a connection with that number to `remote`, as where it dialed before and somebody here
    /// accepted it; `TimedOut` where nobody came within 12 s.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the dial up.
    pub async fn connect_simultaneously(
        &self,
        remote: SocketAddr,
        rendezvous: u16,
        congestion: CongestionKind,
    ) -> io::Result<UtpStream> {
        let link = self
            .owner
            .endpoint
            .meet(rt::now(), remote, rendezvous, congestion);
        let link = link.ok_or(io::ErrorKind::AddrInUse)?;
        self.connected(link).await
    }

    /// Takes the next connection that somebody else made.
    ///
    /// # Cancel safety
    ///
    /// Safe: no connection is lost.
    pub async fn accept(&self) -> (UtpStream, SocketAddr) {
        let link: Arc<Link> = self.owner.endpoint.accept().await;
        let remote = link.remote();
        (UtpStream::new(link, self.owner.clone()), remote)
    }

    async fn connected(&self, link: Arc<Link>) -> io::Result<UtpStream> {
        let stream = UtpStream::new(link.clone(), self.owner.clone());
        let connected = poll_fn(|cx| link.poll_connected(cx)).await;
        connected.map(|()| stream).map_err(dial_error)
    }

    pub(crate) const fn of(owner: Arc<Owner>) -> Self {
        Self { owner }
    }

    pub(crate) fn downgrade(&self) -> Weak<Owner> {
        Arc::downgrade(&self.owner)
    }

    /// Listens, if nobody does; gives whether that is so.
    pub(crate) fn try_listen(&self) -> bool {
        self.owner.endpoint.try_listen()
    }

    /// Takes no more connections; those that wait are cut.
    pub(crate) fn stop_listening(&self) {
        for link in self.owner.endpoint.stop_listening() {
            drop(UtpStream::new(link, self.owner.clone()));
        }
    }

    /// Takes connections from now on, though nobody waits in [`UtpSocket::accept`] yet; up to 1,024 then wait.
    pub fn listen(&self) {
        self.owner.endpoint.listen();
    }

    /// The UDP port, which other protocols may share: those whose datagrams uTP could take for its own register as the
    /// first ([`UdpPort::register_first`]). It is closed with this socket.
    pub fn port(&self) -> &UdpPort {
        self.owner.endpoint.port()
    }

    /// What the port has seen so far.
    pub fn stats(&self) -> UdpStats {
        self.owner.endpoint.port().stats()
    }

    /// The bound address.
    pub fn local_addr(&self) -> SocketAddr {
        self.owner.endpoint.port().local_addr()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.tasks.iter().for_each(rt::Task::cancel);
        // The tasks end a moment later; the address is free now.
        self.endpoint.port().close();
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owner")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

fn dial_error(reason: EndReason) -> io::Error {
    match reason {
        EndReason::Reset => io::ErrorKind::ConnectionRefused.into(),
        reason => reason.into(),
    }
}

impl From<EndReason> for io::Error {
    fn from(reason: EndReason) -> Self {
        match reason {
            EndReason::Aborted => io::ErrorKind::ConnectionAborted.into(),
            EndReason::Closed => io::ErrorKind::NotConnected.into(),
            EndReason::Reset => io::ErrorKind::ConnectionReset.into(),
            EndReason::TimedOut => io::ErrorKind::TimedOut.into(),
        }
    }
}
