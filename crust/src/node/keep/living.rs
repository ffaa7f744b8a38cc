//! The sessions that there are, as far as they matter for which to make and which to end.

use std::sync::Arc;

use crate::{
    node::{gate::prefix, inner::ip_of, keep::candidates::Ties},
    reason::DisconnectReason,
    session::{send_side::Order, shared::Shared},
};

/// Whom the node is connected to, and in which networks.
pub(super) fn ties(sessions: &[Arc<Shared>]) -> Ties {
    let mut ties = Ties::default();
    for session in sessions {
        ties.peers.insert(session.peer);
        if let Some(ip) = ip_of(&session.remote) {
            *ties.prefixes.entry(prefix(ip)).or_default() += 1;
        }
    }
    ties
}

/// Ends what is more than `most`: first those over which the application has said least, of these the youngest. What the
/// application dialed or pinned stays.
pub(super) fn drop_surplus(mut sessions: Vec<Arc<Shared>>, most: usize) {
    sessions.retain(|session| !session.is_closing());
    let Some(surplus @ 1..) = sessions.len().checked_sub(most) else {
        return;
    };
    sessions.retain(|session| !session.is_pinned());
    sessions.sort_by_key(|session| {
        let stats = session.counters.stats();
        let age = std::cmp::Reverse(session.began_at);
        (stats.messages_in + stats.messages_out, age)
    });
    for session in sessions.into_iter().take(surplus) {
        session.order(Order::Close {
            reason: DisconnectReason::Limit,
            text: "".into(),
        });
    }
}
