//! What a beacon is made of.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    sync::Arc,
};

use crust_core::{DatagramSealer, Signer, Verifier, rt};
use futures::{FutureExt, channel::oneshot};

use crate::{
    beacon::Beacon,
    driver,
    machine::{Config, Machine},
    shared::Shared,
    wire::MAX_OVERHEAD,
};

/// Makes a [`Beacon`]; [`Beacon::builder`] gives one.
#[must_use]
pub struct BeaconBuilder {
    sealer: Arc<dyn DatagramSealer>,
    config: Config,
    probes: Vec<IpAddr>,
    loopback: bool,
}

impl BeaconBuilder {
    pub(crate) fn new(sealer: Arc<dyn DatagramSealer>) -> Self {
        let config = Config {
            port: Beacon::DEFAULT_PORT,
            // What the standard library seeds its maps with: unlike in each process, and for each call.
            seed: RandomState::new().hash_one(0),
            ..Config::default()
        };
        Self {
            sealer,
            config,
            probes: Vec::new(),
            loopback: false,
        }
    }

    /// Uses `port` instead of [`Beacon::DEFAULT_PORT`]. Only nodes with the same one find each other.
    pub fn with_port(mut self, port: u16) -> Self {
        self.config.port = port;
        self
    }

    /// Signs what is announced. Without it, nodes that have a verifier do not believe this one.
    pub fn with_signer(mut self, signer: Arc<dyn Signer>) -> Self {
        self.config.signer = Some(signer);
        self
    }

    /// Believes only what the peer signed that is said to be there.
    ///
    /// Without it, whoever has the network key may speak for each peer; and the key of a network that has a name can be
    /// guessed.
    pub fn with_verifier(mut self, verifier: Arc<dyn Verifier>) -> Self {
        self.config.verifier = Some(verifier);
        self
    }

    /// Tells neighbours who ask that there are bootstrap contacts to be had.
    ///
    /// Those never travel in a datagram: who wants them asks over a connection of its own, which is not the beacon's
    /// business. See [`Neighbour::offers_contacts`](crate::Neighbour::offers_contacts).
    pub fn with_contacts(mut self) -> Self {
        self.config.offers_contacts = true;
        self
    }

    /// Asks these hosts one by one, as [`Beacon::probe`] does.
    pub fn with_probes(mut self, hosts: Vec<IpAddr>) -> Self {
        self.probes = hosts;
        self
    }

    /// Uses the loopback interface instead of all others: for tests, and for nodes of one host that nobody else is to
    /// hear.
    ///
    /// Of no use on Windows, whose loopback interface carries nothing that goes to everybody.
    pub fn with_loopback(mut self) -> Self {
        self.loopback = true;
        self
    }

    /// Starts it. It sends nothing before it is told to announce or to search.
    ///
    /// # Panics
    ///
    /// When the sealer makes datagrams more than 61 bytes longer: the longest message would not fit then.
    pub fn start(self) -> Beacon {
        let overhead = self.sealer.overhead();
        assert!(
            overhead <= MAX_OVERHEAD,
            "a seal of {overhead} bytes leaves no room for the message"
        );
        let (port, signer) = (self.config.port, self.config.signer.clone());
        let shared = Shared::new(Machine::new(self.config), self.sealer);
        let shared = Arc::new(shared);
        shared.with(|machine, now| machine.set_probes(now, &self.probes));
        let (tell, ended) = oneshot::channel();
        let driver = driver::run(shared.clone(), port, self.loopback);
        rt::detach(async move {
            driver.await;
            let _ = tell.send(());
        });
        Beacon::new(shared, signer, ended.shared())
    }
}

impl fmt::Debug for BeaconBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BeaconBuilder")
            .field("port", &self.config.port)
            .field("contacts", &self.config.offers_contacts)
            .field("probes", &self.probes)
            .field("loopback", &self.loopback)
            .finish_non_exhaustive()
    }
}
