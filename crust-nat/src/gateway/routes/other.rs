//! The routes as `netroute` lists them.

use std::io;

use super::{InterfaceId, Route};

/// The default routes that lead through a gateway.
pub(super) fn default_routes() -> io::Result<Vec<Route>> {
    let routes = netroute::list_routes()?.into_iter();
    let defaults = routes.filter(|route| route.destination.prefix_len == 0);
    let found = defaults.filter_map(|route| {
        let gateway = route.gateway.filter(|gateway| !gateway.is_unspecified())?;
        let interface = match (route.ifindex, route.ifname) {
            (Some(index), _) => InterfaceId::Index(index),
            (None, name) => InterfaceId::Name(name?),
        };
        Some(Route { gateway, interface })
    });
    Ok(found.collect())
}
