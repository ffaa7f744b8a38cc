//! Ctrl-C, and SIGTERM where there is one.

use async_signal::{Signal, Signals};
use futures::StreamExt;

/// Waits until the user wants the command to end.
pub(crate) async fn interrupted() {
    let wanted: &[Signal] = if cfg!(windows) {
        &[Signal::Int]
    } else {
        &[Signal::Int, Signal::Term]
    };
    match Signals::new(wanted) {
        Ok(mut signals) => {
            signals.next().await;
        }
        Err(error) => {
            tracing::warn!(%error, "signals cannot be caught");
            std::future::pending::<()>().await;
        }
    }
}
