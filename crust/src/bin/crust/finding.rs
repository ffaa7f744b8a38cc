//! The options that say how a node finds others.

use std::{ops::RangeInclusive, path::PathBuf};

use clap::Args;
use crust::{Contact, Lan, NodeBuilder, core::Transport};
use crust_bootstrap::default_path;
use crust_tcp::TcpTransport;

/// How a node finds others, and how many it stays connected to.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Finding peers")]
pub(crate) struct FindingArgs {
    /// Looks for nobody on the LAN, and is not found there
    #[arg(long)]
    no_beacon: bool,
    /// Uses this UDP port on the LAN; only nodes with the same one find each other
    #[arg(long, value_name = "PORT", default_value_t = Lan::default().port)]
    beacon_port: u16,
    /// Neither reads nor writes the peers of earlier runs
    #[arg(long)]
    no_cache: bool,
    /// Keeps the peers of earlier runs in this file, not in the user's data directory
    #[arg(long, value_name = "FILE", conflicts_with = "no_cache")]
    cache: Option<PathBuf>,
    /// Learns of nobody from peers, and tells them of nobody
    #[arg(long)]
    no_gossip: bool,
    /// Tries this address, or PEER@ADDRESS, after the peers of earlier runs; may be given several times
    #[arg(long, value_name = "ADDR", value_parser = contact)]
    contact: Vec<Contact>,
    /// Stays connected to so many peers, dialing below and refusing above [default: 8..16]
    #[arg(long, value_name = "MIN..MAX", value_parser = range)]
    keep: Option<Range>,
}

/// The fewest sessions and the most.
type Range = (usize, usize);

impl FindingArgs {
    pub(crate) fn apply(&self, mut builder: NodeBuilder) -> NodeBuilder {
        if !self.no_beacon {
            let mut lan = Lan::default();
            lan.port = self.beacon_port;
            builder = builder.lan(lan);
        }
        if !self.no_gossip {
            builder = builder.gossip();
        }
        builder = match &self.cache {
            _ if self.no_cache => builder,
            Some(path) => builder.cache_file(path),
            None => {
                warn_without_home();
                builder.cache()
            }
        };
        let (least, most) = self.range();
        let keep: RangeInclusive<usize> = least..=most;
        builder.contacts(self.contact.clone()).keep(keep)
    }

    /// Whether somebody is to be found at all.
    pub(crate) fn seeks(&self) -> bool {
        self.is_demanding() || self.range().0 > 0
    }

    /// Whether finding nobody is a failure, and not what is to be expected of the first node of a network.
    pub(crate) fn is_demanding(&self) -> bool {
        !self.contact.is_empty() || self.keep.is_some_and(|(least, _)| least > 0)
    }

    fn range(&self) -> Range {
        self.keep.unwrap_or(KEEP)
    }
}

fn warn_without_home() {
    // The folder is the same for each network.
    if default_path(&[0; 16]).is_none() {
        tracing::warn!(
            "peers are not remembered: there is no home directory with an absolute path; name a file with --cache"
        );
    }
}

/// Reads a contact that this program has a transport for.
fn contact(text: &str) -> Result<Contact, String> {
    let contact: Contact = text
        .parse()
        .map_err(|error: crust::core::ContactError| error.to_string())?;
    // The transport that a node has by default.
    let tcp = TcpTransport::new();
    let served = tcp.schemes();
    let scheme = contact.addr.scheme();
    if served.contains(&scheme) {
        return Ok(contact);
    }
    let served = served.join(":// or ");
    Err(format!(
        "no transport serves {scheme}://; it is to be {served}://"
    ))
}

/// Reads `A..B` or `A..=B`, which mean the same here.
fn range(text: &str) -> Result<Range, String> {
    let read = || {
        let (least, most) = text.split_once("..")?;
        let most = most.strip_prefix('=').unwrap_or(most);
        Some((number(least)?, number(most)?))
    };
    match read() {
        Some((least, most)) if least <= most && most > 0 => Ok((least, most)),
        _ => Err("two numbers are wanted, the smaller first, as 8..16".into()),
    }
}

/// Digits alone: a number in Rust may have a sign.
fn number(text: &str) -> Option<usize> {
    let is_plain = text.bytes().all(|digit| digit.is_ascii_digit());
    is_plain.then(|| text.parse().ok())?
}

/// Enough that a network holds together, and few enough for a home's router.
const KEEP: Range = (8, 16);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn range_is_two_numbers_the_smaller_first() {
        assert_eq!(range("8..16"), Ok((8, 16)));
        assert_eq!(range("0..=3"), Ok((0, 3)));
        for wrong in [
            "",
            "8",
            "8..",
            "..16",
            "16..8",
            "0..0",
            "a..b",
            "-1..2",
            "8..====16",
            "=8..16",
            "+8..16",
            "8..+16",
            "8...16",
            "8 .. 16",
            "8..99999999999999999999",
        ] {
            assert!(range(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn contact_has_a_scheme_that_is_served() {
        assert!(contact("tcp://192.0.2.7:5483").is_ok());
        assert!(contact("bogus://x").unwrap_err().contains("tcp://"));
        assert!(contact("192.0.2.7:5483").is_err());
    }
}
