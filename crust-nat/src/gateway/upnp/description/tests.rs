//! Descriptions as gateways send them, and as an enemy would.

use proptest::prelude::*;

use super::*;

fn gateway() -> Gateway {
    Gateway::new([192, 168, 1, 2].into(), [192, 168, 1, 1].into())
}

fn location() -> Location {
    Location::parse("http://192.168.1.1:5000/rootDesc.xml").unwrap()
}

fn service(name: &str, control: &str) -> String {
    format!(
        "<service><serviceType>urn:schemas-upnp-org:service:{name}</serviceType>\
         <controlURL>{control}</controlURL></service>"
    )
}

/// Services within two devices, as an IGD has them.
fn description(services: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<root xmlns=\"urn:schemas-upnp-org:device-1-0\"><device>\
         <deviceList><device><serviceList>{services}</serviceList></device></deviceList></device></root>"
    )
}

fn read(services: &str) -> Result<Vec<Service>, AnswerError> {
    read_description(&gateway(), &location(), &description(services))
}

#[test]
fn services_are_found_the_best_first() {
    let services = [
        service("WANPPPConnection:1", "/ppp"),
        service("Layer3Forwarding:1", "/l3"),
        service("WANIPConnection:1", "/ip1"),
        service("WANIPv6FirewallControl:1", "/fw"),
        service("WANIPConnection:2", "ctl/ip2"),
    ];
    let found = read(&services.concat()).unwrap();
    let found = found.iter().map(|service| service.control.path());
    assert_eq!(found.collect::<Vec<_>>(), ["/ctl/ip2", "/ip1", "/ppp"]);
}

#[test]
fn firewall_is_for_ipv6() {
    let gateway = Gateway::new("2001:db8::2".parse().unwrap(), "fe80::1".parse().unwrap());
    let from = Location::parse("http://[fe80::1]:5000/").unwrap();
    let services =
        service("WANIPConnection:2", "/ip") + &service("WANIPv6FirewallControl:1", "/fw");
    let found = read_description(&gateway, &from, &description(&services)).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0].type_name(),
        "urn:schemas-upnp-org:service:WANIPv6FirewallControl:1"
    );
}

#[test]
fn actions_are_sent_to_the_gateway_alone() {
    let elsewhere = service("WANIPConnection:1", "http://203.0.113.7/ctl");
    let ip = [203, 0, 113, 7].into();
    assert_eq!(read(&elsewhere), Err(AnswerError::Address { ip }));
    let found = read(&(elsewhere + &service("WANPPPConnection:1", "/ppp"))).unwrap();
    assert_eq!(found.len(), 1);
}

#[test]
fn stated_base_is_used() {
    let text = description(&service("WANIPConnection:1", "/ctl"));
    let based = text.replace(
        "<device>",
        "<URLBase>http://192.168.1.1:81/x</URLBase><device>",
    );
    let found = read_description(&gateway(), &location(), &based).unwrap();
    assert_eq!(found[0].control.addr().port(), 81);
    let outside = text.replace("<device>", "<URLBase>http://203.0.113.7/</URLBase><device>");
    assert!(read_description(&gateway(), &location(), &outside).is_err());
}

#[test]
fn thousand_services_are_few() {
    let found = read(&service("WANIPConnection:1", "/ctl").repeat(500)).unwrap();
    assert_eq!(found.len(), MAX_KEPT);
}

#[test]
fn what_is_no_description_has_no_services() {
    assert_eq!(read("").unwrap(), []);
    assert_eq!(read("<a").err(), Some(AnswerError::Xml));
    let odd = service("WANIPConnection:0", "/a") + &service("WANIPConnection:1", "/a b");
    assert_eq!(read(&odd).unwrap(), []);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,300}", name in "[A-Za-z0-9:]{0,30}", url in "\\PC{0,40}") {
        let _ = read_description(&gateway(), &location(), &text);
        let _ = read(&service(&name, &url));
        let _ = read(&service("WANIPConnection:1", &url));
    }
}
