//! uTP keeps the laws of transports.
//!
//! Not on Windows yet: under Wine, on a busy machine, one law in seventy-two was seen to fail, and it is not known why.

use crust_core::conformance::transport::Subject;
use crust_utp::UtpTransport;

mod ipv4 {
    crust_core::transport_conformance!(super::over("127.0.0.1"));
}

mod ipv6 {
    crust_core::transport_conformance!(super::over("[::1]"));
}

mod name {
    crust_core::transport_conformance!(super::over("localhost"));
}

fn over(host: &str) -> Subject {
    Subject::new(UtpTransport::new(), &format!("utp://{host}:0"))
}
