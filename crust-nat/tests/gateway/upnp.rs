//! Ports mapped by UPnP, and gateways that are to be kept within bounds.

use std::{io::Write, net::TcpStream, time::Duration};

use crust_core::rt;
use crust_nat::gateway::{MappingFailure, MappingProtocol, ProtocolStatus, discover, upnp};

use crate::{
    LOOPBACK, closed_port, config, failure,
    igd::{Igd, answer, description, fault, send},
    mapped, mapper, run,
};

const UPNP: MappingProtocol = MappingProtocol::Upnp;

#[test]
fn port_is_mapped_and_deleted_at_shutdown() {
    run(async {
        let igd = Igd::new();
        let mapper = mapper(config(UPNP, igd.ssdp_port).with_description("a <b>"));
        let external = mapped(&mapper).await.mappings[0].external;
        assert_eq!(external, ([22, 0, 0, 1], 4_000).into());
        mapper.shutdown().await;
        let expected = [
            "",
            "GetExternalIPAddress",
            "AddPortMapping",
            "DeletePortMapping",
        ];
        assert_eq!(igd.actions(), expected);
        let envelope = igd.envelope("AddPortMapping");
        for part in [
            "<NewInternalClient>127.0.0.1</NewInternalClient>",
            "<NewPortMappingDescription>a &lt;b&gt;</NewPortMappingDescription>",
            "<NewLeaseDuration>7200</NewLeaseDuration>",
        ] {
            assert!(envelope.contains(part), "{envelope}");
        }
    });
}

#[test]
fn occupied_port_gives_another_one() {
    run(async {
        let igd = Igd::with(
            LOOPBACK,
            LOOPBACK,
            |action, envelope, stream| match action {
                "" => send(stream, 200, &description()),
                "GetExternalIPAddress" => {
                    let ip = "<NewExternalIPAddress>22.0.0.1</NewExternalIPAddress>";
                    send(stream, 200, &answer(action, ip));
                }
                _ if envelope.contains("<NewExternalPort>4000<") => send(stream, 500, &fault(718)),
                _ => send(stream, 200, &answer(action, "")),
            },
        );
        let mapper = mapper(config(UPNP, igd.ssdp_port));
        let external = mapped(&mapper).await.mappings[0].external;
        assert!(external.port() >= 49_152, "{external}");
    });
}

#[test]
fn refusal_is_told_with_code_and_meaning() {
    let igd = Igd::with(LOOPBACK, LOOPBACK, |action, _, stream| match action {
        "" => send(stream, 200, &description()),
        _ => send(stream, 500, &fault(501)),
    });
    let told = run(failure(config(UPNP, igd.ssdp_port)));
    assert_eq!(told, upnp::ErrorCode::ACTION_FAILED.to_string());
}

#[test]
fn discovery_tells_version_and_address() {
    let igd = Igd::new();
    let found = run(discover(
        config(UPNP, igd.ssdp_port),
        Duration::from_secs(5),
    ));
    let ProtocolStatus::Speaks {
        version,
        external_ip,
        ..
    } = &found[0].status
    else {
        panic!("{found:?}");
    };
    assert_eq!((*version, *external_ip), (1, Some([22, 0, 0, 1].into())));
}

#[test]
fn silence_is_told() {
    let told = run(failure(config(UPNP, closed_port())));
    assert_eq!(told, MappingFailure::NoAnswer.to_string());
}

/// A second address of this host to answer from is there without asking on Linux alone.
#[cfg(target_os = "linux")]
#[test]
fn answer_of_another_host_is_refused_and_nothing_is_fetched() {
    let from = [127, 0, 0, 2].into();
    let igd = Igd::with(from, LOOPBACK, |_, _, _| {});
    let told = run(failure(config(UPNP, igd.ssdp_port)));
    assert_eq!(told, MappingFailure::NoAnswer.to_string());
    assert_eq!(igd.actions(), [""; 0]);
}

#[test]
fn description_at_another_address_is_not_fetched() {
    let ip = [203, 0, 113, 7].into();
    let igd = Igd::with(LOOPBACK, ip, |_, _, _| {});
    let told = run(failure(config(UPNP, igd.ssdp_port)));
    assert_eq!(told, upnp::AnswerError::Address { ip }.to_string());
}

#[test]
fn description_beyond_64_kib_is_refused() {
    let igd = Igd::with(LOOPBACK, LOOPBACK, |_, _, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        let _ = stream.write_all(&vec![b' '; 80 * 1024]);
    });
    let told = run(failure(config(UPNP, igd.ssdp_port)));
    assert_eq!(told, upnp::AnswerError::TooLong.to_string());
}

#[test]
fn redirect_is_not_followed() {
    let igd = Igd::with(LOOPBACK, LOOPBACK, |_, _, stream| {
        let _ = stream.write_all(
            b"HTTP/1.1 302 Found\r\nLocation: http://203.0.113.7/\r\nContent-Length: 0\r\n\r\n",
        );
    });
    let told = run(failure(config(UPNP, igd.ssdp_port)));
    assert_eq!(told, upnp::AnswerError::Status { status: 302 }.to_string());
}

#[test]
fn gateway_that_answers_a_byte_at_a_time_is_given_up_after_five_seconds() {
    fn trickle(stream: &mut TcpStream) {
        let text = b"HTTP/1.1 200 OK\r\nServer: "
            .iter()
            .chain(std::iter::repeat(&b'a'));
        for byte in text {
            if stream.write_all(&[*byte]).is_err() {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }
    let igd = Igd::with(LOOPBACK, LOOPBACK, |_, _, stream| trickle(stream));
    let before = rt::now();
    let told = run(failure(config(UPNP, igd.ssdp_port)));
    assert_eq!(told, upnp::AnswerError::TimedOut.to_string());
    let taken = rt::now().saturating_duration_since(before);
    assert!(taken < Duration::from_secs(10), "{taken:?}");
}
