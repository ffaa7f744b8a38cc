//! The hello: what two nodes tell each other first.

use crust_core::{
    Addr,
    codec::{self, CodecError},
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The first frame of each side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// The session protocol's version; see [`Hello::VERSION`].
    pub(crate) version: u16,
    /// Random for each run of a node: another one means that the peer restarted.
    pub(crate) instance: u64,
    /// Random for each connection; both sides' together name it, see [`Hello::connection`].
    pub(crate) token: u64,
    /// The connection of the last session with the other side that has ended here.
    pub(crate) ended: Option<u64>,
    /// Where the sender listens; never loopback, unspecified or link-local addresses.
    pub(crate) addrs: Vec<Addr>,
    /// The address at which the sender sees the other side.
    pub(crate) observed: Addr,
    /// Bytes of the longest message the sender takes.
    pub(crate) max_message: u32,
    /// What messages may cost that the sender's application has not read.
    pub(crate) window: u64,
}

impl Hello {
    /// The version spoken here.
    pub(crate) const VERSION: u16 = 1;
    /// Listening addresses in a hello, at most: two protocols, two families, four interfaces.
    pub(crate) const MAX_ADDRS: usize = 16;
    /// Bytes of the longest hello: all addresses at their longest, and the rest. It fits one record.
    pub(crate) const MAX_LEN: usize = (Self::MAX_ADDRS + 1) * (Addr::MAX_LEN + 3) + 64;

    pub(crate) fn encode(&self) -> Result<Vec<u8>, CodecError> {
        codec::encode::<_, { Self::MAX_LEN }>(self)
    }

    pub(crate) fn decode(body: &[u8]) -> Result<Self, HelloError> {
        let hello: Self = codec::decode::<_, { Self::MAX_LEN }>(body)?;
        if hello.version != Self::VERSION {
            return Err(HelloError::Version(hello.version));
        }
        if hello.addrs.len() > Self::MAX_ADDRS {
            return Err(HelloError::TooManyAddrs(hello.addrs.len()));
        }
        Ok(hello)
    }

    /// The name of the connection between two hellos, the same from either side.
    pub(crate) const fn connection(&self, other: &Self) -> u64 {
        self.token ^ other.token
    }
}

/// Why a hello is not taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum HelloError {
    #[error("the hello cannot be read")]
    Codec(#[from] CodecError),
    #[error("a hello has at most {} addresses, not {}", Hello::MAX_ADDRS, .0)]
    TooManyAddrs(usize),
    #[error(
        "the other side speaks session protocol {}, this side {}",
        .0,
        Hello::VERSION
    )]
    Version(u16),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hello(addrs: usize) -> Hello {
        let longest: Addr = format!("tcp://{}", "a".repeat(Addr::MAX_LEN - 6))
            .parse()
            .unwrap();
        Hello {
            version: Hello::VERSION,
            instance: u64::MAX,
            token: u64::MAX,
            ended: Some(u64::MAX),
            addrs: vec![longest.clone(); addrs],
            observed: longest,
            max_message: u32::MAX,
            window: u64::MAX,
        }
    }

    #[test]
    fn longest_hello_fits() {
        let body = hello(Hello::MAX_ADDRS).encode().unwrap();
        assert_eq!(Hello::decode(&body), Ok(hello(Hello::MAX_ADDRS)));
        assert!(body.len() < crust_crypto::MAX_PLAINTEXT);
    }

    #[test]
    fn hello_with_ten_thousand_addresses_is_refused() {
        let mut many = hello(0);
        many.addrs = vec!["t://a".parse().unwrap(); 10_000];
        let body = codec::encode::<_, 1_000_000>(&many).unwrap();
        assert_eq!(
            Hello::decode(&body),
            Err(HelloError::Codec(CodecError::TooLong {
                limit: Hello::MAX_LEN
            }))
        );
        many.addrs.truncate(17);
        let body = codec::encode::<_, 1_000_000>(&many).unwrap();
        assert_eq!(Hello::decode(&body), Err(HelloError::TooManyAddrs(17)));
    }

    #[test]
    fn hello_of_another_version_is_refused() {
        let mut later = hello(0);
        later.version = 9;
        assert_eq!(
            Hello::decode(&later.encode().unwrap()),
            Err(HelloError::Version(9))
        );
    }

    #[test]
    fn both_sides_name_a_connection_alike() {
        let (mut a, mut b) = (hello(0), hello(0));
        (a.token, b.token) = (0x1234, 0x9876);
        assert_eq!(a.connection(&b), b.connection(&a));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            let _ = Hello::decode(&bytes);
        }
    }
}
