//! A discovery that finds what a test says.

use std::sync::{Arc, Mutex};

use crust::core::{Addr, DialOutcome, Discovery, FoundPeer, FoundPeers, async_trait};
use futures::{StreamExt, stream};

/// Finds what it was given, and then its search ends. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Finds(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    found: Vec<FoundPeer>,
    searches: usize,
    reports: Vec<(Addr, DialOutcome)>,
}

impl Finds {
    /// Finds these.
    pub fn new(found: impl IntoIterator<Item = FoundPeer>) -> Self {
        let finds = Self::default();
        finds.set(found);
        finds
    }

    /// Finds these from the next search on.
    pub fn set(&self, found: impl IntoIterator<Item = FoundPeer>) {
        self.lock().found = found.into_iter().collect();
    }

    /// How often it was searched.
    pub fn searches(&self) -> usize {
        self.lock().searches
    }

    /// How dials went, as far as it was told.
    pub fn reports(&self) -> Vec<(Addr, DialOutcome)> {
        self.lock().reports.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().expect("no holder panics")
    }
}

/// What a discovery finds of a node that listens.
pub fn find(node: &crust::Node) -> FoundPeer {
    let contact = crate::contact(node);
    FoundPeer {
        peer: contact.peer,
        addrs: vec![contact.addr],
        source: NAME,
    }
}

/// Somebody at this address; nobody says who.
pub fn find_addr(addr: &Addr) -> FoundPeer {
    FoundPeer {
        peer: None,
        addrs: vec![addr.clone()],
        source: NAME,
    }
}

#[async_trait]
impl Discovery for Finds {
    fn name(&self) -> &'static str {
        NAME
    }

    fn discover(&self) -> FoundPeers {
        let this = self.clone();
        stream::once(async move {
            let mut state = this.lock();
            state.searches += 1;
            stream::iter(state.found.clone())
        })
        .flatten()
        .map(Ok)
        .boxed()
    }

    fn report(&self, addr: &Addr, outcome: &DialOutcome) {
        self.lock().reports.push((addr.clone(), outcome.clone()));
    }
}

const NAME: &str = "finds";
