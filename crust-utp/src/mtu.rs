//! How long a datagram may be on the path (RFC 8899): a safe length first, longer ones when a probe has come through.

use std::time::{Duration, Instant};

/// The search for the longest datagram.
///
/// A probe is an ordinary data packet made longer by padding, so that what it carries is not lost with it: it is sent
/// again without. Lengths go up the steps of [`STEPS`], each tried up to [`TRIES`] times.
#[derive(Debug, Clone)]
pub(crate) struct PathMtu {
    /// Bytes of the longest datagram that is known to get through.
    current: usize,
    /// The longest that is to be tried.
    most: usize,
    search: Search,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Search {
    Ready {
        tries: u32,
    },
    Probing {
        len: usize,
        tries: u32,
    },
    /// The next step does not get through; paths change, so it is tried again later.
    Over {
        until: Instant,
    },
}

impl PathMtu {
    /// `start` bytes are known to get through, and nothing over `most` is to be tried.
    pub(crate) const fn new(start: usize, most: usize) -> Self {
        Self {
            current: start,
            most,
            search: Search::Ready { tries: 0 },
        }
    }

    /// Bytes of the longest datagram that may be sent.
    pub(crate) const fn datagram_len(&self) -> usize {
        self.current
    }

    /// The length of a probe to send now, if one is wanted.
    pub(crate) fn poll_probe(&mut self, now: Instant) -> Option<usize> {
        let tries = match self.search {
            Search::Ready { tries } => tries,
            Search::Over { until } if until <= now => 0,
            Search::Probing { .. } | Search::Over { .. } => return None,
        };
        let len = self.next_step()?;
        self.search = Search::Probing { len, tries };
        Some(len)
    }

    /// The probe was acknowledged.
    pub(crate) fn on_arrived(&mut self) {
        if let Search::Probing { len, .. } = self.search {
            self.current = self.current.max(len);
            self.search = Search::Ready { tries: 0 };
        }
    }

    /// The probe was lost.
    pub(crate) fn on_lost(&mut self, now: Instant) {
        if let Search::Probing { tries, .. } = self.search {
            self.search = if tries + 1 < TRIES {
                Search::Ready { tries: tries + 1 }
            } else {
                Search::Over {
                    until: now + AGAIN_AFTER,
                }
            };
        }
    }

    /// The system says that a datagram of `len` bytes is too long for the path.
    pub(crate) fn on_too_long(&mut self, now: Instant, len: usize) {
        if len <= self.current {
            self.on_black_hole(now);
        }
        self.search = Search::Over {
            until: now + AGAIN_AFTER,
        };
    }

    /// Nothing gets through: perhaps because it is too long. Gives whether datagrams are shorter now.
    pub(crate) fn on_black_hole(&mut self, now: Instant) -> bool {
        let was = self.current;
        self.current = was.min(SAFE_LEN);
        self.search = Search::Over {
            until: now + AFTER_BLACK_HOLE,
        };
        self.current < was
    }

    fn next_step(&self) -> Option<usize> {
        let next = STEPS.into_iter().find(|step| *step > self.current)?;
        let next = next.min(self.most);
        (next > self.current).then_some(next)
    }
}

/// Bytes of a datagram that gets through everywhere (RFC 9000 §14; IPv6 carries 1,280 with its header).
pub(crate) const SAFE_LEN: usize = 1_200;
/// Lengths that paths have: tunnels, then Ethernet of 1,500 and of 9,000 bytes with the headers of IPv6 and of IPv4
/// left out, then what there is within a machine.
const STEPS: [usize; 9] = [
    1_400, 1_452, 1_472, 4_000, 8_952, 8_972, 16_384, 32_768, 65_507,
];
/// RFC 8899 §5.1.2 asks for three; a probe that is lost twice was most likely too long, and is tried again anyway.
const TRIES: u32 = 2;
/// RFC 8899 §5.1.1: ten minutes.
const AGAIN_AFTER: Duration = Duration::from_secs(600);
/// It was most likely congestion.
const AFTER_BLACK_HOLE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    fn search(mtu: &mut PathMtu, now: Instant, path: usize) -> u32 {
        let mut probes = 0;
        while let Some(len) = mtu.poll_probe(now) {
            probes += 1;
            if len <= path {
                mtu.on_arrived();
            } else {
                mtu.on_lost(now);
            }
        }
        probes
    }

    #[test]
    fn search_ends_at_what_the_path_takes() {
        let now = crust_core::rt::now();
        for (path, found) in [
            (1_199, 1_200),
            (1_472, 1_472),
            (1_460, 1_452),
            (9_000, 8_972),
        ] {
            let mut mtu = PathMtu::new(SAFE_LEN, 65_507);
            assert!(search(&mut mtu, now, path) < 10);
            assert_eq!(mtu.datagram_len(), found);
        }
    }

    #[test]
    fn one_probe_is_out_at_a_time_and_none_beyond_the_bound() {
        let now = crust_core::rt::now();
        let mut mtu = PathMtu::new(SAFE_LEN, 1_420);
        assert_eq!(mtu.poll_probe(now), Some(1_400));
        assert_eq!(mtu.poll_probe(now), None);
        mtu.on_arrived();
        assert_eq!(mtu.poll_probe(now), Some(1_420));
        mtu.on_arrived();
        assert_eq!(mtu.poll_probe(now), None);
    }

    #[test]
    fn black_hole_brings_back_the_safe_length_and_the_search_begins_again_later() {
        let now = crust_core::rt::now();
        let mut mtu = PathMtu::new(SAFE_LEN, 65_507);
        search(&mut mtu, now, 1_500);
        assert!(mtu.on_black_hole(now));
        assert_eq!(mtu.datagram_len(), SAFE_LEN);
        assert_eq!(mtu.poll_probe(now), None);
        search(&mut mtu, now + AFTER_BLACK_HOLE, 1_400);
        assert_eq!(mtu.datagram_len(), 1_400);
    }
}
