//! A server of its own, on two addresses and two ports where there are.

mod shared;
mod streams;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use crust_core::{
    Addr, Transport, TransportError, rt,
    udp::{
        BindError, Datagram, Protocol, RegisterError, Registration, Transmit, UdpDriver, UdpPort,
    },
};
use thiserror::Error;

use self::{shared::Shared, streams::StreamDoor};
use super::{
    server::{Arrival, Carrier, Place, Places, Server, ServerConfig, ServerStats},
    wire::{Class, Message, looks_like_stun},
};

/// A STUN server with UDP ports of its own, and TCP ports where it is told to.
///
/// With two addresses it serves behaviour discovery (RFC 5780). It ends when it is dropped.
#[derive(Debug)]
pub struct StunServer {
    shared: Arc<Shared>,
    places: Places,
    _registrations: Vec<Registration>,
    drivers: Vec<rt::Task<()>>,
    listeners: Vec<rt::Task<()>>,
}

/// Why a server could not begin.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// A port could not be bound.
    #[error("a port of the server could not be bound")]
    Bind(#[from] BindError),
    /// A port takes no more protocols.
    #[error("a port of the server takes no more protocols")]
    Register(#[from] RegisterError),
}

impl StunServer {
    /// Serves at one address; port 0 lets the system choose.
    ///
    /// # Errors
    ///
    /// [`ServeError`], as it says.
    pub fn bind(addr: SocketAddr, config: ServerConfig) -> Result<Self, ServeError> {
        let bound = UdpPort::bind(addr)?;
        let local = bound.0.local_addr();
        let places = Places::new([local.ip(); 2], [local.port(); 2]);
        let server = Server::new(config, rt::now());
        Self::run(server, places, vec![(Place::PRIMARY, bound)])
    }

    /// Serves at each of `ips`, which are two, with each of `ports`; 0 lets the system choose.
    ///
    /// # Errors
    ///
    /// [`ServeError`], as it says.
    pub fn bind_places(
        ips: [IpAddr; 2],
        ports: [u16; 2],
        config: ServerConfig,
    ) -> Result<Self, ServeError> {
        let [first, second] = ports;
        let mut bound = pair(ips, first)?;
        let first = bound[0].0.local_addr().port();
        bound.extend(pair(ips, second)?);
        let second = bound[2].0.local_addr().port();
        let places = Places::new(ips, [first, second]);
        let at = |addr: SocketAddr| Place::ALL.into_iter().find(|it| places.addr(*it) == addr);
        let placed = bound.into_iter().filter_map(|(port, driver)| {
            let place = at(port.local_addr())?;
            Some((place, (port, driver)))
        });
        let mut placed: Vec<Bound> = placed.collect();
        placed.sort_by_key(|(place, _)| *place);
        let server = Server::new(config, rt::now()).with_places(places);
        Self::run(server, places, placed)
    }

    /// Serves the same addresses over `transport` too, whose scheme is `scheme`: `tcp`.
    ///
    /// A request to be answered from elsewhere is answered by a connection from there, one for each request and only to the
    /// address that asked; what comes of it nobody is told but who takes it.
    ///
    /// # Errors
    ///
    /// What the transport says of the first address at which it cannot listen; it listens at none then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the server as it was.
    pub async fn listen(
        &mut self,
        transport: &Arc<dyn Transport>,
        scheme: &'static str,
    ) -> Result<(), TransportError> {
        let mut listeners = Vec::new();
        for (place, _) in &self.shared.ports {
            let addr = Addr::from_socket_addr(scheme, self.places.addr(*place));
            let listener = transport.listen(&addr).await?;
            listeners.push((*place, listener));
        }
        for (place, listener) in listeners {
            let door = StreamDoor {
                shared: self.shared.clone(),
                places: self.places,
                at: place,
                transport: transport.clone(),
                scheme,
            };
            let serving = streams::serve(listener, door);
            self.listeners.push(rt::spawn(serving));
        }
        Ok(())
    }

    /// The addresses served, in the order of [`Place::ALL`].
    pub fn local_addrs(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        let ports = self.shared.ports.iter();
        ports.map(|(place, _)| self.places.addr(*place))
    }

    /// The primary address, which clients are told.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.places.addr(Place::PRIMARY)
    }

    /// What it has done so far.
    #[must_use]
    pub fn stats(&self) -> ServerStats {
        self.shared.server().stats()
    }

    fn run(server: Server, places: Places, bound: Vec<Bound>) -> Result<Self, ServeError> {
        let (ports, drivers): (Vec<_>, Vec<_>) = bound
            .into_iter()
            .map(|(place, (port, driver))| ((place, port), driver))
            .unzip();
        let shared = Arc::new(Shared::new(server, ports));
        let registrations = shared.ports.iter().map(|(place, port)| {
            let door = Door {
                shared: shared.clone(),
                at: *place,
            };
            port.register(Arc::new(door))
        });
        Ok(Self {
            places,
            _registrations: registrations.collect::<Result<_, _>>()?,
            shared: shared.clone(),
            drivers: drivers.into_iter().map(|it| rt::spawn(it.run())).collect(),
            listeners: Vec::new(),
        })
    }
}

impl Drop for StunServer {
    fn drop(&mut self) {
        self.drivers.iter().for_each(rt::Task::cancel);
        self.shared.ports.iter().for_each(|(_, port)| port.close());
    }
}

type Bound = (Place, (UdpPort, UdpDriver));

/// One port of a server.
#[derive(Debug)]
struct Door {
    shared: Arc<Shared>,
    at: Place,
}

impl Protocol for Door {
    fn claim(&self, datagram: &Datagram<'_>) -> bool {
        looks_like_stun(datagram.data)
    }

    fn handle(&self, now: Instant, datagram: &Datagram<'_>) {
        let Ok(message) = Message::decode(datagram.data) else {
            return;
        };
        if message.class() != Class::Request {
            return;
        }
        let arrival = Arrival {
            from: datagram.from,
            at: self.at,
            carrier: Carrier::Datagram,
        };
        let answer = self.shared.server().handle_message(now, arrival, &message);
        let Some(answer) = answer else { return };
        if let Some(port) = self.shared.port(answer.from) {
            // A full socket loses it, as the network might.
            let mut transmit = Transmit::new(answer.to, &answer.data);
            // From where it was asked, which a port of all addresses does not do by itself.
            transmit.from = datagram.to.filter(|_| answer.from == self.at);
            let _ = port.try_send(&transmit);
        }
    }
}

/// Binds both addresses with the same port.
fn pair(ips: [IpAddr; 2], port: u16) -> Result<Vec<(UdpPort, UdpDriver)>, BindError> {
    let mut tries = 0;
    loop {
        let first = UdpPort::bind(SocketAddr::new(ips[0], port))?;
        let chosen = first.0.local_addr().port();
        match UdpPort::bind(SocketAddr::new(ips[1], chosen)) {
            Ok(second) => return Ok(vec![first, second]),
            // The port that the system chose for one address may be taken at the other.
            Err(BindError::InUse { .. }) if port == 0 && tries < MAX_TRIES => tries += 1,
            Err(error) => return Err(error),
        }
    }
}

/// Ports that are tried for two addresses: each is free at the second with good odds.
const MAX_TRIES: u32 = 16;
