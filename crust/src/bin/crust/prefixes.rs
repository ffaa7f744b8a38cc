//! The networks that this machine is in.

use crust::IpNet;
use if_addrs::{IfAddr, Interface, get_if_addrs};

/// The prefixes in which this machine has addresses now, those of the loopback interface included; none where the system
/// does not tell.
pub(crate) fn prefixes() -> Vec<IpNet> {
    let interfaces = get_if_addrs().unwrap_or_default();
    let prefix = |interface: Interface| {
        let len = match &interface.addr {
            IfAddr::V4(addr) => addr.prefixlen,
            IfAddr::V6(addr) => addr.prefixlen,
        };
        IpNet::new(interface.ip(), len).ok()
    };
    interfaces.into_iter().filter_map(prefix).collect()
}
