//! How many requests are answered.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

/// At most so many in a second, from one prefix and in all. The seconds follow one another, so that any second may have
/// twice that.
///
/// The table is emptied at each second's beginning, and has no prefix from which nothing was admitted: so it has no more
/// entries than requests are admitted in all, whoever pretends to be how many.
#[derive(Debug)]
pub(super) struct Limit {
    per_prefix: u32,
    total: u32,
    second: Instant,
    admitted: u32,
    prefixes: HashMap<u64, u32>,
}

impl Limit {
    pub(super) fn new(per_prefix: u32, total: u32, now: Instant) -> Self {
        Self {
            per_prefix,
            total,
            second: now,
            admitted: 0,
            prefixes: HashMap::new(),
        }
    }

    /// Whether one more, from `ip`, is within the limits; it counts then.
    pub(super) fn admit(&mut self, now: Instant, ip: IpAddr) -> bool {
        if now.saturating_duration_since(self.second) >= SECOND {
            self.second = now;
            self.admitted = 0;
            self.prefixes.clear();
        }
        if self.admitted >= self.total || self.per_prefix == 0 {
            return false;
        }
        let admitted = self.prefixes.entry(prefix(ip)).or_default();
        if *admitted >= self.per_prefix {
            return false;
        }
        *admitted += 1;
        self.admitted += 1;
        true
    }
}

/// /24 of IPv4, and /48 of IPv6: what one customer of a provider has at most.
fn prefix(ip: IpAddr) -> u64 {
    match ip.to_canonical() {
        IpAddr::V4(ip) => u64::from(ip.to_bits() >> 8),
        IpAddr::V6(ip) => {
            let [a, b, c, ..] = ip.segments();
            IPV6 | u64::from(a) << 32 | u64::from(b) << 16 | u64::from(c)
        }
    }
}

/// Above 48 bits.
const IPV6: u64 = 1 << 63;
const SECOND: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn admitted(limit: &mut Limit, now: Instant, from: &str) -> usize {
        (0..100).filter(|_| limit.admit(now, ip(from))).count()
    }

    #[test]
    fn prefix_has_its_share_and_leaves_the_others_theirs() {
        let now = crust_core::rt::now();
        let mut limit = Limit::new(10, 1_000, now);
        let neighbours = [
            "192.0.2.1",
            "192.0.2.200",
            "2001:db8:7::1",
            "2001:db8:7:9::1",
        ];
        let counts = neighbours.map(|from| admitted(&mut limit, now, from));
        assert_eq!(counts, [10, 0, 10, 0]);
        let others = ["192.0.3.1", "2001:db8:8::1"];
        assert_eq!(others.map(|from| admitted(&mut limit, now, from)), [10, 10]);
    }

    #[test]
    fn all_together_have_a_limit_which_bounds_the_table() {
        let now = crust_core::rt::now();
        let mut limit = Limit::new(10, 25, now);
        let from = |number: u32| IpAddr::V4((number << 8).into());
        let count = (0..1_000).filter(|number| limit.admit(now, from(*number)));
        assert_eq!(count.count(), 25);
        assert_eq!(limit.prefixes.len(), 25);
    }

    #[test]
    fn refused_prefix_takes_nothing_from_the_others() {
        let now = crust_core::rt::now();
        let mut limit = Limit::new(10, 25, now);
        admitted(&mut limit, now, "192.0.2.1");
        assert_eq!(admitted(&mut limit, now, "192.0.3.1"), 10);
    }

    #[test]
    fn next_second_is_another() {
        let now = crust_core::rt::now();
        let mut limit = Limit::new(10, 25, now);
        admitted(&mut limit, now, "192.0.2.1");
        let soon = now + Duration::from_millis(999);
        assert_eq!(admitted(&mut limit, soon, "192.0.2.1"), 0);
        assert_eq!(admitted(&mut limit, now + SECOND, "192.0.2.1"), 10);
    }

    #[test]
    fn zero_admits_nobody() {
        let now = crust_core::rt::now();
        for (per_prefix, total) in [(0, 1_000), (10, 0)] {
            let mut limit = Limit::new(per_prefix, total, now);
            assert_eq!(admitted(&mut limit, now, "192.0.2.1"), 0);
            assert!(limit.prefixes.is_empty());
        }
    }
}
