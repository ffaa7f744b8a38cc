//! The command line of `crust node`.

use std::num::NonZeroU64;

use clap::{Args, ValueEnum};
use crust::Target;

use crate::{finding::FindingArgs, identity::IdentityArgs, target};

/// What carries sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Carrier {
    Tcp,
    Utp,
    Both,
}

#[derive(Debug, Args)]
pub(crate) struct NodeCommand {
    /// Peers to connect to: a peer id, an address, or both as PEER@ADDRESS
    #[arg(value_name = "PEER", value_parser = target::parse)]
    pub(crate) peers: Vec<Target>,
    /// Listens on this port, or on a random one where it is taken; 5483 is customary
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    pub(crate) port: u16,
    /// Uses this transport: TCP, uTP, or uTP where TCP does not get through
    #[arg(long, value_enum, value_name = "WHICH", default_value_t = Carrier::Both)]
    pub(crate) transport: Carrier,
    #[command(flatten)]
    pub(crate) identity: IdentityArgs,
    #[command(flatten)]
    pub(crate) finding: FindingArgs,
    /// Does not ask the gateways for this port
    #[arg(long)]
    pub(crate) no_map: bool,
    /// Asks this STUN server, as IP:PORT, how it sees this node; may be given several times. Peers tell it too
    #[arg(long, value_name = "ADDR")]
    pub(crate) stun: Vec<std::net::SocketAddr>,
    /// What this node is called in its own output, to tell terminals apart
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Sends random messages to the first peer, so many bytes a second: 500, 20k, 5M, 1G
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub(crate) speed: Option<NonZeroU64>,
    /// Prints one JSON object a line, for programs
    #[arg(long)]
    pub(crate) json: bool,
}

fn rate(text: &str) -> Result<NonZeroU64, String> {
    let (digits, scale) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 1_000),
        Some(b'm' | b'M') => (&text[..text.len() - 1], 1_000_000),
        Some(b'g' | b'G') => (&text[..text.len() - 1], 1_000_000_000),
        _ => (text, 1),
    };
    let number: f64 = digits.parse().map_err(|_| WRONG_RATE)?;
    let rate = number * f64::from(scale);
    if !(1.0..=MAX_RATE).contains(&rate) {
        return Err(WRONG_RATE.into());
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "within the range above"
    )]
    NonZeroU64::new(rate as u64).ok_or_else(|| WRONG_RATE.into())
}

const WRONG_RATE: &str = "bytes a second are wanted, as 500, 20k, 5M or 1G";
/// More than any network has.
const MAX_RATE: f64 = 1e12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_with_their_scale() {
        assert_eq!(rate("500").unwrap().get(), 500);
        assert_eq!(rate("1.5k").unwrap().get(), 1_500);
        assert_eq!(rate("5M").unwrap().get(), 5_000_000);
        for wrong in ["", "k", "-1", "0", "1e99", "nan", "5x", "é"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }
}
