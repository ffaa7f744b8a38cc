//! The options that say how a node finds others.

use std::{ops::RangeInclusive, path::PathBuf};

use clap::Args;
use crust::{Contact, Lan, NodeBuilder};

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
    #[arg(long, value_name = "ADDR")]
    contact: Vec<Contact>,
    /// Stays connected to so many peers, dialing below and refusing above
    #[arg(long, value_name = "MIN..MAX", default_value = "8..16", value_parser = range)]
    keep: (usize, usize),
}

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
            None => builder.cache(),
        };
        let keep: RangeInclusive<usize> = self.keep.0..=self.keep.1;
        builder.contacts(self.contact.clone()).keep(keep)
    }
}

fn range(text: &str) -> Result<(usize, usize), String> {
    let wrong = || "two numbers are wanted, the smaller first, as 8..16".to_owned();
    let (least, most) = text.split_once("..").ok_or_else(wrong)?;
    let number = |text: &str| text.trim_start_matches('=').parse().map_err(|_| wrong());
    let (least, most) = (number(least)?, number(most)?);
    if least > most || most == 0 {
        return Err(wrong());
    }
    Ok((least, most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn range_is_two_numbers_the_smaller_first() {
        assert_eq!(range("8..16"), Ok((8, 16)));
        assert_eq!(range("0..=3"), Ok((0, 3)));
        for wrong in ["", "8", "8..", "..16", "16..8", "0..0", "a..b", "-1..2"] {
            assert!(range(wrong).is_err(), "{wrong}");
        }
    }
}
