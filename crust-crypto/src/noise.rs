//! The Noise handshake: snow, set up as Crust uses it.

use crust_core::Role;
use snow::{Builder, Error, HandshakeState};
use zeroize::Zeroizing;

use crate::{
    kdf::Secret,
    payload::PAYLOAD_LEN,
    random::Random,
    resolver::{Resolver, X25519},
};

/// One end of `Noise_XX_25519_ChaChaPoly_SHA256`.
pub(crate) struct Noise(Box<HandshakeState>);

impl Noise {
    pub(crate) fn new(static_key: &X25519, role: Role, random: &Random) -> Self {
        let resolver = Resolver {
            random: random.clone(),
            static_key: static_key.clone(),
        };
        let params = PATTERN.parse().expect("the pattern is a protocol name");
        let builder = Builder::with_resolver(params, Box::new(resolver))
            .local_private_key(static_key.private())
            .and_then(|builder| builder.prologue(PROLOGUE));
        let state = builder.and_then(|builder| match role {
            Role::Dialer => builder.build_initiator(),
            Role::Listener => builder.build_responder(),
        });
        let state = state.expect("the resolver has what the pattern names");
        Self(Box::new(state))
    }

    /// Makes the next message.
    pub(crate) fn write(&mut self, payload: &[u8]) -> Result<Vec<u8>, Error> {
        let mut message = vec![0; MAX_LEN];
        let len = self.0.write_message(payload, &mut message)?;
        message.truncate(len);
        Ok(message)
    }

    /// Gives the payload of the far end's next message.
    pub(crate) fn read(&mut self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let mut payload = vec![0; message.len()];
        let len = self.0.read_message(message, &mut payload)?;
        payload.truncate(len);
        Ok(payload)
    }

    /// The secrets of the dialer's and of the listener's direction, after the last message.
    pub(crate) fn split(&mut self) -> (Secret, Secret) {
        let secrets = Zeroizing::new(self.0.dangerously_get_raw_split());
        (Secret::new(secrets.0), Secret::new(secrets.1))
    }

    /// The far end's static key, or nothing before it has come.
    pub(crate) fn remote_static(&self) -> &[u8] {
        self.0.get_remote_static().unwrap_or_default()
    }
}

/// Bytes of the longest message, the second: `e`, the encrypted `s`, and the encrypted payload.
const MAX_LEN: usize = 32 + (32 + 16) + (PAYLOAD_LEN + 16);
const PATTERN: &str = "Noise_XX_25519_ChaChaPoly_SHA256";
/// Bound into every message: ends that differ in it agree on nothing.
const PROLOGUE: &[u8] = b"crust v1 handshake";
