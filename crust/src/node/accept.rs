//! Taking connections: one loop for each listener, one bounded task for each handshake.

use std::{net::IpAddr, sync::Arc};

use crust_core::{Incoming, Listener, Role, rt};
use crust_crypto::HandshakeError;
use futures::StreamExt;

use crate::{
    clock,
    error::{AttemptError, chain},
    node::{
        establish::EstablishError,
        gate::Slot,
        inner::{Inner, ip_of},
        tasks::Running,
    },
};

/// Takes connections until it is dropped.
pub(crate) async fn accept(inner: Arc<Inner>, mut listener: Listener, _running: Running) {
    while let Some(incoming) = listener.next().await {
        match incoming {
            Ok(incoming) => on_incoming(&inner, incoming),
            Err(error) => {
                tracing::debug!(addr = %listener.local_addr(), error = %chain(&error), "accept failed");
            }
        }
    }
}

/// Decides before anything is spent, and leaves the rest to a task.
fn on_incoming(inner: &Arc<Inner>, incoming: Incoming) {
    let ip = ip_of(incoming.remote_addr());
    let place = match inner.admit(Slot::Handshake, ip) {
        Ok(place) if inner.is_open() => place,
        Ok(_) => {
            tracing::debug!(remote = %incoming.remote_addr(), "no room for another session");
            inner.on_refused();
            return;
        }
        Err(refusal) => {
            tracing::debug!(remote = %incoming.remote_addr(), ?refusal, "refused");
            return;
        }
    };
    let running = inner.tasks.start();
    let inner = inner.clone();
    rt::detach(async move {
        inner.until_stopped(handshake(&inner, incoming, ip)).await;
        drop((place, running));
    });
}

async fn handshake(inner: &Arc<Inner>, incoming: Incoming, ip: Option<IpAddr>) {
    let remote = incoming.remote_addr().clone();
    let limit = inner.timeouts.handshake;
    let connection = match clock::timeout(limit, incoming.accept()).await {
        Some(Ok(connection)) => connection,
        Some(Err(error)) => {
            tracing::debug!(%remote, error = %chain(&error), "accept failed");
            return;
        }
        None => {
            tracing::debug!(%remote, "accept timed out");
            return;
        }
    };
    if let Err(EstablishError::Attempt(error)) = inner.begin(connection, Role::Listener, None).await
    {
        tracing::debug!(%remote, error = %chain(&error), "handshake failed");
        inner.on_handshake_failed(ip, is_offence(&error));
    }
}

/// Whether it took somebody's will, or great negligence. A connection that is given up halfway did not: whoever races
/// several addresses does that.
const fn is_offence(error: &AttemptError) -> bool {
    matches!(
        error,
        AttemptError::HandshakeTimeout { .. }
            | AttemptError::Protocol { .. }
            | AttemptError::Handshake(
                HandshakeError::Junk | HandshakeError::Rejected | HandshakeError::Replayed
            )
    )
}
