//! Whether a gateway is of use, and still has what it mapped.

use std::{net::IpAddr, time::Instant};

use super::{Client, State};
use crate::gateway::{
    event::Event,
    failure::MappingFailure,
    port::InternalPort,
    retry::RetryKind,
    upnp::{
        action::{Action, Arguments},
        error_code::ErrorCode,
        service::{Service, ServiceKind},
    },
};

/// What tells whether a service is of use.
pub(crate) const fn greeting(service: &Service) -> Action {
    match service.kind {
        ServiceKind::WanIpConnection | ServiceKind::WanPppConnection => Action::ExternalAddress,
        ServiceKind::WanIpv6FirewallControl => Action::FirewallStatus,
    }
}

/// The external address in the answer to a greeting; behind a firewall without NAT it is `local`.
pub(crate) fn read_address(
    local: IpAddr,
    service: &Service,
    arguments: &Arguments,
) -> Result<IpAddr, MappingFailure> {
    if service.kind == ServiceKind::WanIpv6FirewallControl {
        return Ok(local);
    }
    let text: String = arguments.take(EXTERNAL_ADDRESS)?;
    if text.is_empty() {
        return Err(MappingFailure::NoExternalAddress);
    }
    let ip: IpAddr = arguments.take(EXTERNAL_ADDRESS)?;
    match ip.is_unspecified() || ip.is_ipv6() {
        true => Err(MappingFailure::ExternalAddress { ip }),
        false => Ok(ip),
    }
}

/// Whether a mapping of `local` is gone, or another host's. Not every gateway knows how to tell.
fn is_forgotten(local: IpAddr, answer: Result<Arguments, MappingFailure>) -> bool {
    match answer {
        Ok(arguments) => {
            let client: Result<IpAddr, _> = arguments.take("NewInternalClient");
            client.is_ok_and(|client| client != local)
        }
        Err(MappingFailure::Upnp { code }) => code == ErrorCode::NO_SUCH_MAPPING,
        Err(_) => false,
    }
}

impl Client {
    pub(super) fn on_checked_address(
        &mut self,
        now: Instant,
        answer: Result<Arguments, MappingFailure>,
    ) {
        let State::Idle(ready) = &self.state else {
            return;
        };
        let service = ready.service.clone();
        match answer.and_then(|arguments| read_address(self.ways.local, &service, &arguments)) {
            Ok(ip) => self.on_address(now, service.version, ip),
            Err(failure) => self.fail(now, failure, RetryKind::Refused),
        }
    }

    pub(super) fn on_checked_port(
        &mut self,
        now: Instant,
        port: InternalPort,
        answer: Result<Arguments, MappingFailure>,
    ) {
        if is_forgotten(self.ways.local, answer) && self.leases.forget(now, port) {
            self.emit(Event::Lost { port });
        }
    }
}

const EXTERNAL_ADDRESS: &str = "NewExternalIPAddress";
