//! Taking connections: one loop for each listener, one bounded task for each handshake.

use std::{net::IpAddr, sync::Arc, time::Duration};

use crust_core::{Incoming, Listener, rt};
use crust_crypto::HandshakeError;
use futures::StreamExt;

use crate::{
    clock,
    error::{AttemptError, chain},
    node::{
        establish::EstablishError,
        gate::Slot,
        inner::{Inner, ip_of},
        keyring::Opening,
        tasks::Running,
    },
};

/// Takes connections until it is dropped.
pub(crate) async fn accept(inner: Arc<Inner>, mut listener: Listener, _running: Running) {
    let mut taken = 0_usize;
    while let Some(incoming) = listener.next().await {
        taken += 1;
        if taken.is_multiple_of(TURN) {
            rt::yield_now().await;
        }
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
    let started_at = rt::now();
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
    if let Err(EstablishError::Attempt(error)) = inner.begin(connection, Opening::ACCEPTED).await {
        tracing::debug!(%remote, error = %chain(&error), "handshake failed");
        let held = rt::now().saturating_duration_since(started_at);
        inner.on_handshake_failed(ip, is_offence(&error, held));
    }
}

/// Whether it took somebody's will, or great negligence. A connection that is given up halfway did not, for whoever races
/// several addresses does that; one that was held for long and then given up did.
fn is_offence(error: &AttemptError, held: Duration) -> bool {
    match error {
        AttemptError::HandshakeTimeout { .. }
        | AttemptError::Protocol { .. }
        | AttemptError::Handshake(
            HandshakeError::Junk | HandshakeError::Rejected | HandshakeError::Replayed,
        ) => true,
        AttemptError::Handshake(HandshakeError::Closed | HandshakeError::Io(_)) => {
            held >= LONG_HELD
        }
        _ => false,
    }
}

/// Many times what a dialer needs that loses a race.
const LONG_HELD: Duration = Duration::from_secs(3);
/// Connections taken in a row before other tasks have their turn.
const TURN: usize = 32;
