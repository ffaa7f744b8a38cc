//! What a node tells, to people or to programs.

use std::net::IpAddr;

use anstyle::Style;
use crust::{
    AbuseKind, Addr, Contact, DisconnectReason, Message, Node, NodeStats, PeerId, Reachability,
    Session,
};
use serde::Serialize;

use super::rates::Rate;
use crate::{out, units};

/// Tells people or programs what happens.
#[derive(Debug)]
pub(super) struct Log {
    json: bool,
    name: Option<String>,
}

/// One line for programs.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Line<'a> {
    Abuse {
        source: IpAddr,
        kind: &'static str,
        count: u32,
        refused: bool,
    },
    Connected {
        peer: PeerId,
        addr: &'a Addr,
        role: String,
    },
    Discovered {
        peer: PeerId,
        source: &'static str,
    },
    Disconnected {
        peer: PeerId,
        reason: &'static str,
        detail: String,
    },
    Error {
        text: &'a str,
    },
    Listening {
        addr: &'a Addr,
        bound: &'a Addr,
        endpoints: &'a [Addr],
        peer: PeerId,
        contact: String,
        name: Option<&'a str>,
    },
    Message {
        peer: PeerId,
        bytes: usize,
        text: Option<&'a str>,
    },
    Peers {
        peers: Vec<Peer>,
    },
    Rate(&'a Rate),
    Reachability {
        scheme: &'a str,
        reachability: &'static str,
        external: Vec<Addr>,
    },
    Stats {
        sessions: usize,
        handshakes_failed: u64,
        refused: u64,
        protocol_errors: u64,
    },
}

/// One session, as `peers` shows it.
#[derive(Debug, Serialize)]
struct Peer {
    peer: PeerId,
    addr: Addr,
    role: String,
    rtt_us: u128,
    messages_in: u64,
    messages_out: u64,
    bytes_in: u64,
    bytes_out: u64,
}

impl Log {
    pub(super) const fn new(json: bool, name: Option<String>) -> Self {
        Self { json, name }
    }

    /// Where the node can be reached, and what to type in another terminal for it.
    pub(super) fn listening(&self, node: &Node) {
        let contact = node.contact();
        let endpoints: Vec<Addr> = node.endpoints().into_iter().map(|e| e.local).collect();
        for bound in node.listening() {
            let contact = contact.clone().unwrap_or_else(|| bound.clone().into());
            if self.json {
                out::json(&Line::Listening {
                    addr: &contact.addr,
                    bound,
                    endpoints: &endpoints,
                    peer: node.id(),
                    contact: contact.to_string(),
                    name: self.name.as_deref(),
                });
            } else {
                self.line("listening", out::GOOD, &bound.to_string());
                self.line("id", out::KEY, &node.id().to_string());
            }
        }
        if !self.json {
            hint(contact.into_iter().collect(), &endpoints);
        }
    }

    pub(super) fn discovered(&self, peer: PeerId, source: &'static str) {
        if self.json {
            return out::json(&Line::Discovered { peer, source });
        }
        let detail = out::paint(out::DIM, format!("by {source}"));
        self.line("found", out::DIM, &format!("{peer:#} {detail}"));
    }

    pub(super) fn connected(&self, session: &Session) {
        let (peer, role) = (session.peer(), session.role().to_string());
        if self.json {
            let addr = session.remote_addr();
            return out::json(&Line::Connected { peer, addr, role });
        }
        let (addr, cipher) = (session.remote_addr(), session.cipher());
        let detail = out::paint(out::DIM, format!("{addr}, {role}, {cipher}"));
        self.line(
            "connected",
            out::GOOD,
            &format!("{}  {detail}", short(peer)),
        );
    }

    pub(super) fn message(&self, session: &Session, message: &Message) {
        let (peer, bytes) = (session.peer(), message.data.len());
        let text = std::str::from_utf8(&message.data).ok();
        if self.json {
            return out::json(&Line::Message { peer, bytes, text });
        }
        // What is no text is in the rates, and nothing to look at.
        if let Some(text) = text {
            self.line(
                "message",
                Style::new(),
                &format!("{}  {}", short(peer), shown(text)),
            );
        }
    }

    pub(super) fn disconnected(&self, peer: PeerId, reason: &DisconnectReason) {
        let detail = reason.to_string();
        if self.json {
            let reason = reason.name();
            return out::json(&Line::Disconnected {
                peer,
                reason,
                detail,
            });
        }
        self.line(
            "disconnected",
            out::BAD,
            &format!("{}  {detail}", short(peer)),
        );
    }

    pub(super) fn abuse(&self, source: IpAddr, kind: AbuseKind, count: u32, refused: bool) {
        let kind = kind.name();
        if self.json {
            return out::json(&Line::Abuse {
                source,
                kind,
                count,
                refused,
            });
        }
        let refused = if refused { ", refused for a while" } else { "" };
        let text = format!("{source}  {kind}, {count} times{refused}");
        self.line("abuse", out::BAD, &text);
    }

    /// How far this node can be reached by one transport, and where.
    pub(super) fn reachability(&self, node: &Node, scheme: &str, reachability: Reachability) {
        let endpoints = node.endpoints().into_iter();
        let external = endpoints.filter_map(|endpoint| endpoint.external);
        let external: Vec<Addr> = external.filter(|addr| addr.scheme() == scheme).collect();
        if self.json {
            return out::json(&Line::Reachability {
                scheme,
                reachability: reachability.name(),
                external,
            });
        }
        let style = match reachability {
            Reachability::Public | Reachability::Mapped => out::GOOD,
            Reachability::Punchable => out::DOUBTFUL,
            _ => out::BAD,
        };
        let external: Vec<_> = external.iter().map(Addr::to_string).collect();
        let text = format!("{scheme}: {reachability}, {}", meaning(reachability));
        let detail = out::paint(out::DIM, external.join("  "));
        self.line("reached", style, &format!("{text}  {detail}"));
    }

    pub(super) fn rate(&self, rate: &Rate) {
        if self.json {
            return out::json(&Line::Rate(rate));
        }
        let side = |name, messages: u64, bytes: u64| {
            let messages = units::count(messages as f64 / rate.seconds);
            let bytes = units::bytes(bytes as f64 / rate.seconds);
            format!("{name} {messages:>6} messages/s {bytes:>8}/s")
        };
        let incoming = side("in", rate.messages_in, rate.bytes_in);
        let outgoing = side("out", rate.messages_out, rate.bytes_out);
        self.line("rate", out::DIM, &format!("{incoming}   {outgoing}"));
    }

    pub(super) fn peers(&self, sessions: &[Session]) {
        let peers: Vec<Peer> = sessions.iter().map(Peer::of).collect();
        if self.json {
            return out::json(&Line::Peers { peers });
        }
        if peers.is_empty() {
            out::talk("nobody is connected");
        }
        for peer in peers {
            let rtt = units::micros(peer.rtt_us as f64);
            let (came, went) = (
                units::bytes(peer.bytes_in as f64),
                units::bytes(peer.bytes_out as f64),
            );
            let detail = format!("{}, {rtt}, in {came}, out {went}", peer.addr);
            self.line("peer", out::KEY, &format!("{}  {detail}", peer.peer));
        }
    }

    pub(super) fn stats(&self, stats: &NodeStats) {
        let NodeStats {
            sessions,
            handshakes_failed,
            refused,
            protocol_errors,
            ..
        } = *stats;
        if self.json {
            return out::json(&Line::Stats {
                sessions,
                handshakes_failed,
                refused,
                protocol_errors,
            });
        }
        let text = format!(
            "{sessions} sessions; {handshakes_failed} handshakes failed, {refused} connections refused, \
             {protocol_errors} protocol errors"
        );
        self.line("stats", out::KEY, &text);
    }

    /// Something that was asked for did not work; the node goes on.
    pub(super) fn error(&self, text: &str) {
        if self.json {
            self.json_error(text);
        } else {
            out::failure(text);
        }
    }

    /// An error for programs alone: people are told of it when the command ends.
    pub(super) fn json_error(&self, text: &str) {
        if self.json {
            out::json(&Line::Error { text });
        }
    }

    fn line(&self, what: &str, style: Style, text: &str) {
        let name = match &self.name {
            Some(name) => out::paint(out::BOLD, format!("{} ", shown(name))),
            None => String::new(),
        };
        out::line(format!(
            "{name}{} {text}",
            out::paint(style, format!("{what:<12}"))
        ));
    }
}

impl Peer {
    fn of(session: &Session) -> Self {
        let stats = session.stats();
        Self {
            peer: session.peer(),
            addr: session.remote_addr().clone(),
            role: session.role().to_string(),
            rtt_us: session.rtt().as_micros(),
            messages_in: stats.messages_in,
            messages_out: stats.messages_out,
            bytes_in: stats.bytes_in,
            bytes_out: stats.bytes_out,
        }
    }
}

const fn meaning(reachability: Reachability) -> &'static str {
    match reachability {
        Reachability::Public => "peers come through",
        Reachability::Mapped => "peers come through a port that the router gave",
        Reachability::Punchable => "peers need a hole punched",
        Reachability::Unreachable => "peers cannot dial it",
        _ => "nobody has tried",
    }
}

fn hint(contacts: Vec<Contact>, endpoints: &[Addr]) {
    for contact in contacts {
        out::talk("\nConnect to it from another terminal or machine:\n");
        let peer = contact
            .peer
            .map(|peer| format!("{peer}@"))
            .unwrap_or_default();
        let shown: Vec<&Addr> = match endpoints {
            [] => vec![&contact.addr],
            some => some.iter().take(HINTS).collect(),
        };
        for addr in shown {
            out::talk(out::paint(out::BOLD, format!("  crust node {peer}{addr}")));
        }
    }
    out::talk("\nhelp shows what can be typed here; Ctrl-C ends.\n");
}

fn short(peer: PeerId) -> String {
    out::paint(out::KEY, format!("{peer:#}"))
}

/// Text of others, so that it cannot move the cursor, and not too long.
fn shown(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(SHOWN_LEN)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if shown.len() < text.len() && text.chars().nth(SHOWN_LEN).is_some() {
        shown += &format!("… ({} bytes)", text.len());
    }
    shown
}

/// A machine with many interfaces has too many addresses to choose from.
const HINTS: usize = 3;
/// Characters of a message shown to people.
const SHOWN_LEN: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_cannot_steer_the_terminal() {
        assert_eq!(shown("a\u{1b}[2Jb\n"), "a\u{fffd}[2Jb\u{fffd}");
        let long = "é".repeat(SHOWN_LEN + 1);
        assert!(shown(&long).ends_with("… (2002 bytes)"));
    }
}
