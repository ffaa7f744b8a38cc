//! The masking layer: handshake messages as records that only the network key's owners can tell from random bytes.

use crust_core::Role;
use thiserror::Error;

use crate::{
    cipher::Cipher,
    epoch::{HEADER_LEN, RECORD_OVERHEAD, TAG_LEN, is_first_header},
    kdf::Secret,
    network_key::NetworkKey,
    random::Random,
    record::{Opened, Opener, Sealer},
};

/// Wraps the handshake messages of one direction.
pub(crate) struct Wrapper {
    sealer: Sealer,
    random: Random,
    /// Sent before the first message.
    salt: Option<[u8; SALT_LEN]>,
}

impl Wrapper {
    pub(crate) fn new(network: &NetworkKey, role: Role, random: Random) -> Self {
        let salt = random.array();
        Self {
            sealer: Sealer::new(CIPHER, &secret(network, &salt, role)),
            random,
            salt: Some(salt),
        }
    }

    /// Gives the bytes to send for a message: padded to a random length, sealed.
    pub(crate) fn wrap(&mut self, message: &[u8]) -> Vec<u8> {
        let [pad_len] = self.random.array();
        let message_len = u16::try_from(message.len()).expect("handshake messages are short");
        let salt = self.salt.take();
        let salt = salt.as_ref().map_or(&[][..], |salt| salt);
        let pad_at = salt.len() + HEADER_LEN + 2 + message.len();
        let mut bytes = vec![0; pad_at + usize::from(pad_len) + TAG_LEN];
        let (head, record) = bytes.split_at_mut(salt.len());
        head.copy_from_slice(salt);
        let text = &mut record[HEADER_LEN..];
        text[..2].copy_from_slice(&message_len.to_be_bytes());
        text[2..2 + message.len()].copy_from_slice(message);
        self.random
            .fill(&mut text[2 + message.len()..][..usize::from(pad_len)]);
        self.sealer.seal(record);
        bytes
    }
}

/// Unwraps the handshake messages of one direction.
pub(crate) struct Unwrapper {
    network: NetworkKey,
    /// Who sends what is unwrapped here.
    role: Role,
    head: [u8; HEAD_LEN],
    filled: usize,
    opener: Option<Opener>,
    /// The record whose header has passed, as far as it is there; empty before.
    record: Vec<u8>,
    record_len: usize,
}

impl Unwrapper {
    pub(crate) fn new(network: NetworkKey, role: Role) -> Self {
        Self {
            network,
            role,
            head: [0; HEAD_LEN],
            filled: 0,
            opener: None,
            record: Vec::new(),
            record_len: 0,
        }
    }

    /// Takes bytes up to the end of a message, which it gives once it is whole.
    ///
    /// Before the check of the first header has passed, it allocates nothing.
    pub(crate) fn take(&mut self, input: &[u8]) -> Result<(usize, Option<Vec<u8>>), MaskError> {
        let mut rest = input;
        if self.record.is_empty() {
            let wanted = (HEAD_LEN - self.filled).min(rest.len());
            self.head[self.filled..][..wanted].copy_from_slice(&rest[..wanted]);
            self.filled += wanted;
            rest = &rest[wanted..];
            if self.filled < HEAD_LEN {
                return Ok((input.len(), None));
            }
            self.handle_header()?;
        }
        let wanted = (self.record_len - self.record.len()).min(rest.len());
        self.record.extend_from_slice(&rest[..wanted]);
        rest = &rest[wanted..];
        let is_whole = self.record.len() == self.record_len;
        let message = is_whole.then(|| self.open()).transpose()?;
        Ok((input.len() - rest.len(), message))
    }

    /// The far end's salt, once its first message is there.
    pub(crate) fn salt(&self) -> &[u8] {
        &self.head[..SALT_LEN]
    }

    fn handle_header(&mut self) -> Result<(), MaskError> {
        let (salt, header) = self.head.split_first_chunk().expect("a head is longer");
        let header = header.first_chunk().expect("a head ends with a header");
        if self.opener.is_none() {
            let secret = secret(&self.network, salt, self.role);
            if !is_first_header(CIPHER, &secret, header) {
                return Err(MaskError::Key);
            }
            self.opener = Some(Opener::new(CIPHER, &secret));
        }
        let opener = self.opener.as_mut().ok_or(MaskError::Key)?;
        let body_len = opener.body_len(header).map_err(|_| MaskError::Record)?;
        if body_len > MAX_RECORD_LEN - HEADER_LEN {
            return Err(MaskError::TooLong);
        }
        self.record_len = HEADER_LEN + body_len;
        self.record.reserve_exact(self.record_len);
        self.record.extend_from_slice(header);
        Ok(())
    }

    fn open(&mut self) -> Result<Vec<u8>, MaskError> {
        self.filled = SALT_LEN;
        let mut record = std::mem::take(&mut self.record);
        let opener = self.opener.as_mut().ok_or(MaskError::Key)?;
        let Ok(Opened::Data(text)) = opener.open(&mut record) else {
            return Err(MaskError::Record);
        };
        let (len, padded) = text.split_first_chunk().ok_or(MaskError::Malformed)?;
        let len = usize::from(u16::from_be_bytes(*len));
        if len > MAX_MESSAGE {
            return Err(MaskError::TooLong);
        }
        let message = padded.get(..len).ok_or(MaskError::Malformed)?;
        Ok(message.to_vec())
    }
}

/// Why bytes are no handshake message.
#[derive(Debug, Error)]
pub(crate) enum MaskError {
    #[error("the first message was not made with our network key")]
    Key,
    #[error("the message is longer than its record")]
    Malformed,
    #[error("the message was changed on its way")]
    Record,
    #[error("the message is longer than any handshake message")]
    TooLong,
}

/// Bytes of a salt: two of 2^64 connections have the same with a chance of 2^-65.
pub(crate) const SALT_LEN: usize = 24;

const HEAD_LEN: usize = SALT_LEN + HEADER_LEN;
/// The longest Noise message that is read. Ours have 194 at most; a later version may say more.
const MAX_MESSAGE: usize = 512;
/// Message, its length, and the longest padding.
const MAX_RECORD_LEN: usize = RECORD_OVERHEAD + 2 + MAX_MESSAGE + 255;
/// Fast everywhere, and needs no agreement.
const CIPHER: Cipher = Cipher::ChaCha20Poly1305;

/// The secret of one direction's masking.
fn secret(network: &NetworkKey, salt: &[u8; SALT_LEN], role: Role) -> Secret {
    let label: &[u8] = match role {
        Role::Dialer => b"crust v1 mask dialer",
        Role::Listener => b"crust v1 mask listener",
    };
    Secret::extract(salt, network.as_bytes(), label)
}
