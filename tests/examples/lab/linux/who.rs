//! Tells whoever connects what address they come from.

use std::{io::Write, net::TcpListener, thread};

use crust_tests::netlab::Host;

/// Serves on this host while the process lives, over IPv4 and IPv6.
pub(crate) fn serve(host: &Host) {
    let listener = host.run(|| TcpListener::bind(("::", STUN_PORT)));
    let listener = listener.expect("nobody else is on this host");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            // One that has gone again need not be told.
            let _ = stream.peer_addr().map(|addr| {
                let (ip, port) = (addr.ip().to_canonical(), addr.port());
                writeln!(stream, "{ip} port {port}")
            });
        }
    });
}

/// RFC 8489 §18.6: what people look for there.
const STUN_PORT: u16 = 3_478;
