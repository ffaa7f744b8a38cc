//! What a process needs for its handshakes, made once.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use crust_core::PeerId;

use crate::{
    cipher::has_aes_hardware, identity::Identity, network_key::NetworkKey, payload::Payload,
    random::Random, replay::ReplayFilter, resolver::X25519,
};

/// What a process needs for its handshakes: identity, network key, and a Noise static key of its own that the identity
/// has signed.
///
/// Clones share everything, the listener's memory of first messages included; make one per node.
#[derive(Clone)]
pub struct Keys {
    shared: Arc<Shared>,
    has_aes: bool,
}

impl Keys {
    /// Makes the keys of this process: one key pair and one signature.
    pub fn new(identity: &Identity, network: NetworkKey) -> Self {
        Self::with_static_key(identity, network, X25519::generate(&Random::System))
    }

    pub(crate) fn with_static_key(
        identity: &Identity,
        network: NetworkKey,
        static_key: X25519,
    ) -> Self {
        let has_aes = has_aes_hardware();
        let payload = Payload::sign(identity, static_key.public(), has_aes);
        let replays = Mutex::default();
        Self {
            shared: Arc::new(Shared {
                network,
                static_key,
                payload,
                replays,
            }),
            has_aes,
        }
    }

    /// Uses ChaCha20-Poly1305 whatever hardware there is.
    #[must_use]
    pub fn without_aes(mut self) -> Self {
        self.has_aes = false;
        self
    }

    /// Offers AES-256-GCM or not, whatever hardware there is.
    #[cfg(test)]
    pub(crate) fn with_aes(mut self, has_aes: bool) -> Self {
        self.has_aes = has_aes;
        self
    }

    /// Whose keys these are.
    pub fn peer_id(&self) -> PeerId {
        self.shared.payload.peer
    }

    /// Whether AES-256-GCM is offered to the far end.
    pub fn has_aes(&self) -> bool {
        self.has_aes
    }

    pub(crate) fn network(&self) -> &NetworkKey {
        &self.shared.network
    }

    pub(crate) fn static_key(&self) -> &X25519 {
        &self.shared.static_key
    }

    pub(crate) fn payload(&self) -> Payload {
        let mut payload = self.shared.payload.clone();
        payload.has_aes = self.has_aes;
        payload
    }

    /// Whether a first message with this salt was not let in before; remembers it.
    pub(crate) fn admit(&self, salt: &[u8]) -> bool {
        let replays = &self.shared.replays;
        // Each step of the filter leaves it whole.
        let mut replays = replays.lock().unwrap_or_else(PoisonError::into_inner);
        replays.admit(salt)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({:?})", self.peer_id())
    }
}

struct Shared {
    network: NetworkKey,
    static_key: X25519,
    payload: Payload,
    replays: Mutex<ReplayFilter>,
}
