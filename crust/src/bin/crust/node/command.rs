//! What is typed while a node runs.

use std::net::IpAddr;

use crust::{Blocked, IpNet, PeerId, Session, Target};

use crate::target;

/// One line, understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    Block(Blocked),
    Connect(Target),
    Disconnect(PeerId),
    Help,
    Peers,
    Send { to: Vec<PeerId>, text: String },
    Stats,
    Stop,
    Unblock(Blocked),
}

/// Understands `line`; `None` for an empty one. Peers are looked up among `sessions`.
pub(super) fn parse(line: &str, sessions: &[Session]) -> Result<Option<Command>, String> {
    let peers: Vec<PeerId> = sessions.iter().map(Session::peer).collect();
    parse_among(line, &peers)
}

fn parse_among(line: &str, peers: &[PeerId]) -> Result<Option<Command>, String> {
    let (word, rest) = split(line.trim());
    let command = match word {
        "" => return Ok(None),
        "block" => Command::Block(blocked(rest, peers)?),
        "connect" => Command::Connect(target::parse(wanted(rest, "connect PEER")?)?),
        "disconnect" => Command::Disconnect(peer(wanted(rest, "disconnect PEER")?, peers)?),
        "help" => Command::Help,
        "peers" => Command::Peers,
        "send" => send(rest, peers)?,
        "stats" => Command::Stats,
        "stop" => Command::Stop,
        "unblock" => Command::Unblock(blocked(rest, peers)?),
        other => {
            return Err(format!(
                "there is no command {other:?}; help shows those there are"
            ));
        }
    };
    Ok(Some(command))
}

fn send(rest: &str, peers: &[PeerId]) -> Result<Command, String> {
    let (to, text) = split(rest);
    let to = match to {
        "" => return Err("say it as: send PEER TEXT".into()),
        "*" => peers.to_vec(),
        name => vec![peer(name, peers)?],
    };
    if to.is_empty() {
        return Err("nobody is connected".into());
    }
    let text = text.into();
    Ok(Command::Send { to, text })
}

/// A peer by its whole id, connected or not, or by the beginning of one that is connected.
fn peer(name: &str, peers: &[PeerId]) -> Result<PeerId, String> {
    if let Ok(peer) = name.parse() {
        return Ok(peer);
    }
    let name = name.to_ascii_lowercase();
    let mut found = peers
        .iter()
        .filter(|peer| peer.to_string().starts_with(&name));
    match (found.next(), found.next()) {
        (Some(peer), None) => Ok(*peer),
        (None, _) => Err(format!("no connected peer's id begins with {name:?}")),
        (Some(_), Some(_)) => Err(format!("several peers' ids begin with {name:?}")),
    }
}

fn blocked(who: &str, peers: &[PeerId]) -> Result<Blocked, String> {
    let who = wanted(who, "block PEER, IP or PREFIX/BITS")?;
    if let Ok(ip) = who.parse::<IpAddr>() {
        return Ok(ip.into());
    }
    if let Ok(net) = who.parse::<IpNet>() {
        return Ok(net.into());
    }
    peer(who, peers).map(Blocked::from)
}

fn wanted<'a>(rest: &'a str, form: &str) -> Result<&'a str, String> {
    match split(rest) {
        ("", _) => Err(format!("say it as: {form}")),
        (word, _) => Ok(word),
    }
}

/// The first word, and what follows it.
fn split(text: &str) -> (&str, &str) {
    match text.split_once(char::is_whitespace) {
        Some((word, rest)) => (word, rest.trim_start()),
        None => (text, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer_of(byte: u8) -> PeerId {
        PeerId::from_bytes([byte; 32])
    }

    fn parsed(line: &str) -> Result<Option<Command>, String> {
        parse_among(line, &[peer_of(0), peer_of(1)])
    }

    #[test]
    fn text_keeps_its_spaces() {
        let sent = parsed("send aaaa  a  b ").unwrap();
        let text = "a  b".into();
        let to = vec![peer_of(0)];
        assert_eq!(sent, Some(Command::Send { to, text }));
    }

    #[test]
    fn peers_go_by_the_beginning_of_their_id() {
        // 0 is "aaa…", 1 is "aeaq…".
        assert_eq!(
            parsed("disconnect AE"),
            Ok(Some(Command::Disconnect(peer_of(1))))
        );
        assert!(parsed("disconnect a").unwrap_err().contains("several"));
        assert!(parsed("disconnect z").unwrap_err().contains("no connected"));
        let whole = format!("disconnect {}", peer_of(9));
        assert_eq!(parsed(&whole), Ok(Some(Command::Disconnect(peer_of(9)))));
    }

    #[test]
    fn peers_addresses_and_prefixes_are_blocked() {
        let net: IpNet = "192.0.2.0/24".parse().unwrap();
        let block = |who: &str| parsed(&format!("block {who}")).unwrap();
        assert_eq!(block("192.0.2.0/24"), Some(Command::Block(net.into())));
        assert_eq!(block("aaaa"), Some(Command::Block(peer_of(0).into())));
        let ip: IpAddr = "2001:db8::1".parse().unwrap();
        assert_eq!(block("2001:db8::1"), Some(Command::Block(ip.into())));
    }

    #[test]
    fn wrong_lines_say_what_is_wrong() {
        assert_eq!(parsed("  "), Ok(None));
        for line in ["sned", "send", "block", "connect", "connect 192.0.2.7:1"] {
            assert!(parsed(line).is_err(), "{line}");
        }
        assert!(parse_among("send * hi", &[]).is_err());
    }
}
