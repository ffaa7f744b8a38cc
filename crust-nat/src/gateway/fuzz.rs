//! What the fuzz targets call: not part of the API.

use super::{address::Gateway, nat_pmp, pcp, upnp};

/// What is read is written the same.
pub fn check_nat_pmp(bytes: &[u8]) {
    if let Some(request) = nat_pmp::Request::decode(bytes) {
        assert_eq!(nat_pmp::Request::decode(&request.encode()), Some(request));
    }
    if let Ok(response) = nat_pmp::Response::decode(bytes) {
        assert_eq!(nat_pmp::Response::decode(&response.encode()), Ok(response));
    }
}

/// What is read is written the same, but for options and operations that are not known.
pub fn check_pcp(bytes: &[u8]) {
    if let Some(request) = pcp::Request::decode(bytes) {
        assert_eq!(pcp::Request::decode(&request.encode()), Some(request));
    }
    let Ok(response) = pcp::Response::decode(bytes) else {
        return;
    };
    if !matches!(response.answer, pcp::Answer::Refused { opcode: None, .. }) {
        assert_eq!(pcp::Response::decode(&response.encode()), Ok(response));
    }
}

/// An answer to a search, a description and an answer to an action: nothing in them leads away from the gateway.
pub fn check_upnp(bytes: &[u8]) {
    let gateway = Gateway::new([192, 168, 1, 2].into(), [192, 168, 1, 1].into());
    if let Ok(location) = upnp::admit(&gateway, ([192, 168, 1, 1], 1900).into(), bytes) {
        assert_eq!(location.ip(), gateway.addr);
    }
    let mut reader = upnp::ResponseReader::default();
    let whole = bytes
        .chunks(7)
        .try_for_each(|part| reader.push(part).map(drop));
    if let Ok(response) = whole.and_then(|()| reader.finish()) {
        let _ = upnp::Arguments::read(&upnp::Action::ExternalAddress, &response);
        check_description(&gateway, &response.body);
    }
    check_description(&gateway, &String::from_utf8_lossy(bytes));
}

fn check_description(gateway: &Gateway, text: &str) {
    let from = upnp::Location::parse("http://192.168.1.1:5000/root.xml");
    let from = from.unwrap_or_else(|_| unreachable!("it is one"));
    for service in upnp::read_description(gateway, &from, text).unwrap_or_default() {
        assert_eq!(service.control.ip(), gateway.addr);
        assert!(service.control.path().starts_with('/'));
        assert!(
            service
                .control
                .path()
                .bytes()
                .all(|byte| byte.is_ascii_graphic())
        );
    }
}
