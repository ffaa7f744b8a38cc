//! A peer and a time as people write them.

use std::time::Duration;

use crust::{Contact, PeerId, Target};

/// Reads a peer id, an address, or both as `PEER@ADDRESS`.
pub(crate) fn parse(text: &str) -> Result<Target, String> {
    if !text.contains("://") && !text.contains('@') && !text.contains([':', '.']) {
        return text
            .parse::<PeerId>()
            .map(Target::from)
            .map_err(|error| format!("{error}, nor an address as tcp://192.0.2.7:5483"));
    }
    text.parse::<Contact>()
        .map(Target::from)
        .map_err(|error| error.to_string())
}

/// Reads a number of seconds.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "a number of seconds is wanted, as 5 or 0.5")?;
    if !(0.01..=86_400.0).contains(&seconds) {
        return Err("from 0.01 seconds to a day".into());
    }
    Ok(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peer_address_or_both_are_read() {
        let peer = PeerId::from_bytes([7; 32]);
        assert_eq!(parse(&peer.to_string()), Ok(peer.into()));
        let addr = "tcp://192.0.2.7:1";
        assert_eq!(parse(addr).unwrap().to_string(), addr);
        let both = format!("{peer}@{addr}");
        assert_eq!(parse(&both).unwrap().to_string(), both);
    }

    #[test]
    fn forgotten_scheme_is_named() {
        assert!(parse("192.0.2.7:5483").unwrap_err().contains("://"));
        assert!(parse("localhost:5483").unwrap_err().contains("://"));
    }
}
