//! Connections to servers, and the question that is asked over them.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use crust_core::{Addr, Connection, DialOpts, Transport, rt};

use crate::{
    behaviour::Observation,
    stun::{self, Binding},
};

/// Dials servers, and dials again where a packet may be lost: the system would wait for a second before it sends another.
#[derive(Debug)]
pub(super) struct Dialing {
    transport: Arc<dyn Transport>,
}

/// An answer, and the connection that it came over.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) server: SocketAddr,
    pub(super) binding: Binding,
    pub(super) connection: Connection,
}

impl Asked {
    /// The local address of the connection.
    pub(super) fn local(&self) -> Option<SocketAddr> {
        self.connection.local_addr().socket_addr()
    }

    pub(super) fn observation(&self) -> Option<Observation> {
        Some(Observation {
            local: self.local()?,
            destination: self.server,
            observed_addr: self.binding.observed_addr,
        })
    }
}

impl Dialing {
    pub(super) const fn new(transport: Arc<dyn Transport>) -> Self {
        Self { transport }
    }

    /// Asks `server` from the port at `from`, or from a fresh one.
    pub(super) async fn ask(&self, from: Option<&Addr>, server: SocketAddr) -> Option<Asked> {
        let mut connection = self.connect(from, server).await?;
        let asking = stun::tcp::binding(&mut connection);
        let binding = rt::timeout(ANSWER_WITHIN, asking).await.ok()?.ok()?;
        Some(Asked {
            server,
            binding,
            connection,
        })
    }

    /// A connection to `server`; `None` where there is none within 1.8 s.
    pub(super) async fn connect(
        &self,
        from: Option<&Addr>,
        server: SocketAddr,
    ) -> Option<Connection> {
        let addr = Addr::from_socket_addr(super::SCHEME, server);
        let opts = from.map_or_else(DialOpts::default, |from| {
            DialOpts::default().with_from(from.clone())
        });
        for patience in PATIENCE {
            match rt::timeout(patience, self.transport.dial(&addr, &opts)).await {
                Ok(dialed) => return dialed.ok(),
                Err(_) => continue,
            }
        }
        None
    }
}

/// How long each dial has. At 2 % of loss each way one in 10⁵ of three fails by chance.
const PATIENCE: [Duration; 3] = [
    Duration::from_millis(400),
    Duration::from_millis(600),
    Duration::from_millis(800),
];
/// Three times what the system waits before it sends again what was lost.
const ANSWER_WITHIN: Duration = Duration::from_millis(1_000);
