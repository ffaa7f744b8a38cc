//! How a gateway is found (UDA 1.1 §1.3).

use std::net::SocketAddr;

use super::{answer_error::AnswerError, location::Location};
use crate::gateway::address::Gateway;

/// What is searched for: the devices of both versions, and the service for gateways that answer for nothing else.
pub(crate) const SEARCH_TARGETS: [&str; 3] = [
    "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
    "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
    "urn:schemas-upnp-org:service:WANIPConnection:1",
];

/// A search for `target`, sent to `to`.
pub(crate) fn search(to: SocketAddr, target: &str) -> Vec<u8> {
    let host = SocketAddr::new(to.ip(), to.port());
    format!(
        "M-SEARCH * HTTP/1.1\r\nHOST: {host}\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: {target}\r\n\r\n"
    )
    .into_bytes()
}

/// Where `gateway` says that its description is.
///
/// # Errors
///
/// What is wrong with an answer: sent by another host, or pointing to one; or unreadable.
pub(crate) fn admit(
    gateway: &Gateway,
    from: SocketAddr,
    datagram: &[u8],
) -> Result<Location, AnswerError> {
    let ip = from.ip().to_canonical();
    if ip != gateway.addr {
        return Err(AnswerError::Address { ip });
    }
    let location = read_location(datagram)?;
    match gateway.is_itself(location.ip()) {
        true => Ok(location.with_scope(gateway.scope_id)),
        false => Err(AnswerError::Address { ip: location.ip() }),
    }
}

/// The header `LOCATION` of an answer.
fn read_location(datagram: &[u8]) -> Result<Location, AnswerError> {
    let text = str::from_utf8(datagram).map_err(|_| AnswerError::Http)?;
    let mut lines = text.split("\r\n").flat_map(|line| line.split('\n'));
    let mut status = lines.next().unwrap_or_default().split(' ');
    let is_http = status
        .next()
        .is_some_and(|version| version.starts_with("HTTP/1."));
    if !is_http || status.next() != Some("200") {
        return Err(AnswerError::Http);
    }
    let headers = lines
        .take(MAX_HEADERS)
        .filter_map(|line| line.split_once(':'));
    let mut locations = headers.filter(|(name, _)| name.trim().eq_ignore_ascii_case("location"));
    let (_, url) = locations.next().ok_or(AnswerError::Location)?;
    Location::parse(url)
}

const MAX_HEADERS: usize = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ANSWER: &str = "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\n\
        ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n\
        Location: http://192.168.1.1:5000/rootDesc.xml\r\nSERVER: a UPnP/1.1 b\r\nEXT:\r\n\r\n";

    fn gateway() -> Gateway {
        Gateway::new([192, 168, 1, 2].into(), [192, 168, 1, 1].into())
    }

    fn from(ip: [u8; 4]) -> SocketAddr {
        (ip, 1900).into()
    }

    #[test]
    fn answer_of_the_gateway_is_taken() {
        let location = admit(&gateway(), from([192, 168, 1, 1]), ANSWER.as_bytes()).unwrap();
        assert_eq!(location.addr(), ([192, 168, 1, 1], 5000).into());
        assert_eq!(location.path(), "/rootDesc.xml");
    }

    #[test]
    fn answer_of_another_host_is_refused() {
        let admitted = admit(&gateway(), from([192, 168, 1, 66]), ANSWER.as_bytes());
        let ip = [192, 168, 1, 66].into();
        assert_eq!(admitted, Err(AnswerError::Address { ip }));
    }

    #[test]
    fn description_at_another_address_is_refused() {
        for host in ["192.168.1.66", "203.0.113.7", "127.0.0.1", "[::1]"] {
            let answer = ANSWER.replace("192.168.1.1", host);
            let admitted = admit(&gateway(), from([192, 168, 1, 1]), answer.as_bytes());
            assert!(
                matches!(admitted, Err(AnswerError::Address { .. })),
                "{host}"
            );
        }
    }

    #[test]
    fn description_on_the_link_of_ipv6_is_taken_with_the_zone_and_one_off_link_is_not() {
        let mut gateway = Gateway::new("2001:db8::2".parse().unwrap(), "fe80::1".parse().unwrap());
        gateway.scope_id = 7;
        let from = "[fe80::1%7]:1900".parse().unwrap();
        for (host, is_taken) in [
            ("[fe80::1]", true),
            ("[2001:db8::1]", true),
            ("[2001:db8:0:1::1]", false),
            ("[fe80::2]", false),
            ("192.168.1.1", false),
        ] {
            let answer = ANSWER.replace("192.168.1.1", host);
            let admitted = admit(&gateway, from, answer.as_bytes());
            assert_eq!(admitted.is_ok(), is_taken, "{host}");
            if let Ok(location) = admitted
                && host == "[fe80::1]"
            {
                assert_eq!(location.addr(), "[fe80::1%7]:5000".parse().unwrap());
            }
        }
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for (text, error) in [
            (
                "NOTIFY * HTTP/1.1\r\nLocation: http://192.168.1.1/\r\n\r\n",
                AnswerError::Http,
            ),
            ("HTTP/1.1 404 Not Found\r\n\r\n", AnswerError::Http),
            ("HTTP/1.1 200 OK\r\n\r\n", AnswerError::Location),
            ("", AnswerError::Http),
        ] {
            let admitted = admit(&gateway(), from([192, 168, 1, 1]), text.as_bytes());
            assert_eq!(admitted, Err(error), "{text}");
        }
    }

    #[test]
    fn search_is_as_the_standard_writes_it() {
        let bytes = search(([239, 255, 255, 250], 1900).into(), SEARCH_TARGETS[0]);
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with("M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n"));
        assert!(text.ends_with("\r\n\r\n"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = admit(&gateway(), from([192, 168, 1, 1]), &bytes);
        }
    }
}
