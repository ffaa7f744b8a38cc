//! The handshake as a machine: bytes in, bytes out, and at its end the keys of a channel.

use std::{fmt, io, mem};

use crust_core::{PeerId, Role};
use thiserror::Error;
use tracing::debug;

use crate::{
    cipher::Cipher,
    keys::Keys,
    mask::{MaskError, Unwrapper, Wrapper},
    noise::Noise,
    payload::{Payload, PayloadError, VERSION},
    random::Random,
    record::{Opener, Sealer},
};

/// One end of a handshake: Noise XX, masked by the network key, with proven peer keys.
///
/// It does no I/O and knows no time; [`handshake`](crate::handshake()) drives it over a stream. After each
/// [`handle_input`](Self::handle_input), send what [`poll_output`](Self::poll_output) gives, then ask
/// [`poll_keyed`](Self::poll_keyed).
pub struct Handshake {
    keys: Keys,
    random: Random,
    unwrapper: Unwrapper,
    state: State,
    output: Option<Vec<u8>>,
}

impl Handshake {
    /// Starts as the end that dialed; its first message is ready.
    ///
    /// Where `expect` names a peer, no other will do.
    pub fn dialer(keys: &Keys, expect: Option<PeerId>) -> Self {
        Self::dialer_with(keys, expect, Random::System)
    }

    /// Starts as the end that was dialed. Allocates nothing until a first message has shown that it may come in.
    pub fn listener(keys: &Keys) -> Self {
        Self::listener_with(keys, Random::System)
    }

    pub(crate) fn dialer_with(keys: &Keys, expect: Option<PeerId>, random: Random) -> Self {
        let mut wrapper = Wrapper::new(keys.network(), Role::Dialer, random.clone());
        let mut noise = Noise::new(keys.static_key(), Role::Dialer, &random);
        let message = noise.write(&[]);
        let message = message.expect("the first message needs no far end");
        let output = Some(wrapper.wrap(&message));
        let state = State::AwaitingAnswer {
            expect,
            noise,
            wrapper,
        };
        Self {
            state,
            output,
            ..Self::start(keys, Role::Listener, random)
        }
    }

    pub(crate) fn listener_with(keys: &Keys, random: Random) -> Self {
        Self::start(keys, Role::Dialer, random)
    }

    fn start(keys: &Keys, remote: Role, random: Random) -> Self {
        Self {
            keys: keys.clone(),
            random,
            unwrapper: Unwrapper::new(keys.network().clone(), remote),
            state: State::AwaitingFirst,
            output: None,
        }
    }

    /// Takes bytes of the far end and says how many. What follows the handshake's last byte is left to the caller.
    ///
    /// # Errors
    ///
    /// Each variant of [`HandshakeError`] but `Closed` and `Io`. After one there is nothing more to send and nothing
    /// is taken; close the connection.
    pub fn handle_input(&mut self, input: &[u8]) -> Result<usize, HandshakeError> {
        let mut taken = 0;
        while taken < input.len() && self.state.awaits_input() {
            let (len, message) = match self.unwrapper.take(&input[taken..]) {
                Ok(taken) => taken,
                Err(error) => return Err(self.on_masked_junk(&error)),
            };
            taken += len;
            if let Some(message) = message {
                self.on_message(&message)?;
            }
        }
        match self.state {
            State::Failed => Err(HandshakeError::Rejected),
            _ => Ok(taken),
        }
    }

    /// The bytes to send next.
    pub fn poll_output(&mut self) -> Option<Vec<u8>> {
        self.output.take()
    }

    /// The keys, once the handshake has ended well and all its output was taken. They are given once.
    pub fn poll_keyed(&mut self) -> Option<Keyed> {
        if self.output.is_some() {
            return None;
        }
        match mem::replace(&mut self.state, State::Done) {
            State::Keyed(keyed) => Some(keyed),
            state => {
                self.state = state;
                None
            }
        }
    }

    fn on_message(&mut self, message: &[u8]) -> Result<(), HandshakeError> {
        let next = match mem::replace(&mut self.state, State::Failed) {
            State::AwaitingFirst => self.on_first(message),
            State::AwaitingAnswer {
                expect,
                noise,
                wrapper,
            } => self.on_answer(message, noise, wrapper, expect),
            State::AwaitingProof { noise } => self.on_proof(message, noise),
            State::Done | State::Failed | State::Keyed(_) => Err(HandshakeError::Rejected),
        };
        self.state = next.inspect_err(|error| debug!(%error, "handshake failed"))?;
        Ok(())
    }

    /// The dialer's key share; the listener answers with its own and proves who it is.
    fn on_first(&mut self, message: &[u8]) -> Result<State, HandshakeError> {
        if !self.keys.admit(self.unwrapper.salt()) {
            return Err(HandshakeError::Replayed);
        }
        let mut noise = Noise::new(self.keys.static_key(), Role::Listener, &self.random);
        noise.read(message).map_err(rejected)?;
        let answer = self.write_payload(&mut noise)?;
        let mut wrapper = Wrapper::new(self.keys.network(), Role::Listener, self.random.clone());
        self.output = Some(wrapper.wrap(&answer));
        Ok(State::AwaitingProof { noise })
    }

    /// The listener's proof; the dialer says who it is only to the peer that it wants.
    fn on_answer(
        &mut self,
        message: &[u8],
        mut noise: Noise,
        mut wrapper: Wrapper,
        expect: Option<PeerId>,
    ) -> Result<State, HandshakeError> {
        let remote = read_payload(&mut noise, message)?;
        if let Some(expected) = expect.filter(|expected| *expected != remote.peer) {
            return Err(HandshakeError::WrongPeer {
                expected,
                found: remote.peer,
            });
        }
        let proof = self.write_payload(&mut noise)?;
        self.output = Some(wrapper.wrap(&proof));
        Ok(State::Keyed(self.keyed(&mut noise, &remote, Role::Dialer)))
    }

    /// The dialer's proof, which ends the handshake.
    fn on_proof(&self, message: &[u8], mut noise: Noise) -> Result<State, HandshakeError> {
        let remote = read_payload(&mut noise, message)?;
        Ok(State::Keyed(self.keyed(
            &mut noise,
            &remote,
            Role::Listener,
        )))
    }

    fn write_payload(&self, noise: &mut Noise) -> Result<Vec<u8>, HandshakeError> {
        let payload = self.keys.payload().encode();
        noise.write(&payload).map_err(rejected)
    }

    fn keyed(&self, noise: &mut Noise, remote: &Payload, role: Role) -> Keyed {
        let (dialer, listener) = noise.split();
        let (seal, open) = match role {
            Role::Dialer => (dialer, listener),
            Role::Listener => (listener, dialer),
        };
        let cipher = Cipher::choose(self.keys.has_aes(), remote.has_aes);
        Keyed {
            peer: remote.peer,
            sealer: Sealer::new(cipher, &seal),
            opener: Opener::new(cipher, &open),
            cipher,
        }
    }

    fn on_masked_junk(&mut self, error: &MaskError) -> HandshakeError {
        debug!(%error, "handshake failed");
        match (mem::replace(&mut self.state, State::Failed), error) {
            (State::AwaitingFirst, _) | (_, MaskError::Key) => HandshakeError::Junk,
            _ => HandshakeError::Rejected,
        }
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handshake({})", self.state.name())
    }
}

/// What a handshake ends with.
#[derive(Debug)]
#[non_exhaustive]
pub struct Keyed {
    /// Who the far end has proven to be.
    pub peer: PeerId,
    /// Seals what goes to it.
    pub sealer: Sealer,
    /// Opens what comes from it.
    pub opener: Opener,
    /// What both use.
    pub cipher: Cipher,
}

/// Why there is no channel. The far end learns none of it; it sees the connection close.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The far end closed before the handshake's end. One with another network key does that, without an answer.
    #[error(
        "the far end closed during the handshake; its network key may differ, or it takes no more sessions from here"
    )]
    Closed,
    /// The stream failed.
    #[error("the connection failed during the handshake")]
    Io(#[source] io::Error),
    /// The far end's first message was not made with our network key. A listener has sent it nothing, and computed
    /// nothing costly.
    #[error("the far end's first message was not made with our network key")]
    Junk,
    /// Something was wrong with a later message.
    #[error("the far end's handshake is wrong")]
    Rejected,
    /// The first message was let in before. Nothing was sent, and nothing costly computed.
    #[error("the handshake's first message was seen before")]
    Replayed,
    /// The far end speaks another version of the protocol.
    #[error("the far end speaks version {found} of the protocol, not {VERSION}")]
    Version {
        /// Its version.
        found: u8,
    },
    /// Another peer than the one named answered; it was not told who dialed.
    #[error("peer {found} answered instead of {expected}")]
    WrongPeer {
        /// Who was named.
        expected: PeerId,
        /// Who proved to be there.
        found: PeerId,
    },
}

enum State {
    /// Dialer: the first message is out.
    AwaitingAnswer {
        expect: Option<PeerId>,
        noise: Noise,
        wrapper: Wrapper,
    },
    /// Listener: nothing has come.
    AwaitingFirst,
    /// Listener: the answer is out.
    AwaitingProof {
        noise: Noise,
    },
    /// The keys were handed out.
    Done,
    Failed,
    Keyed(Keyed),
}

impl State {
    fn awaits_input(&self) -> bool {
        matches!(
            self,
            Self::AwaitingAnswer { .. } | Self::AwaitingFirst | Self::AwaitingProof { .. }
        )
    }

    fn name(&self) -> &'static str {
        match self {
            Self::AwaitingAnswer { .. } => "awaiting answer",
            Self::AwaitingFirst => "awaiting first message",
            Self::AwaitingProof { .. } => "awaiting proof",
            Self::Done | Self::Keyed(_) => "done",
            Self::Failed => "failed",
        }
    }
}

fn read_payload(noise: &mut Noise, message: &[u8]) -> Result<Payload, HandshakeError> {
    let payload = noise.read(message).map_err(rejected)?;
    Payload::decode(&payload, noise.remote_static()).map_err(payload_error)
}

fn payload_error(error: PayloadError) -> HandshakeError {
    debug!(%error, "handshake payload refused");
    match error {
        PayloadError::Version(found) => HandshakeError::Version { found },
        PayloadError::Malformed | PayloadError::Signature => HandshakeError::Rejected,
    }
}

fn rejected(error: snow::Error) -> HandshakeError {
    debug!(%error, "handshake message refused");
    HandshakeError::Rejected
}

#[cfg(test)]
pub(crate) mod tests;
