//! What the tasks of a mapper share.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crust_core::Notify;
use tracing::{debug, info};

use crate::gateway::{
    event::Event,
    mapper::{ClientId, Mapper},
    port::PortRequest,
    report::MappingReport,
    watch::Watch,
};

/// What the tasks of a mapper, and its owner, share. Nobody holds the lock over a wait.
#[derive(Debug)]
pub(crate) struct Shared {
    inner: Mutex<Inner>,
    pub(crate) reports: Arc<Watch<MappingReport>>,
    /// Wakes the supervisor.
    pub(crate) supervisor: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    mapper: Mapper,
    tasks: BTreeMap<ClientId, Arc<Notify>>,
    /// How often everything was to be looked at anew.
    refreshes: u64,
    is_closing: bool,
}

impl Shared {
    pub(crate) fn new() -> Self {
        Self {
            inner: Mutex::default(),
            reports: Arc::new(Watch::new(MappingReport::default())),
            supervisor: Notify::default(),
        }
    }

    /// Does something with the mapper, and tells everybody what came of it.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut Mapper) -> T) -> T {
        let mut inner = self.lock();
        let result = work(&mut inner.mapper);
        let report = inner.mapper.report();
        let tasks: Vec<Arc<Notify>> = inner.tasks.values().cloned().collect();
        // Still locked, so that a report does not overtake a later one.
        self.reports.publish(report);
        drop(inner);
        tasks.iter().for_each(|task| task.notify());
        result
    }

    /// Replaces the clients; gives how each new one is woken.
    pub(crate) fn set_clients(&self, ids: &[ClientId]) -> Vec<(ClientId, Arc<Notify>)> {
        let mut inner = self.lock();
        inner.tasks.retain(|id, _| ids.contains(id));
        let mut new = Vec::new();
        for id in ids {
            if !inner.tasks.contains_key(id) {
                let notify = Arc::new(Notify::default());
                inner.tasks.insert(*id, notify.clone());
                new.push((*id, notify));
            }
        }
        drop(inner);
        self.with(|mapper| mapper.set_clients(ids.iter().copied()));
        new
    }

    /// Looks at everything anew.
    pub(crate) fn refresh(&self) {
        self.lock().refreshes += 1;
        self.supervisor.notify();
        self.with(|_| ());
    }

    pub(crate) fn close(&self) {
        self.lock().is_closing = true;
        self.supervisor.notify();
        self.with(|_| ());
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.lock().is_closing
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one client's task.
#[derive(Debug)]
pub(crate) struct Station {
    pub(crate) shared: Arc<Shared>,
    pub(crate) id: ClientId,
    pub(crate) notify: Arc<Notify>,
    wishes: Vec<PortRequest>,
    refreshes: u64,
    is_closed: bool,
}

/// What a client is to do.
#[derive(Debug)]
pub(crate) enum Order {
    Check,
    Close,
    Unwant(PortRequest),
    Want(PortRequest),
}

impl Station {
    pub(crate) fn new(shared: Arc<Shared>, id: ClientId, notify: Arc<Notify>) -> Self {
        let refreshes = shared.lock().refreshes;
        Self {
            shared,
            id,
            notify,
            wishes: Vec::new(),
            refreshes,
            is_closed: false,
        }
    }

    /// What is to be done that was not ordered before.
    pub(crate) fn orders(&mut self) -> Vec<Order> {
        let inner = self.shared.lock();
        let wishes = inner.mapper.wishes(self.id);
        let (refreshes, is_closing) = (inner.refreshes, inner.is_closing);
        drop(inner);
        let mut orders = Vec::new();
        let gone = self.wishes.iter().filter(|wish| !wishes.contains(wish));
        orders.extend(gone.map(|wish| Order::Unwant(*wish)));
        let new = wishes.iter().filter(|wish| !self.wishes.contains(wish));
        orders.extend(new.map(|wish| Order::Want(*wish)));
        self.wishes = wishes;
        if std::mem::replace(&mut self.refreshes, refreshes) != refreshes {
            orders.push(Order::Check);
        }
        if is_closing && !std::mem::replace(&mut self.is_closed, true) {
            orders.push(Order::Close);
        }
        orders
    }

    pub(crate) fn tell(&self, event: Event) {
        let ClientId { gateway, protocol } = self.id;
        match &event {
            Event::Mapped { port, grant } => {
                let external = grant.external;
                debug!(%gateway, %protocol, %port, %external, "port mapped");
            }
            Event::Lost { port } => info!(%gateway, %protocol, %port, "mapping lost"),
            Event::Refused { port, failure } => {
                debug!(%gateway, %protocol, %port, %failure, "mapping refused");
            }
            Event::Failed(failure) => debug!(%gateway, %protocol, %failure, "gateway failed"),
            Event::Found(_) => debug!(%gateway, %protocol, "gateway found"),
        }
        let id = self.id;
        self.shared.with(|mapper| mapper.handle_event(id, event));
    }
}
