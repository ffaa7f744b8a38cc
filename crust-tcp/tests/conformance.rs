//! The laws of a transport, over each kind of address.

use crust_core::conformance::transport::Subject;
use crust_tcp::TcpTransport;

mod ipv4 {
    crust_core::transport_conformance!(super::over("127.0.0.1"));
}

mod ipv6 {
    crust_core::transport_conformance!(super::over(super::ipv6_or_ipv4()));
}

mod by_name {
    crust_core::transport_conformance!(super::over("localhost"));
}

/// Windows shares the port of a wildcard listener only.
#[cfg(unix)]
#[test]
fn dial_from_a_listener_comes_from_its_address() {
    use crust_core::conformance::{check, transport};

    for ip in ["127.0.0.1", ipv6_or_ipv4(), "localhost"] {
        let subject = over(ip);
        let law = transport::dial_from_a_listener_comes_from_its_address(&subject);
        check(ip, subject.limit(), law);
    }
}

fn over(host: &str) -> Subject {
    Subject::new(TcpTransport::new(), &format!("tcp://{host}:0"))
}

fn ipv6_or_ipv4() -> &'static str {
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        return "[::1]";
    }
    eprintln!("this host has no IPv6; the laws are checked over IPv4 again");
    "127.0.0.1"
}
