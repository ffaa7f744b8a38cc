//! Tells the discoveries where this node is, and again when that changes.

use std::{sync::Arc, time::Duration};

use crust_core::{Addr, Announcement, rt};

use crate::{
    error::chain,
    node::{endpoints::endpoints, inner::Inner, tasks::Running},
};

/// Announces until it is dropped.
pub(crate) async fn announce(inner: Arc<Inner>, _running: Running) {
    let mut announced: Option<Vec<Addr>> = None;
    loop {
        let addrs: Vec<_> = endpoints(&inner.listening)
            .into_iter()
            .map(|endpoint| endpoint.local)
            .collect();
        if announced.as_ref() != Some(&addrs) {
            inner.finders.on_addresses(&addrs);
            tell(&inner, &addrs).await;
            announced = Some(addrs);
        }
        rt::sleep(LOOK_EVERY).await;
    }
}

async fn tell(inner: &Inner, addrs: &[Addr]) {
    let announcement = Announcement {
        peer: inner.id,
        addrs: addrs.to_vec(),
    };
    for discovery in &inner.discoveries {
        if let Err(error) = discovery.announce(&announcement).await {
            tracing::warn!(discovery = discovery.name(), error = %chain(&error), "not announced");
        }
    }
}

/// How often the machine's addresses are looked at: peers on the LAN learn of a new one within three seconds.
const LOOK_EVERY: Duration = Duration::from_secs(1);
