//! Who is asked for what, and what is told of it.

use std::num::NonZeroU16;

use super::*;
use crate::gateway::event::Found;

const PCP: MappingProtocol = MappingProtocol::Pcp;
const NAT_PMP: MappingProtocol = MappingProtocol::NatPmp;
const UPNP: MappingProtocol = MappingProtocol::Upnp;

fn port() -> InternalPort {
    InternalPort::udp(NonZeroU16::new(4_000).unwrap())
}

fn id(gateway: u8, protocol: MappingProtocol) -> ClientId {
    let gateway = Gateway::new([192, 168, gateway, 2].into(), [192, 168, gateway, 1].into());
    ClientId { gateway, protocol }
}

/// One with a port to map, at one gateway.
fn mapper() -> Mapper {
    let mut mapper = Mapper::default();
    mapper.set_clients(MappingProtocol::ALL.map(|protocol| id(1, protocol)));
    assert!(mapper.add(PortRequest::new(port())));
    mapper
}

fn found(mapper: &mut Mapper, id: ClientId) {
    mapper.handle_event(
        id,
        Event::Found(Found {
            version: None,
            external_ip: None,
            epoch_s: None,
        }),
    );
}

fn mapped(mapper: &mut Mapper, id: ClientId, external: &str) {
    let grant = Grant {
        external: external.parse().unwrap(),
        expires_at: None,
    };
    mapper.handle_event(
        id,
        Event::Mapped {
            port: port(),
            grant,
        },
    );
}

fn refused(mapper: &mut Mapper, id: ClientId) {
    let (port, failure) = (port(), MappingFailure::LeaseZero);
    mapper.handle_event(id, Event::Refused { port, failure });
}

/// The protocols of gateway 1 that are to map the port.
fn asked(mapper: &Mapper) -> Vec<MappingProtocol> {
    let all = MappingProtocol::ALL.into_iter();
    all.filter(|protocol| !mapper.wishes(id(1, *protocol)).is_empty())
        .collect()
}

#[test]
fn nobody_is_asked_before_it_is_heard() {
    assert_eq!(asked(&mapper()), []);
}

#[test]
fn first_that_answers_is_asked() {
    for protocol in MappingProtocol::ALL {
        let mut mapper = mapper();
        found(&mut mapper, id(1, protocol));
        assert_eq!(asked(&mapper), [protocol]);
    }
}

#[test]
fn worse_one_is_not_asked_where_a_better_one_is() {
    let mut mapper = mapper();
    found(&mut mapper, id(1, PCP));
    found(&mut mapper, id(1, UPNP));
    assert_eq!(asked(&mapper), [PCP]);
}

#[test]
fn better_one_replaces_a_worse_one_once_it_has_mapped() {
    let mut mapper = mapper();
    found(&mut mapper, id(1, UPNP));
    mapped(&mut mapper, id(1, UPNP), "22.0.0.1:9");
    found(&mut mapper, id(1, PCP));
    assert_eq!(asked(&mapper), [PCP, UPNP]);
    assert_eq!(mapper.report().mappings[0].protocol, UPNP);
    mapped(&mut mapper, id(1, PCP), "22.0.0.1:10");
    assert_eq!(asked(&mapper), [PCP]);
    assert_eq!(mapper.report().mappings[0].protocol, PCP);
    assert_eq!(mapper.report().mappings.len(), 1);
}

#[test]
fn refusal_passes_the_port_on_and_is_told() {
    let mut mapper = mapper();
    for protocol in [PCP, NAT_PMP, UPNP] {
        found(&mut mapper, id(1, protocol));
    }
    refused(&mut mapper, id(1, PCP));
    assert_eq!(asked(&mapper), [PCP, NAT_PMP]);
    refused(&mut mapper, id(1, NAT_PMP));
    assert_eq!(asked(&mapper), [PCP, NAT_PMP, UPNP]);
    let refusals = &mapper.report().protocols[0].refusals;
    assert_eq!(refusals, &[(port(), MappingFailure::LeaseZero)]);
}

#[test]
fn one_that_falls_silent_passes_the_port_on() {
    let mut mapper = mapper();
    found(&mut mapper, id(1, PCP));
    found(&mut mapper, id(1, UPNP));
    mapper.handle_event(id(1, PCP), Event::Failed(MappingFailure::NoAnswer));
    assert_eq!(asked(&mapper), [PCP, UPNP]);
}

#[test]
fn renewal_that_is_refused_leaves_the_mapping() {
    let mut mapper = mapper();
    found(&mut mapper, id(1, PCP));
    mapped(&mut mapper, id(1, PCP), "22.0.0.1:9");
    refused(&mut mapper, id(1, PCP));
    assert_eq!(mapper.report().mappings.len(), 1);
    mapper.handle_event(id(1, PCP), Event::Lost { port: port() });
    assert_eq!(mapper.report().mappings, []);
}

#[test]
fn each_gateway_is_asked() {
    let mut mapper = mapper();
    mapper.set_clients([id(1, PCP), id(2, UPNP)]);
    found(&mut mapper, id(1, PCP));
    found(&mut mapper, id(2, UPNP));
    mapped(&mut mapper, id(1, PCP), "22.0.0.1:9");
    mapped(&mut mapper, id(2, UPNP), "23.0.0.1:9");
    assert_eq!(mapper.report().mappings.len(), 2);
}

#[test]
fn gateway_that_stays_keeps_its_mapping_and_one_that_goes_loses_it() {
    let mut mapper = mapper();
    mapper.set_clients([id(1, PCP), id(2, PCP)]);
    for gateway in [1, 2] {
        found(&mut mapper, id(gateway, PCP));
        mapped(&mut mapper, id(gateway, PCP), "22.0.0.1:9");
    }
    mapper.set_clients([id(1, PCP)]);
    let mappings = mapper.report().mappings;
    assert_eq!(mappings.len(), 1);
    assert_eq!(mappings[0].gateway, id(1, PCP).gateway);
}

#[test]
fn what_was_removed_is_not_told() {
    let mut mapper = mapper();
    found(&mut mapper, id(1, PCP));
    mapper.remove(port());
    mapped(&mut mapper, id(1, PCP), "22.0.0.1:9");
    assert_eq!(mapper.report().mappings, []);
    assert_eq!(asked(&mapper), []);
}

#[test]
fn ports_are_not_too_many() {
    let mut mapper = mapper();
    let numbers = (1..=100).map(|number| NonZeroU16::new(number).unwrap());
    let added = numbers.filter(|number| mapper.add(PortRequest::new(InternalPort::tcp(*number))));
    assert_eq!(added.count(), MAX_PORTS - 1);
    assert!(mapper.add(PortRequest::new(port())));
}

#[test]
fn liar_is_found_out_by_what_peers_see() {
    let mut mapper = mapper();
    found(&mut mapper, id(1, PCP));
    mapped(&mut mapper, id(1, PCP), "22.0.0.1:9");
    let agreement = |mapper: &Mapper| mapper.report().mappings[0].agreement;
    assert_eq!(agreement(&mapper), Agreement::Unknown);
    mapper.observe("2001:db8::1".parse().unwrap());
    assert_eq!(agreement(&mapper), Agreement::Unknown);
    mapper.observe("23.0.0.1".parse().unwrap());
    assert_eq!(agreement(&mapper), Agreement::Contradicted);
    assert!(!mapper.report().mappings[0].is_credible());
    mapper.observe("::ffff:22.0.0.1".parse().unwrap());
    assert_eq!(agreement(&mapper), Agreement::Confirmed);
    mapper.forget_observed();
    assert_eq!(agreement(&mapper), Agreement::Unknown);
}

#[test]
fn address_that_is_not_global_is_told() {
    for (external, scope) in [
        ("22.0.0.1:9", ExternalScope::Global),
        ("100.64.0.1:9", ExternalScope::Shared),
        ("192.168.0.1:9", ExternalScope::Private),
    ] {
        let mut mapper = mapper();
        found(&mut mapper, id(1, PCP));
        mapped(&mut mapper, id(1, PCP), external);
        let mapping = mapper.report().mappings.remove(0);
        assert_eq!(mapping.external_scope, scope);
        assert_eq!(mapping.is_credible(), scope == ExternalScope::Global);
    }
}

#[test]
fn report_is_complete_once_all_were_heard_or_silent() {
    let mut mapper = Mapper::default();
    assert!(!mapper.report().is_complete);
    mapper.set_clients([id(1, PCP), id(1, UPNP)]);
    assert!(!mapper.report().is_complete);
    found(&mut mapper, id(1, UPNP));
    assert!(!mapper.report().is_complete);
    mapper.handle_event(id(1, PCP), Event::Failed(MappingFailure::NoAnswer));
    assert!(mapper.report().is_complete);
    mapper.set_clients([]);
    assert!(mapper.report().is_complete);
}
