//! One wish for a mapping, and what else to try where the gateway does not take it as it is.

use std::{
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use crate::gateway::{
    failure::MappingFailure,
    port::InternalPort,
    rng::Rng,
    seconds::whole_seconds,
    upnp::{
        action::{Action, Arguments},
        error_code::ErrorCode,
    },
};

/// What the gateway is asked for at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempt {
    port: InternalPort,
    /// `None` for ever.
    lifetime: Option<Duration>,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Mapping {
        client: IpAddr,
        external_port: u16,
        /// Other ports that may be tried.
        tries: u32,
    },
    NewPinhole {
        client: Ipv6Addr,
    },
    Pinhole {
        client: Ipv6Addr,
        id: u16,
    },
}

/// What follows from an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Again(Attempt),
    Made {
        external_port: u16,
        lifetime: Option<Duration>,
        pinhole: Option<u16>,
    },
    Refused(MappingFailure),
}

impl Attempt {
    pub(crate) const fn mapping(
        port: InternalPort,
        client: IpAddr,
        external_port: u16,
        lifetime: Option<Duration>,
    ) -> Self {
        let kind = Kind::Mapping {
            client,
            external_port,
            tries: OTHER_PORTS,
        };
        Self {
            port,
            lifetime,
            kind,
        }
    }

    /// A pinhole to be opened, or one that is open and is to stay so.
    pub(crate) const fn pinhole(
        port: InternalPort,
        client: Ipv6Addr,
        id: Option<u16>,
        lifetime: Option<Duration>,
    ) -> Self {
        let kind = match id {
            Some(id) => Kind::Pinhole { client, id },
            None => Kind::NewPinhole { client },
        };
        Self {
            port,
            lifetime,
            kind,
        }
    }

    pub(crate) fn action(&self, description: &str) -> Action {
        let lease_s = self.lifetime.map_or(0, whole_seconds);
        let port = self.port;
        match self.kind {
            Kind::Mapping {
                client,
                external_port,
                ..
            } => Action::AddMapping {
                port,
                external_port,
                client,
                lease_s,
                description: description.to_owned(),
            },
            Kind::NewPinhole { client } => Action::AddPinhole {
                port,
                client,
                lease_s,
            },
            Kind::Pinhole { id, .. } => Action::UpdatePinhole { id, lease_s },
        }
    }

    pub(crate) fn next(self, answer: Result<Arguments, MappingFailure>, rng: &mut Rng) -> Next {
        match answer {
            Ok(arguments) => match self.pinhole_in(&arguments) {
                Ok(pinhole) => Next::Made {
                    external_port: self.external_port(),
                    lifetime: self.lifetime,
                    pinhole,
                },
                Err(failure) => Next::Refused(failure),
            },
            Err(MappingFailure::Upnp { code }) => self
                .after(code, rng)
                .map_or(Next::Refused(MappingFailure::Upnp { code }), Next::Again),
            Err(failure) => Next::Refused(failure),
        }
    }

    pub(crate) const fn port(&self) -> InternalPort {
        self.port
    }

    pub(crate) const fn is_permanent(&self) -> bool {
        self.lifetime.is_none()
    }

    pub(crate) const fn is_new_pinhole(&self) -> bool {
        matches!(self.kind, Kind::NewPinhole { .. })
    }

    const fn external_port(&self) -> u16 {
        match self.kind {
            Kind::Mapping { external_port, .. } => external_port,
            Kind::NewPinhole { .. } | Kind::Pinhole { .. } => self.port.number.get(),
        }
    }

    fn pinhole_in(&self, arguments: &Arguments) -> Result<Option<u16>, MappingFailure> {
        match self.kind {
            Kind::Mapping { .. } => Ok(None),
            Kind::NewPinhole { .. } => arguments.take("UniqueID").map(Some),
            Kind::Pinhole { id, .. } => Ok(Some(id)),
        }
    }

    /// What may go better after this refusal.
    fn after(mut self, code: ErrorCode, rng: &mut Rng) -> Option<Self> {
        match &mut self.kind {
            Kind::Mapping {
                external_port,
                tries,
                ..
            } => {
                *tries = tries.checked_sub(1)?;
                match code {
                    ErrorCode::CONFLICT => *external_port = rng.dynamic_port().get(),
                    ErrorCode::ONLY_PERMANENT_LEASES => self.lifetime.take().map(drop)?,
                    ErrorCode::SAME_PORT_REQUIRED => {
                        let same = self.port.number.get();
                        let before = std::mem::replace(external_port, same);
                        (before != same).then_some(())?;
                    }
                    _ => return None,
                }
                Some(self)
            }
            Kind::NewPinhole { .. } => None,
            Kind::Pinhole { client, .. } => {
                let client = *client;
                let is_gone = code == ErrorCode::NO_SUCH_PINHOLE;
                is_gone.then(|| Self::pinhole(self.port, client, None, self.lifetime))
            }
        }
    }
}

/// A gateway on which eight ports of 16,384 are taken has none for us.
const OTHER_PORTS: u32 = 8;
