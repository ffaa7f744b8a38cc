//! STUN on a host of the lab: `serve IP IP PORT PORT` until its input ends, after the word `ready`; `report SERVER…` prints one
//! report as JSON; `lifetime SECONDS SERVER`, or `lifetime SECONDS --peer PEER`, what it measures in that time at most.

use std::{
    error::Error,
    io::{self, Read, Write},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use crust_core::{Transport, rt};
use crust_nat::{
    Prober,
    stun::{ServerConfig, StunServer},
};
use crust_tcp::TcpTransport;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = args.iter().map(String::as_str).collect();
    match &words[..] {
        ["serve", ips_and_ports @ ..] => serve(ips_and_ports),
        ["report", servers @ ..] => {
            let prober = Prober::new(addrs(servers)?).with_tcp(tcp());
            say(&serde_json::to_string(&rt::block_on(prober.report()))?)
        }
        ["lifetime", longest_s, "--peer", peer] => {
            measure(&Prober::new([]).with_peers(addrs(&[*peer])?), longest_s)
        }
        ["lifetime", longest_s, servers @ ..] => measure(&Prober::new(addrs(servers)?), longest_s),
        _ => Err("serve IP IP PORT PORT, or report SERVER…, or lifetime SECONDS SERVER".into()),
    }
}

fn serve(ips_and_ports: &[&str]) -> Outcome<()> {
    let [first, second, port, other_port] = ips_and_ports else {
        return Err("serve IP IP PORT PORT".into());
    };
    let ips = [first.parse()?, second.parse()?];
    let ports = [port.parse()?, other_port.parse()?];
    let mut server = StunServer::bind_places(ips, ports, ServerConfig::default())?;
    rt::block_on(server.listen(&tcp(), "tcp"))?;
    say("ready")?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn measure(prober: &Prober, longest_s: &str) -> Outcome<()> {
    let longest = Duration::from_secs(longest_s.parse()?);
    let lifetime = rt::block_on(prober.lifetime(longest, |_| {}));
    say(&serde_json::to_string(&lifetime)?)
}

fn addrs(texts: &[&str]) -> Outcome<Vec<SocketAddr>> {
    let parse = |text: &&str| {
        text.parse()
            .map_err(|error| format!("{text}: {error}").into())
    };
    texts.iter().map(parse).collect()
}

fn tcp() -> Arc<dyn Transport> {
    Arc::new(TcpTransport::new())
}

fn say(line: &str) -> Outcome<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    Ok(stdout.flush()?)
}
