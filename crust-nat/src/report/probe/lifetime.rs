//! For how long a UDP mapping lives over which nothing is sent.

use std::{net::SocketAddr, time::Duration};

use crust_core::rt;
use futures::{StreamExt, stream::FuturesUnordered};

use super::{Prober, udp::Port};
use crate::{
    report::{Lifetime, judge},
    stun::{Request, Retransmission, StunError},
};

impl Prober {
    /// Measures for how long a UDP mapping lives over which nothing is sent, up to `longest`, and tells `on_progress` of each
    /// step. It takes up to twice the time that it measures; run it beside other things.
    ///
    /// Each look has a port of its own, which sends once and then is silent. After its time the server is asked, from another
    /// port, to send to the first one's external port (RESPONSE-PORT, RFC 5780 §7.5): what does not arrive any more had
    /// no mapping. Looks after twice the time of the one before come first, all at once; then the gap between the last
    /// that arrived and the first that did not is divided, until it is a tenth of the time.
    ///
    /// `None` where no server answers that does this; peers do.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future frees all ports.
    pub async fn lifetime(
        &self,
        longest: Duration,
        mut on_progress: impl FnMut(Lifetime),
    ) -> Option<Lifetime> {
        let server = self.server_that_sends_elsewhere().await?;
        let mut looks: Vec<(u32, bool)> = Vec::new();
        loop {
            let after = next_looks(judge::lifetime(&looks), longest);
            if after.is_empty() {
                return judge::lifetime(&looks);
            }
            let looking = after.into_iter().map(|after_s| look(server, after_s));
            let mut looking: FuturesUnordered<_> = looking.collect();
            while let Some((after_s, is_there)) = looking.next().await {
                looks.push((after_s, is_there?));
                let lifetime = judge::lifetime(&looks)?;
                on_progress(lifetime);
                if !is_there? {
                    // Those that take longer would find nothing either.
                    break;
                }
            }
        }
    }

    async fn server_that_sends_elsewhere(&self) -> Option<SocketAddr> {
        let all = self.servers.iter().chain(&self.peers);
        for server in all.filter(|server| server.is_ipv4()) {
            if look(*server, 0).await.1 == Some(true) {
                return Some(*server);
            }
        }
        None
    }
}

/// After how many seconds is to be looked next, where so much is known.
fn next_looks(known: Option<Lifetime>, longest: Duration) -> Vec<u32> {
    let longest_s = u32::try_from(longest.as_secs()).unwrap_or(u32::MAX);
    let Some(Lifetime {
        at_least_s,
        under_s,
    }) = known
    else {
        let doubled = |after_s: &u32| after_s.checked_mul(2);
        return std::iter::successors(Some(FIRST_LOOK_S), doubled)
            .take_while(|after_s| *after_s <= longest_s)
            .collect();
    };
    let Some(under_s) = under_s else {
        return Vec::new();
    };
    let gap = under_s.saturating_sub(at_least_s);
    if gap <= 1 || gap <= under_s / 10 {
        return Vec::new();
    }
    let steps = gap.min(4);
    let mut looks: Vec<_> = (1..steps)
        .map(|step| at_least_s + gap * step / steps)
        .collect();
    looks.dedup();
    looks
}

/// Whether a mapping is there `after_s` seconds after it was made; `None` where nothing can be said.
async fn look(server: SocketAddr, after_s: u32) -> (u32, Option<bool>) {
    (after_s, is_there_after(server, after_s).await)
}

async fn is_there_after(server: SocketAddr, after_s: u32) -> Option<bool> {
    let silent = Port::bind(server.ip())?;
    let request = Request::new(server).with_retransmission(Retransmission::QUICK);
    let binding = silent.stun.request(request).await.ok()?;
    let before = silent.stun.stats().strays;
    rt::sleep(Duration::from_secs(after_s.into())).await;
    let asking = Port::bind(server.ip())?;
    let mapped = binding.observed_addr.port();
    let elsewhere = Request::new(server)
        .with_response_port(mapped)
        .with_retransmission(ASKED_FIVE_TIMES);
    match asking.stun.request(elsewhere).await {
        // The answer went to the other port, if it arrived; this one hears nothing.
        Err(StunError::TimedOut { .. }) => Some(silent.stun.stats().strays > before),
        _ => None,
    }
}

/// No NAT forgets sooner.
const FIRST_LOOK_S: u32 = 2;
/// At 2 % of loss each way all are lost in one of 10⁵ cases.
const ASKED_FIVE_TIMES: Retransmission = Retransmission {
    rto: Duration::from_millis(80),
    max_requests: 5,
    last_wait: 6,
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks as the rule says, at a mapping that lives for `lives_s`.
    fn measured(lives_s: u32, longest_s: u64) -> (Lifetime, usize) {
        let mut looks = Vec::new();
        for rounds in 1.. {
            let known = judge::lifetime(&looks);
            let next = next_looks(known, Duration::from_secs(longest_s));
            if next.is_empty() {
                return (known.unwrap(), rounds);
            }
            looks.extend(next.into_iter().map(|after_s| (after_s, after_s < lives_s)));
        }
        unreachable!()
    }

    #[test]
    fn lifetime_is_found_to_a_tenth_in_a_few_rounds() {
        for lives_s in [3, 20, 30, 120, 180, 300, 599] {
            let (lifetime, rounds) = measured(lives_s, 1_200);
            let under_s = lifetime.under_s.unwrap();
            assert!(lifetime.at_least_s < lives_s && lives_s <= under_s);
            let gap = under_s - lifetime.at_least_s;
            assert!(gap <= 1.max(under_s / 10), "{lives_s}: {lifetime:?}");
            assert!(rounds <= 4, "{lives_s}: {rounds} rounds");
        }
    }

    #[test]
    fn mapping_that_outlives_the_looks_has_no_upper_bound() {
        let (lifetime, _) = measured(7_200, 300);
        assert_eq!((lifetime.at_least_s, lifetime.under_s), (256, None));
    }
}
