//! Tells the discoveries where this node is, and again when that changes.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use crust_core::{Addr, Announcement, PeerRecord, rt};
use crust_crypto::Identity;

use crate::{
    error::chain,
    node::{
        contacts::{RECORD_LASTS, introduce},
        endpoints::is_gone,
        inner::Inner,
        tasks::Running,
    },
    reason::DisconnectReason,
    session::send_side::Order,
};

/// Announces until it is dropped.
pub(crate) async fn announce(inner: Arc<Inner>, signer: Arc<Identity>, _running: Running) {
    let mut announced: Option<Vec<Addr>> = None;
    let mut introduced_at: Option<Instant> = None;
    loop {
        let mut addrs = inner.addrs_to_tell();
        addrs.truncate(PeerRecord::MAX_ADDRS);
        inner.finders.on_interfaces();
        cut_those_without_an_address(&inner);
        if announced.as_ref() != Some(&addrs) {
            tell(&inner, &addrs).await;
            announced = Some(addrs.clone());
            introduced_at = None;
        }
        let now = rt::now();
        if introduced_at.is_none_or(|at| now >= at + RECORD_LASTS / 2) {
            introduce(&inner, &signer, &addrs);
            introduced_at = Some(now);
        }
        rt::sleep(LOOK_EVERY).await;
    }
}

/// A session whose own address this machine has no more hears nothing any more, and neither side would notice for long: it
/// is made anew from another address.
fn cut_those_without_an_address(inner: &Inner) {
    for session in inner.registry.sessions() {
        if is_gone(&session.local) {
            let kind = io::ErrorKind::AddrNotAvailable;
            session.order(Order::Cut(DisconnectReason::Lost { kind }));
        }
    }
}

async fn tell(inner: &Inner, addrs: &[Addr]) {
    let announcement = |addrs: &[Addr]| Announcement {
        peer: inner.id,
        addrs: addrs.to_vec(),
    };
    // What is bound, for each link has addresses of its own, those included that mean nothing elsewhere.
    let mut results = vec![
        inner
            .finders
            .announce(&announcement(&inner.listening))
            .await,
    ];
    for discovery in &inner.announcing {
        let announced = discovery.announce(&announcement(addrs)).await;
        results.push(announced.map_err(|error| (discovery.name(), error)));
    }
    for (discovery, error) in results.into_iter().filter_map(Result::err) {
        tracing::warn!(discovery, error = %chain(&error), "not announced");
    }
}

/// How often the machine's addresses are looked at: peers on the LAN learn of a new one within three seconds.
const LOOK_EVERY: Duration = Duration::from_secs(1);
