//! coturn, the server and the clients that come with it: on two addresses of loopback.

use std::{
    net::{IpAddr, SocketAddr},
    process::{Child, Command, Stdio},
    time::Duration,
};

use crust_core::{Addr, Connection, DialOpts, Transport, TransportError, rt, udp::UdpPort};
use crust_nat::{
    behaviour::{self, Filtering, Mapping},
    stun::{Change, Request, ServerConfig, Stun, StunConfig, StunServer, tcp},
};
use crust_tcp::TcpTransport;
use crust_tests::{Tool, in_namespace};

/// coturn's server. It is stopped when this is dropped.
struct Coturn(Child);

impl Coturn {
    fn start() -> Self {
        let mut command = Command::new("turnserver");
        command
            .args(["-n", "--stun-only", "--no-cli", "--no-tls", "--no-dtls"])
            .args(["--simple-log", "--log-file=stdout", "--pidfile=/dev/null"])
            .args(IPS.map(|ip| format!("--listening-ip={ip}")))
            .args(["--listening-port=3478", "--alt-listening-port=3479"]);
        Self(command.stdout(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Coturn {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port of ours that speaks STUN.
struct Ours {
    stun: Stun,
    _driver: rt::Task<()>,
}

impl Ours {
    fn new() -> Self {
        let (port, driver) = UdpPort::bind(at(0, 0)).unwrap();
        Self {
            stun: Stun::new(&port, StunConfig::default()).unwrap(),
            _driver: rt::spawn(driver.run()),
        }
    }
}

#[test]
fn coturn_tells_our_address_from_each_of_its_places() {
    let test = "coturn::coturn_tells_our_address_from_each_of_its_places";
    with_coturn(test, async {
        let ours = Ours::new();
        let server = at(0, 3478);
        // Until it has started, it does not answer.
        let binding = ours.stun.binding(server).await.unwrap();
        assert_eq!(binding.observed_addr, ours.stun.local_addr());
        assert_eq!(binding.other_addr, Some(at(1, 3479)));
        let changes = [
            (Change::NONE, server),
            (Change::PORT, at(0, 3479)),
            (Change::BOTH, at(1, 3479)),
        ];
        for (change, from) in changes {
            let request = Request::new(server).with_change(change);
            let binding = ours.stun.request(request).await.unwrap();
            assert_eq!(binding.answered_from, from, "{change:?}");
        }
    });
}

#[test]
fn behaviour_is_discovered_with_coturn() {
    let test = "coturn::behaviour_is_discovered_with_coturn";
    with_coturn(test, async {
        let ours = Ours::new();
        let server = at(0, 3478);
        ours.stun.binding(server).await.unwrap();
        let behaviour = behaviour::discover(&ours.stun, server).await.unwrap();
        assert_eq!(behaviour.is_translated, Some(false));
        assert_eq!(behaviour.mapping, Some(Mapping::EndpointIndependent));
        assert_eq!(behaviour.filtering, Some(Filtering::EndpointIndependent));
    });
}

#[test]
fn coturn_tells_our_address_over_tcp() {
    let test = "coturn::coturn_tells_our_address_over_tcp";
    with_coturn(test, async {
        let mut connection = dial(at(0, 3478)).await;
        let binding = tcp::binding(&mut connection).await.unwrap();
        let observed = Addr::from_socket_addr("tcp", binding.observed_addr);
        assert_eq!(observed, *connection.local_addr());
    });
}

/// The last of what it asks is a long answer, which our server refuses: it takes that for an answer too.
#[test]
fn client_of_coturn_understands_our_server() {
    let test = "coturn::client_of_coturn_understands_our_server";
    with_server(test, || {
        let said = output(
            "turnutils_stunclient",
            &["-p", "3478", "-L", IPS[0], IPS[0]],
        );
        assert!(said.contains("UDP reflexive addr: 192.0.2.1:"), "{said}");
    });
}

#[test]
fn nat_discovery_of_coturn_works_with_our_server() {
    let test = "coturn::nat_discovery_of_coturn_works_with_our_server";
    with_server(test, || {
        let args = ["-m", "-f", "-p", "3478", "-L", IPS[0], IPS[0]];
        let said = output("turnutils_natdiscovery", &args);
        for words in [
            "No ALG: Mapped == XOR-Mapped",
            "No NAT! (Endpoint Independent Mapping)",
            "NAT with Endpoint Independent Filtering!",
        ] {
            assert!(said.contains(words), "{said}");
        }
    });
}

fn with_coturn(test: &str, body: impl Future<Output = ()>) {
    in_namespace(test, &[COTURN], || {
        add_addresses();
        let _coturn = Coturn::start();
        rt::block_on(rt::timeout(LIMIT, body)).expect("it comes to its end in time");
    });
}

fn with_server(test: &str, body: impl FnOnce()) {
    in_namespace(test, &[COTURN], || {
        add_addresses();
        let ips = [at(0, 0).ip(), at(1, 0).ip()];
        let config = ServerConfig::default();
        let _server = StunServer::bind_places(ips, [3478, 3479], config).unwrap();
        body();
    });
}

fn add_addresses() {
    for ip in IPS {
        let added = Command::new("ip")
            .args(["addr", "add", ip, "dev", "lo"])
            .status();
        assert!(added.unwrap().success(), "{ip}");
    }
}

/// Dials until somebody listens.
async fn dial(server: SocketAddr) -> Connection {
    let addr = Addr::from_socket_addr("tcp", server);
    let transport = TcpTransport::new();
    loop {
        match transport.dial(&addr, &DialOpts::default()).await {
            Ok(connection) => return connection,
            Err(TransportError::Refused { .. }) => rt::sleep(Duration::from_millis(20)).await,
            Err(error) => panic!("{error}"),
        }
    }
}

/// What a client of coturn says. Some of them wait for an answer without end.
fn output(program: &str, args: &[&str]) -> String {
    let output = Command::new("timeout")
        .args([&LIMIT.as_secs().to_string(), program])
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said += &String::from_utf8_lossy(&output.stderr);
    said
}

fn at(ip: usize, port: u16) -> SocketAddr {
    SocketAddr::new(IPS[ip].parse::<IpAddr>().unwrap(), port)
}

/// The addresses of the server, in the namespace alone.
const IPS: [&str; 2] = ["192.0.2.1", "192.0.2.2"];
const COTURN: Tool<'static> = ("command -v turnserver", "`turnserver` of coturn");
/// A slow machine with other work takes its time.
const LIMIT: Duration = Duration::from_secs(60);
