//! Whether a gateway speaks the protocol, and what it last said of itself.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use crate::gateway::{
    epoch::{Epoch, EpochRule},
    event::Found,
    failure::MappingFailure,
};

/// What is known of the gateway. It is kept over a silence: the gateway may still hold mappings after it.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    is_here: bool,
    epoch: Option<Epoch>,
    external_ip: Option<IpAddr>,
}

impl Presence {
    /// The gateway answered; whether it lost its mappings since it last did.
    pub(crate) fn on_epoch(&mut self, now: Instant, epoch_s: u32, rule: EpochRule) -> bool {
        let heard = Epoch::new(now, epoch_s);
        let last = self.epoch.replace(heard);
        self.is_here = true;
        last.is_some_and(|last| last.is_lost_by(&heard, rule))
    }

    /// The gateway told its external address; whether it had another one.
    ///
    /// # Errors
    ///
    /// [`MappingFailure::ExternalAddress`] where it is none.
    pub(crate) fn on_address(&mut self, ip: Option<IpAddr>) -> Result<bool, MappingFailure> {
        let Some(ip) = ip else {
            return Ok(false);
        };
        if !is_external(ip) {
            return Err(MappingFailure::ExternalAddress { ip });
        }
        let before = self.external_ip.replace(ip);
        Ok(before.is_some_and(|before| before != ip))
    }

    /// The gateway is silent, or speaks something else.
    pub(crate) const fn leave(&mut self) {
        self.is_here = false;
    }

    pub(crate) const fn is_here(&self) -> bool {
        self.is_here
    }

    /// Whether it was here at any time.
    pub(crate) const fn is_known(&self) -> bool {
        self.epoch.is_some()
    }

    /// What is to be told of it, while it is here.
    pub(crate) fn found(&self) -> Option<Found> {
        let epoch = self.epoch.filter(|_| self.is_here)?;
        Some(Found {
            version: None,
            external_ip: self.external_ip,
            epoch_s: Some(epoch.gateway_s()),
        })
    }

    /// The external end of what was granted, where it is one.
    pub(crate) fn external(
        &self,
        ip: Option<IpAddr>,
        port: u16,
        lifetime: Duration,
    ) -> Result<SocketAddr, MappingFailure> {
        let ip = ip.or(self.external_ip);
        let ip = ip.ok_or(MappingFailure::NoExternalAddress)?;
        if port == 0 {
            return Err(MappingFailure::ExternalPortZero);
        }
        if lifetime.is_zero() {
            return Err(MappingFailure::LeaseZero);
        }
        match is_external(ip) {
            true => Ok(SocketAddr::new(ip, port)),
            false => Err(MappingFailure::ExternalAddress { ip }),
        }
    }
}

/// Whether it can be the address of anything: neither unspecified nor multicast nor the like.
fn is_external(ip: IpAddr) -> bool {
    let is_broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    !(ip.is_unspecified() || ip.is_multicast() || ip.is_loopback() || is_broadcast)
}
