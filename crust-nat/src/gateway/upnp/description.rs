//! What a gateway says of itself (UDA 1.1 §2.3).

use roxmltree::Node;

use super::{
    answer_error::AnswerError,
    location::Location,
    service::{Service, ServiceKind},
    xml,
};
use crate::gateway::address::Gateway;

/// The services of a description that map ports for hosts of `gateway`, the best first.
///
/// A service that is to be told elsewhere than at the gateway is left out.
///
/// # Errors
///
/// [`AnswerError::Xml`], and [`AnswerError::Address`] where all services are elsewhere.
pub(crate) fn read_description(
    gateway: &Gateway,
    from: &Location,
    text: &str,
) -> Result<Vec<Service>, AnswerError> {
    let document = xml::parse(text)?;
    let base = base_of(document.root_element(), from);
    let wants_firewall = gateway.addr.is_ipv6();
    let mut services = Vec::new();
    let mut elsewhere = None;
    let found = document
        .descendants()
        .filter(|node| node.has_tag_name_of("service"));
    for service in found.take(MAX_SERVICES) {
        let Some(service) = read_service(service, &base, gateway.scope_id) else {
            continue;
        };
        let is_firewall = service.kind == ServiceKind::WanIpv6FirewallControl;
        if is_firewall != wants_firewall {
            continue;
        }
        match gateway.is_itself(service.control.ip()) {
            true => services.push(service),
            false => elsewhere = Some(service.control.ip()),
        }
    }
    services.sort_by_key(|service| (service.kind, u8::MAX - service.version));
    services.truncate(MAX_KEPT);
    match elsewhere {
        Some(ip) if services.is_empty() => Err(AnswerError::Address { ip }),
        _ => Ok(services),
    }
}

fn read_service(node: Node<'_, '_>, base: &Location, scope_id: u32) -> Option<Service> {
    let text = |name| child(node, name).and_then(|node| node.text());
    let (kind, version) = Service::parse_type(text("serviceType")?)?;
    let control = base.join(text("controlURL")?).ok()?.with_scope(scope_id);
    Some(Service {
        kind,
        version,
        control,
    })
}

/// What references are relative to: UDA 1.0 had an element for it.
fn base_of(root: Node<'_, '_>, from: &Location) -> Location {
    let stated = child(root, "URLBase").and_then(|node| node.text());
    let stated = stated.and_then(|url| Location::parse(url).ok());
    stated.unwrap_or_else(|| from.clone())
}

fn child<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|child| child.has_tag_name_of(name))
}

/// Names are compared without their namespace: gateways get it wrong.
trait HasTagNameOf {
    fn has_tag_name_of(&self, name: &str) -> bool;
}

impl HasTagNameOf for Node<'_, '_> {
    fn has_tag_name_of(&self, name: &str) -> bool {
        self.is_element() && self.tag_name().name() == name
    }
}

const MAX_SERVICES: usize = 64;
/// A router with several lines has one service for each; that many are asked which of them is up.
const MAX_KEPT: usize = 4;

#[cfg(test)]
mod tests;
