//! A session's life in its node: from the connection to the last thing that is told of it.

use std::{net::IpAddr, sync::Arc};

use crust_core::{Connection, Role, rt};

use crate::{
    error::AttemptError,
    node::{
        establish::{EstablishError, Established, establish},
        gate::Slot,
        inner::{Inner, ip_of},
        keyring::Opening,
        room::Living,
        tasks::Running,
    },
    reason::DisconnectReason,
    session::{send_side::Order, shared::Shared},
};

impl Inner {
    /// Makes a session of a connection and runs it in the background.
    pub(crate) async fn begin(
        self: &Arc<Self>,
        connection: Connection,
        opening: Opening,
    ) -> Result<Arc<Shared>, EstablishError> {
        // Limits by address are for those who dial us; whom we dial is our own choice.
        let ip = match opening.role {
            Role::Dialer => None,
            Role::Listener => ip_of(connection.remote_addr()),
        };
        let place = self
            .admit(Slot::Session, ip)
            .map_err(|_| AttemptError::Limit)?;
        let running = self.tasks.start();
        let Established {
            shared,
            driver,
            first,
            living,
        } = establish(self, connection, opening).await?;
        shared.hold(Box::new(place));
        self.wishes.on_begun();
        self.switchboard.on_up(shared.peer, shared.names.connection);
        let task = self
            .clone()
            .run(shared.clone(), driver.run(first), ip, (living, running));
        // Blocked as it was let in: a block cuts what is registered, so whoever is registered later looks for it.
        if self.is_blocked_peer(&shared.peer) || self.is_blocked_addr(&shared.remote) {
            shared.order(Order::Cut(DisconnectReason::Blocked));
        }
        shared.tell_hub();
        rt::detach(task);
        Ok(shared)
    }

    async fn run(
        self: Arc<Self>,
        shared: Arc<Shared>,
        driver: impl Future<Output = DisconnectReason>,
        ip: Option<IpAddr>,
        held: (Living, Running),
    ) {
        tracing::info!(peer = %shared.peer, remote = %shared.remote, role = %shared.role, "session up");
        let registered = Registered {
            inner: &self,
            shared: &shared,
        };
        let reason = driver.await;
        drop(registered);
        let (living, running) = held;
        drop(living);
        self.wishes.on_ended(shared.peer, (&reason).into());
        tracing::info!(peer = %shared.peer, reason = reason.name(), "session down");
        if let DisconnectReason::Protocol { .. } = &reason {
            self.on_protocol_error(ip);
        }
        drop(running);
    }
}

/// A session in the registry, for as long as its task runs.
struct Registered<'a> {
    inner: &'a Inner,
    shared: &'a Arc<Shared>,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        let Shared { peer, names, .. } = &**self.shared;
        self.inner.switchboard.on_down(*peer, names.connection);
        self.inner.registry.remove(self.shared);
    }
}
