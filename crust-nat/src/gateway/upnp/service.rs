//! The services of a gateway that map ports.

use super::location::Location;

/// A service that maps ports, and where its actions are sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) kind: ServiceKind,
    pub(crate) version: u8,
    pub(crate) control: Location,
}

/// What a service is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ServiceKind {
    WanIpConnection,
    WanPppConnection,
    WanIpv6FirewallControl,
}

impl Service {
    /// The kind and version that a description names.
    pub(crate) fn parse_type(text: &str) -> Option<(ServiceKind, u8)> {
        let (name, version) = text.trim().strip_prefix(PREFIX)?.split_once(':')?;
        let kind = ServiceKind::ALL
            .into_iter()
            .find(|kind| kind.name() == name)?;
        Some((kind, version.parse().ok().filter(|version| *version > 0)?))
    }

    /// The name for requests: written anew, not repeated from the description.
    pub(crate) fn type_name(&self) -> String {
        format!("{PREFIX}{}:{}", self.kind.name(), self.version)
    }
}

impl ServiceKind {
    const ALL: [Self; 3] = [
        Self::WanIpConnection,
        Self::WanPppConnection,
        Self::WanIpv6FirewallControl,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::WanIpConnection => "WANIPConnection",
            Self::WanPppConnection => "WANPPPConnection",
            Self::WanIpv6FirewallControl => "WANIPv6FirewallControl",
        }
    }
}

const PREFIX: &str = "urn:schemas-upnp-org:service:";
