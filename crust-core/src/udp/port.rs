//! The port as its protocols and its owner see it.

use std::{fmt, io, net::SocketAddr, sync::Arc};

use super::{
    datagram::Transmit,
    demux::{MAX_PROTOCOLS, Protocol, Registration, Turn},
    driver::UdpDriver,
    error::{BindError, RegisterError, SendError},
    shared::{Shared, UdpStats},
    socket::BufferSizes,
    writable::Writable,
};

/// A bound UDP port that several protocols share. Clones are the same port.
///
/// Datagrams are never fragmented where the system can promise it, but for those of [`UdpPort::try_send_in_fragments`].
/// The address is free once the port is closed, or all clones, [`Writable`]s and its [`UdpDriver`] are dropped.
#[derive(Clone)]
pub struct UdpPort {
    shared: Arc<Shared>,
}

impl UdpPort {
    /// Binds `addr`, where port 0 lets the system choose; nothing is received before the driver runs.
    ///
    /// `[::]` takes IPv4 too, and is IPv4 alone on a host without IPv6.
    ///
    /// # Errors
    ///
    /// [`BindError::InUse`] where another socket has the address, and [`BindError::Io`].
    pub fn bind(addr: SocketAddr) -> Result<(Self, UdpDriver), BindError> {
        let shared = Arc::new(Shared::bind(addr)?);
        let driver = UdpDriver::new(shared.clone());
        Ok((Self { shared }, driver))
    }

    /// Replaces the socket by a new one, as is due when the network has changed.
    ///
    /// It has the same IP address and port, or another port where the old one cannot be had again; gives its address.
    /// What was on the way through the old socket is lost. Who waits to send goes on with the new one; protocols are
    /// not told, and see [`UdpPort::generation`] change.
    ///
    /// # Errors
    ///
    /// [`BindError`] where the IP address is gone; the old socket stays then. A closed port stays closed.
    pub fn rebind(&self) -> Result<SocketAddr, BindError> {
        self.shared.rebind()
    }

    /// Closes the port: its address is free when this returns, whoever still has clones; some microseconds later where
    /// another thread has the system look at the socket just then.
    ///
    /// Nothing is sent or received any more: that fails with `NotConnected`, and the driver ends.
    pub fn close(&self) {
        self.shared.close();
    }

    /// Has `protocol` asked about each datagram that none of those registered before it claims.
    ///
    /// # Errors
    ///
    /// [`RegisterError::Full`] beyond 8 protocols.
    pub fn register(&self, protocol: Arc<dyn Protocol>) -> Result<Registration, RegisterError> {
        self.register_at(Turn::Last, protocol)
    }

    /// Has `protocol` asked about each datagram before all those registered so far: one whose mark is stricter than theirs.
    ///
    /// A STUN answer could be a packet of uTP, and no packet of uTP is likely to have STUN's 32 bits of magic.
    ///
    /// # Errors
    ///
    /// As [`UdpPort::register`].
    pub fn register_first(
        &self,
        protocol: Arc<dyn Protocol>,
    ) -> Result<Registration, RegisterError> {
        self.register_at(Turn::First, protocol)
    }

    fn register_at(
        &self,
        turn: Turn,
        protocol: Arc<dyn Protocol>,
    ) -> Result<Registration, RegisterError> {
        let added = self.shared.protocols.add(protocol, turn);
        added.ok_or_else(|| RegisterError::Full {
            addr: self.local_addr(),
            limit: MAX_PROTOCOLS,
        })
    }

    /// Sends as many datagrams of `transmit` as there is room for at this moment, and gives the bytes of data sent.
    ///
    /// Less than all of them are whole segments from the beginning; the rest was not sent, and the next call tells why.
    ///
    /// # Errors
    ///
    /// Each variant of [`SendError`], about the first datagram; none was sent then.
    pub fn try_send(&self, transmit: &Transmit<'_>) -> Result<usize, SendError> {
        let sent = self.shared.socket().send(transmit);
        let sent = sent.map_err(|error| SendError::from_io(transmit.to, error))?;
        let len = transmit.segment_size.unwrap_or(sent).max(1);
        self.shared.count_sent(sent.div_ceil(len).max(1) as u64);
        Ok(sent)
    }

    /// Sends one datagram that `ttl` routers forward at most. Those that others send at the same time have the usual
    /// one.
    ///
    /// They wait for it, so it is for the few datagrams of a hole punch.
    ///
    /// # Errors
    ///
    /// Those of [`UdpPort::try_send`], and [`SendError::Io`] for a `ttl` of 0 where the system refuses it.
    pub fn try_send_with_ttl(&self, to: SocketAddr, data: &[u8], ttl: u8) -> Result<(), SendError> {
        let transmit = Transmit::new(to, data);
        let sent = self.shared.socket_alone().send_with_ttl(&transmit, ttl);
        self.after_one(to, sent)
    }

    /// Sends one datagram that may be taken apart on its way: by routers where it is IPv4, and here, to what the system
    /// knows of the path. Those that others send at the same time may not.
    ///
    /// They wait for it, so it is for what was cut into datagrams before the path became narrower, and cannot be cut
    /// again. On other systems than Linux and Android it is sent whole, as all others.
    ///
    /// # Errors
    ///
    /// Those of [`UdpPort::try_send`].
    pub fn try_send_in_fragments(&self, to: SocketAddr, data: &[u8]) -> Result<(), SendError> {
        let sent = self
            .shared
            .socket_alone()
            .send_in_fragments(&Transmit::new(to, data));
        self.after_one(to, sent)
    }

    /// Sends all of `transmit`, waiting for room where there is none.
    ///
    /// # Errors
    ///
    /// Those of [`UdpPort::try_send`] but [`SendError::Full`], about the first datagram that failed; those before it
    /// were sent.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future sends no more; some whole datagrams may have been sent.
    pub async fn send(&self, transmit: &Transmit<'_>) -> Result<(), SendError> {
        let (to, mut rest) = (transmit.to, *transmit);
        loop {
            match self.try_send(&rest) {
                Ok(sent) if sent == rest.data.len() => return Ok(()),
                Ok(sent) => rest.data = &rest.data[sent..],
                Err(SendError::Full { .. }) => {
                    let ready = self.writable().await;
                    ready.map_err(|source| SendError::Io { to, source })?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until there may be room to send after [`SendError::Full`], or the port was rebound.
    pub fn writable(&self) -> Writable {
        Writable::new(self.shared.clone())
    }

    /// The bound address.
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.socket().local_addr()
    }

    /// How often the port was rebound.
    pub fn generation(&self) -> u64 {
        self.shared.generation()
    }

    /// How many datagrams the system takes with one call; 1 where it cannot cut them itself.
    ///
    /// More are sent with several calls. Falls to 1 where the network's driver turns out not to be able to.
    pub fn max_gso_segments(&self) -> usize {
        self.shared.socket().max_gso_segments()
    }

    /// The socket buffers that the system gave; several MiB were asked for.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn buffer_sizes(&self) -> io::Result<BufferSizes> {
        self.shared.socket().buffer_sizes()
    }

    /// What the port has seen so far.
    pub fn stats(&self) -> UdpStats {
        self.shared.stats()
    }

    fn after_one(&self, to: SocketAddr, sent: io::Result<usize>) -> Result<(), SendError> {
        sent.map_err(|error| SendError::from_io(to, error))?;
        self.shared.count_sent(1);
        Ok(())
    }
}

impl fmt::Debug for UdpPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UdpPort({})", self.local_addr())
    }
}
