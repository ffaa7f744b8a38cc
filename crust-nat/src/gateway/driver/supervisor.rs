//! The task that follows the gateways and has each asked.

use std::{collections::BTreeMap, future::pending, io, sync::Arc, time::Duration};

use crust_core::Notify;
use crust_core::rt::{self, Task};
use tracing::debug;

use super::{
    datagrams,
    shared::{Shared, Station},
    upnp,
    wake::wake,
};
use crate::gateway::{
    address::Gateway,
    client::Client,
    mapper::ClientId,
    nat_pmp::NatPmp,
    pcp::{Nonces, Pcp},
    report::MappingProtocol,
    routes,
    upnp::Client as UpnpClient,
};

/// What a mapper is made with.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) lifetime: Duration,
    pub(crate) description: String,
    pub(crate) protocols: Vec<MappingProtocol>,
    /// `None` where the system is asked.
    pub(crate) gateways: Option<Vec<Gateway>>,
    pub(crate) nonces: Nonces,
    pub(crate) seed: u64,
}

/// Runs a mapper until it is closed and all mappings are deleted.
pub(crate) async fn supervise(shared: Arc<Shared>, settings: Settings) {
    let mut tasks: BTreeMap<ClientId, Task<()>> = BTreeMap::new();
    let mut known = None;
    while !shared.is_closing() {
        let ids = list(&settings)
            .await
            .map(|gateways| clients(&settings, &gateways));
        if let Some(ids) = ids.filter(|ids| known.as_ref() != Some(ids)) {
            let ids = known.insert(ids);
            tasks.retain(|id, _| ids.contains(id));
            for (id, notify) in shared.set_clients(ids) {
                tasks.insert(id, start(&shared, &settings, id, notify));
            }
        }
        let is_fixed = settings.gateways.is_some();
        let at = (!is_fixed).then(|| rt::now() + LOOK_INTERVAL);
        wake(pending::<()>(), &shared.supervisor, at).await;
    }
    for task in tasks.into_values() {
        let _ = task.await;
    }
    shared.reports.close();
}

/// The gateways there are; `None` where the system does not tell.
async fn list(settings: &Settings) -> Option<Vec<Gateway>> {
    if let Some(gateways) = &settings.gateways {
        return Some(gateways.clone());
    }
    let listed = rt::unblock(routes::gateways).await;
    let listed = listed.unwrap_or_else(|cancelled| Err(io::Error::other(cancelled)));
    listed
        .inspect_err(|error| debug!(%error, "gateways cannot be listed"))
        .ok()
}

/// NAT-PMP is for IPv4 alone.
fn clients(settings: &Settings, gateways: &[Gateway]) -> Vec<ClientId> {
    let pairs = gateways.iter().flat_map(|gateway| {
        let protocols = settings.protocols.iter();
        let gateway = *gateway;
        protocols.map(move |protocol| ClientId {
            gateway,
            protocol: *protocol,
        })
    });
    let has_both =
        |id: &ClientId| id.gateway.addr.is_ipv4() || id.protocol != MappingProtocol::NatPmp;
    pairs.filter(has_both).collect()
}

fn start(shared: &Arc<Shared>, settings: &Settings, id: ClientId, notify: Arc<Notify>) -> Task<()> {
    let station = Station::new(shared.clone(), id, notify);
    let gateway = id.gateway;
    let server = gateway.socket_addr(gateway.mapping_port);
    let Settings { lifetime, seed, .. } = *settings;
    match id.protocol {
        MappingProtocol::Pcp => {
            let nonces = settings.nonces.clone();
            rt::spawn(datagrams::run(station, move || {
                let pcp = Pcp::new(server, gateway.local, nonces.clone());
                Client::new(pcp, server, lifetime, seed, rt::now())
            }))
        }
        MappingProtocol::NatPmp => rt::spawn(datagrams::run(station, move || {
            Client::new(NatPmp, server, lifetime, seed, rt::now())
        })),
        MappingProtocol::Upnp => {
            let description = settings.description.clone();
            let local = gateway.local;
            let client = UpnpClient::new(local, description, lifetime, seed, rt::now());
            rt::spawn(upnp::run(station, client))
        }
    }
}

/// A gateway that is new, or gone, is noticed within it.
const LOOK_INTERVAL: Duration = Duration::from_secs(3);
