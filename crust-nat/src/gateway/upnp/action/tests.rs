//! Actions as a gateway reads them, and its answers.

use std::num::NonZeroU16;

use proptest::prelude::*;

use super::*;
use crate::gateway::upnp::{location::Location, service::ServiceKind};

fn service() -> Service {
    Service {
        kind: ServiceKind::WanIpConnection,
        version: 1,
        control: Location::parse("http://192.168.1.1/ctl").unwrap(),
    }
}

fn port() -> InternalPort {
    InternalPort::udp(NonZeroU16::new(80).unwrap())
}

fn answer(status: u16, body: &str) -> Result<Arguments, MappingFailure> {
    let body =
        format!("<s:Envelope xmlns:s=\"s\" xmlns:u=\"u\"><s:Body>{body}</s:Body></s:Envelope>");
    Arguments::read(&Action::ExternalAddress, &Response { status, body })
}

#[test]
fn envelope_names_service_action_and_arguments() {
    let action = Action::AddMapping {
        port: port(),
        external_port: 8_080,
        client: [192, 168, 1, 2].into(),
        lease_s: 7_200,
        description: "a <b> & c".to_owned(),
    };
    let (header, envelope) = action.encode(&service());
    assert_eq!(
        header,
        "urn:schemas-upnp-org:service:WANIPConnection:1#AddPortMapping"
    );
    let document = xml::parse(&envelope).unwrap();
    let action = document
        .descendants()
        .find(|node| node.tag_name().name() == "AddPortMapping");
    let action = action.unwrap();
    let namespace = "urn:schemas-upnp-org:service:WANIPConnection:1";
    assert_eq!(action.tag_name().namespace(), Some(namespace));
    let arguments: Vec<_> = action
        .children()
        .map(|node| (node.tag_name().name(), node.text().unwrap_or_default()))
        .collect();
    let expected = [
        ("NewRemoteHost", ""),
        ("NewExternalPort", "8080"),
        ("NewProtocol", "UDP"),
        ("NewInternalPort", "80"),
        ("NewInternalClient", "192.168.1.2"),
        ("NewEnabled", "1"),
        ("NewPortMappingDescription", "a <b> & c"),
        ("NewLeaseDuration", "7200"),
    ];
    assert_eq!(arguments, expected);
}

#[test]
fn pinhole_is_for_any_remote() {
    let action = Action::AddPinhole {
        port: port(),
        client: "2001:db8::2".parse().unwrap(),
        lease_s: 60,
    };
    let (_, envelope) = action.encode(&service());
    let arguments = "<RemoteHost></RemoteHost><RemotePort>0</RemotePort>\
        <InternalClient>2001:db8::2</InternalClient><InternalPort>80</InternalPort>\
        <Protocol>17</Protocol><LeaseTime>60</LeaseTime>";
    assert!(envelope.contains(arguments), "{envelope}");
}

#[test]
fn answer_is_read() {
    let body = "<u:GetExternalIPAddressResponse><NewExternalIPAddress> 22.0.0.1\n</NewExternalIPAddress>\
        </u:GetExternalIPAddressResponse>";
    let ip = answer(200, body)
        .unwrap()
        .take::<IpAddr>("NewExternalIPAddress");
    assert_eq!(ip, Ok([22, 0, 0, 1].into()));
}

#[test]
fn missing_argument_is_told() {
    let body =
        "<u:GetExternalIPAddressResponse><NewExternalIPAddress/></u:GetExternalIPAddressResponse>";
    let name = "NewExternalIPAddress";
    let source = AnswerError::Argument { name };
    let ip = answer(200, body).unwrap().take::<IpAddr>(name);
    assert_eq!(ip, Err(MappingFailure::Answer { source }));
}

#[test]
fn refusal_has_its_code() {
    let fault = "<s:Fault><detail><UPnPError><errorCode>501</errorCode>\
        <errorDescription>Action Failed</errorDescription></UPnPError></detail></s:Fault>";
    for status in [200, 500] {
        let code = ErrorCode::ACTION_FAILED;
        assert_eq!(answer(status, fault), Err(MappingFailure::Upnp { code }));
    }
}

#[test]
fn answer_to_another_action_is_refused() {
    let body = "<u:AddPortMappingResponse/>";
    let source = AnswerError::Xml;
    assert_eq!(answer(200, body), Err(MappingFailure::Answer { source }));
}

#[test]
fn http_error_without_a_code_is_told() {
    for body in ["", "<a"] {
        let source = AnswerError::Status { status: 404 };
        assert_eq!(answer(404, body), Err(MappingFailure::Answer { source }));
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(status: u16, body in "\\PC{0,200}") {
        let _ = answer(status, &body);
        let _ = Arguments::read(&Action::FirewallStatus, &Response { status, body });
    }
}
