//! A STUN server: `stun_server IP [OTHER_IP]`. With two addresses of this host it serves behaviour discovery too.

use std::{error::Error, net::IpAddr, sync::Arc};

use crust_core::{Transport, rt};
use crust_nat::stun::{ServerConfig, StunServer};
use crust_tcp::TcpTransport;

fn main() -> Result<(), Box<dyn Error>> {
    let args = std::env::args().skip(1).map(|arg| arg.parse());
    let ips: Vec<IpAddr> = args.collect::<Result<_, _>>()?;
    let config = ServerConfig::default();
    let mut server = match ips[..] {
        [ip] => StunServer::bind((ip, PORT).into(), config)?,
        [ip, other] => StunServer::bind_places([ip, other], [PORT, PORT + 1], config)?,
        _ => return Err("usage: stun_server IP [OTHER_IP]".into()),
    };
    rt::block_on(async {
        let tcp: Arc<dyn Transport> = Arc::new(TcpTransport::new());
        server.listen(&tcp, "tcp").await?;
        for addr in server.local_addrs() {
            eprintln!("serving {addr} over UDP and TCP");
        }
        std::future::pending().await
    })
}

/// That of STUN (RFC 8489 §18.6); behaviour discovery has the next.
const PORT: u16 = 3478;
