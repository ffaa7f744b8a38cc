//! The protocols of a port, and which datagram is whose.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use super::datagram::Datagram;

/// One of the protocols that share a port.
///
/// Its methods are called by the task that receives, one at a time, so they are short and never wait.
pub trait Protocol: fmt::Debug + Send + Sync + 'static {
    /// Whether `datagram` is this protocol's: a cheap look at it, without an effect.
    fn claim(&self, datagram: &Datagram<'_>) -> bool;

    /// Takes a datagram that was claimed. What it says is a stranger's word.
    fn handle(&self, now: Instant, datagram: &Datagram<'_>);

    /// Learns that no more datagrams are at hand now, after some were: the time to acknowledge them all at once.
    ///
    /// The default does nothing.
    fn handle_batch_end(&self, now: Instant) {
        let _ = now;
    }
}

/// A protocol's place at a port. Dropping it takes the protocol off, after the datagrams that are being delivered.
///
/// The port holds the protocol until then; a protocol that holds both its port and this is never freed.
#[must_use = "dropping it takes the protocol off the port"]
pub struct Registration {
    protocols: Arc<Protocols>,
    id: u64,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.protocols.remove(self.id);
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Registration({})", self.id)
    }
}

/// All protocols of a port, in the order in which they are asked.
#[derive(Debug, Default)]
pub(super) struct Protocols(Mutex<Registered>);

#[derive(Debug, Default)]
struct Registered {
    last_id: u64,
    /// Replaced at each change, so that a delivery goes on with what there was.
    protocols: Arc<Vec<(u64, Arc<dyn Protocol>)>>,
}

impl Protocols {
    /// Asks `protocol` at its turn; `None` where there are as many as there may be.
    pub(super) fn add(
        self: &Arc<Self>,
        protocol: Arc<dyn Protocol>,
        turn: Turn,
    ) -> Option<Registration> {
        let mut registered = self.lock();
        if registered.protocols.len() == MAX_PROTOCOLS {
            return None;
        }
        registered.last_id += 1;
        let id = registered.last_id;
        let at = match turn {
            Turn::First => 0,
            Turn::Last => registered.protocols.len(),
        };
        Arc::make_mut(&mut registered.protocols).insert(at, (id, protocol));
        drop(registered);
        Some(Registration {
            protocols: self.clone(),
            id,
        })
    }

    /// Gives each of `datagrams` to whom it belongs, and then tells each who got one.
    pub(super) fn deliver<'a>(
        &self,
        now: Instant,
        datagrams: impl Iterator<Item = Datagram<'a>>,
    ) -> Delivered {
        let protocols = self.lock().protocols.clone();
        let mut got = [false; MAX_PROTOCOLS];
        let mut delivered = Delivered::default();
        for datagram in datagrams {
            delivered.received += 1;
            let owner = protocols.iter().position(|(_, it)| it.claim(&datagram));
            let Some(owner) = owner else {
                delivered.unclaimed += 1;
                continue;
            };
            protocols[owner].1.handle(now, &datagram);
            got[owner] = true;
        }
        for ((_, protocol), got) in protocols.iter().zip(got) {
            if got {
                protocol.handle_batch_end(now);
            }
        }
        delivered
    }

    fn remove(&self, id: u64) {
        let mut registered = self.lock();
        let old = registered.protocols.clone();
        Arc::make_mut(&mut registered.protocols).retain(|(other, _)| *other != id);
        drop(registered);
        // The last that holds the protocol drops it, and with it perhaps registrations of its own: not under the lock.
        drop(old);
    }

    fn lock(&self) -> MutexGuard<'_, Registered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When a protocol is asked, among those registered at the time.
#[derive(Debug, Clone, Copy)]
pub(super) enum Turn {
    First,
    Last,
}

/// How many datagrams there were.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Delivered {
    pub(super) received: u64,
    pub(super) unclaimed: u64,
}

/// Each is asked about each datagram; there are uTP, STUN, punching and a few to come.
pub(super) const MAX_PROTOCOLS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rt;

    /// Claims what begins with its letter, and writes down what it gets; a full stop at the end of each batch.
    #[derive(Debug)]
    struct Letter {
        letter: u8,
        got: Mutex<Vec<u8>>,
    }

    impl Letter {
        fn new(letter: u8) -> Arc<Self> {
            Arc::new(Self {
                letter,
                got: Mutex::default(),
            })
        }

        fn got(&self) -> String {
            String::from_utf8(self.got.lock().unwrap().clone()).unwrap()
        }
    }

    impl Protocol for Letter {
        fn claim(&self, datagram: &Datagram<'_>) -> bool {
            datagram.data.first() == Some(&self.letter)
        }

        fn handle(&self, _: Instant, datagram: &Datagram<'_>) {
            self.got.lock().unwrap().extend(datagram.data);
        }

        fn handle_batch_end(&self, _: Instant) {
            self.got.lock().unwrap().push(b'.');
        }
    }

    fn deliver(protocols: &Protocols, datagrams: &[&[u8]]) -> Delivered {
        let from = "192.0.2.1:1".parse().unwrap();
        let datagrams = datagrams.iter().map(|data| Datagram::new(from, data));
        protocols.deliver(rt::now(), datagrams)
    }

    #[test]
    fn first_that_claims_gets_it_and_the_end_of_the_batch_once() {
        let protocols = Arc::new(Protocols::default());
        let letters = [b'a', b'b', b'b', b'c'].map(Letter::new);
        let _held = letters
            .each_ref()
            .map(|letter| protocols.add(letter.clone(), Turn::Last).unwrap());
        let delivered = deliver(&protocols, &[b"b1", b"a1", b"b2", b"", b"x"]);
        let expected = Delivered {
            received: 5,
            unclaimed: 2,
        };
        assert_eq!(delivered, expected);
        let got = letters.map(|letter| letter.got());
        assert_eq!(got, ["a1.", "b1b2.", "", ""]);
    }

    #[test]
    fn dropped_registration_leaves_the_protocol_to_the_next() {
        let protocols = Arc::new(Protocols::default());
        let (first, second) = (Letter::new(b'a'), Letter::new(b'a'));
        let held = protocols.add(first.clone(), Turn::Last).unwrap();
        let _second = protocols.add(second.clone(), Turn::Last).unwrap();
        drop(held);
        deliver(&protocols, &[b"a1"]);
        assert_eq!((first.got().as_str(), second.got().as_str()), ("", "a1."));
        assert_eq!(Arc::strong_count(&first), 1);
    }

    #[test]
    fn protocol_with_the_first_turn_is_asked_before_those_that_were_there() {
        let protocols = Arc::new(Protocols::default());
        let (early, late) = (Letter::new(b'a'), Letter::new(b'a'));
        let _early = protocols.add(early.clone(), Turn::Last).unwrap();
        let _late = protocols.add(late.clone(), Turn::First).unwrap();
        deliver(&protocols, &[b"a1"]);
        assert_eq!((early.got().as_str(), late.got().as_str()), ("", "a1."));
    }

    #[test]
    fn protocols_are_bounded() {
        let protocols = Arc::new(Protocols::default());
        let add = |_| protocols.add(Letter::new(b'a'), Turn::Last);
        let mut held: Vec<_> = (0..MAX_PROTOCOLS).map(add).collect();
        assert!(held.iter().all(Option::is_some));
        assert!(add(0).is_none());
        held.pop();
        assert!(add(0).is_some());
    }
}
