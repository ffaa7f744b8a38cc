//! Several addresses of one name, tried as RFC 8305 says.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use crust_core::rt;
use futures::stream::{FuturesUnordered, StreamExt};

/// Runs `attempts` in order: each starts when the one before it failed or has had `stagger`.
///
/// The first success drops all the others; without one, all errors are given in the order they came.
pub(crate) async fn race<A, T, E>(mut waiting: VecDeque<A>, stagger: Duration) -> Result<T, Vec<E>>
where
    A: Future<Output = Result<T, E>>,
{
    let mut errors = Vec::with_capacity(waiting.len());
    let mut running = FuturesUnordered::new();
    loop {
        running.extend(waiting.pop_front());
        let ended = if waiting.is_empty() {
            running.next().await
        } else {
            match rt::timeout(stagger, running.next()).await {
                Ok(ended) => ended,
                Err(_) => continue,
            }
        };
        match ended {
            Some(Ok(winner)) => return Ok(winner),
            Some(Err(error)) => errors.push(error),
            None => return Err(errors),
        }
    }
}

/// The order to try `addrs` in: the families alternate, the one the system prefers first (RFC 8305 §4); at most
/// [`MAX_ATTEMPTS`].
pub(crate) fn interleave(addrs: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let preferred = addrs.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (VecDeque<_>, VecDeque<_>) = addrs
        .into_iter()
        .partition(|addr| addr.is_ipv6() == preferred);
    let (mut turn, mut other) = (first, second);
    let mut order = VecDeque::new();
    while order.len() < MAX_ATTEMPTS {
        if let Some(addr) = turn.pop_front() {
            order.push_back(addr);
        } else if other.is_empty() {
            break;
        }
        std::mem::swap(&mut turn, &mut other);
    }
    order
}

/// How long an attempt has for itself before the next one starts (RFC 8305 §5, its recommended value).
pub(crate) const STAGGER: Duration = Duration::from_millis(250);
/// Whoever owns a name can give it hundreds of addresses; a dial must not become a scan of them.
const MAX_ATTEMPTS: usize = 16;

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use futures::future::{BoxFuture, FutureExt};

    use super::*;

    type Attempt = BoxFuture<'static, Result<u8, u8>>;

    /// Longer than a test may take, so that only a failure can start the next attempt.
    const NEVER: Duration = Duration::from_secs(3600);

    fn run<const N: usize>(attempts: [Attempt; N], stagger: Duration) -> Result<u8, Vec<u8>> {
        rt::block_on(race(VecDeque::from(attempts), stagger))
    }

    #[test]
    fn silent_address_does_not_hold_up_the_next() {
        let attempts = [pending().boxed(), ready(Ok(2)).boxed()];
        assert_eq!(run(attempts, Duration::from_millis(1)), Ok(2));
    }

    #[test]
    fn failure_starts_the_next_at_once() {
        let attempts = [ready(Err(1)).boxed(), ready(Ok(2)).boxed()];
        assert_eq!(run(attempts, NEVER), Ok(2));
    }

    #[test]
    fn success_starts_no_other() {
        let unwanted = async { panic!("started after a success") }.boxed();
        assert_eq!(run([ready(Ok(1)).boxed(), unwanted], NEVER), Ok(1));
    }

    #[test]
    fn late_success_of_an_early_attempt_counts() {
        let (send, received) = futures::channel::oneshot::channel();
        let first = received.map(|_| Ok(1)).boxed();
        let second = async move {
            send.send(()).unwrap();
            pending().await
        };
        assert_eq!(
            run([first, second.boxed()], Duration::from_millis(1)),
            Ok(1)
        );
    }

    #[test]
    fn all_failures_are_told() {
        let attempts = [ready(Err(1)).boxed(), ready(Err(2)).boxed()];
        assert_eq!(run(attempts, NEVER), Err(vec![1, 2]));
        assert_eq!(run([], NEVER), Err(vec![]));
    }

    #[test]
    fn families_alternate() {
        let addrs = |text: &str| -> Vec<SocketAddr> {
            text.split(' ').map(|addr| addr.parse().unwrap()).collect()
        };
        let given = addrs("[::1]:1 [::2]:1 [::3]:1 10.0.0.1:1 10.0.0.2:1");
        let order = addrs("[::1]:1 10.0.0.1:1 [::2]:1 10.0.0.2:1 [::3]:1");
        assert_eq!(interleave(given), order);
        let given = addrs("10.0.0.1:1 10.0.0.2:1 10.0.0.3:1 [::1]:1");
        let order = addrs("10.0.0.1:1 [::1]:1 10.0.0.2:1 10.0.0.3:1");
        assert_eq!(interleave(given), order);
    }

    #[test]
    fn name_with_many_addresses_is_not_scanned() {
        let many = (1..=500).map(|port| SocketAddr::from(([192, 0, 2, 1], port)));
        assert_eq!(interleave(many.collect()).len(), MAX_ATTEMPTS);
    }
}
