//! Records: the sealed units of a channel, in place and without allocation.

use std::fmt;

use thiserror::Error;

use crate::{
    cipher::Cipher,
    epoch::{CLOSE, Epoch, HEADER_LEN, MAX_PLAINTEXT, RECORD_OVERHEAD, TAG_LEN},
    kdf::Secret,
};

/// Seals the records of one direction.
///
/// A record is its header, the ciphertext and a tag: [`RECORD_OVERHEAD`] bytes more than its plaintext. All of it looks
/// random. Keys change by themselves every 2^20 records, far below what either cipher bears.
pub struct Sealer {
    epoch: Box<Epoch>,
    counter: u64,
    interval: u64,
    closed: bool,
}

impl Sealer {
    pub(crate) fn new(cipher: Cipher, secret: &Secret) -> Self {
        Self::with_interval(cipher, secret, REKEY_INTERVAL)
    }

    /// Changes keys every `interval` records; both ends must have the same.
    pub(crate) fn with_interval(cipher: Cipher, secret: &Secret, interval: u64) -> Self {
        Self {
            epoch: Box::new(Epoch::new(cipher, secret)),
            counter: 0,
            interval,
            closed: false,
        }
    }

    /// Seals `record` in place: [`HEADER_LEN`] bytes of room, the plaintext, [`TAG_LEN`] bytes of room.
    ///
    /// # Panics
    ///
    /// Panics where the plaintext is empty or longer than [`MAX_PLAINTEXT`], and after [`seal_close`](Self::seal_close).
    pub fn seal(&mut self, record: &mut [u8]) {
        let len = record.len().saturating_sub(RECORD_OVERHEAD);
        assert!(
            (1..=MAX_PLAINTEXT).contains(&len),
            "a record holds 1 to {MAX_PLAINTEXT} bytes, not {len}"
        );
        let word = u16::try_from(len).expect("the longest plaintext has a 15-bit length");
        self.seal_word(record, word);
    }

    /// Seals the record that ends this direction; nothing can be sealed after it.
    ///
    /// # Panics
    ///
    /// Panics where it was sealed already.
    pub fn seal_close(&mut self, record: &mut [u8; RECORD_OVERHEAD]) {
        self.seal_word(record, CLOSE);
        self.closed = true;
    }

    fn seal_word(&mut self, record: &mut [u8], word: u16) {
        assert!(!self.closed, "nothing is sealed after a close");
        let (header, body) = record.split_at_mut(HEADER_LEN);
        let (text, tag) = body.split_at_mut(body.len() - TAG_LEN);
        header.copy_from_slice(&self.epoch.header(self.counter, word));
        let sealed = self.epoch.seal(self.counter, word, text);
        tag.copy_from_slice(sealed.as_ref());
        self.counter = self.epoch.advance(self.counter, self.interval);
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer(record {})", self.counter)
    }
}

/// Opens the records of one direction.
///
/// After an error, and after the far end's close, it opens nothing more.
pub struct Opener {
    epoch: Box<Epoch>,
    counter: u64,
    interval: u64,
    state: OpenerState,
}

impl Opener {
    pub(crate) fn new(cipher: Cipher, secret: &Secret) -> Self {
        Self::with_interval(cipher, secret, REKEY_INTERVAL)
    }

    /// Changes keys every `interval` records; both ends must have the same.
    pub(crate) fn with_interval(cipher: Cipher, secret: &Secret, interval: u64) -> Self {
        Self {
            epoch: Box::new(Epoch::new(cipher, secret)),
            counter: 0,
            interval,
            state: OpenerState::Between,
        }
    }

    /// Reads a record's header: the number of bytes that follow it, its tag included.
    ///
    /// Asking again before the record is opened gives the same answer.
    ///
    /// # Errors
    ///
    /// [`RecordError::Broken`] for a header that the far end did not make for this record; nothing it says was believed.
    /// [`RecordError::Closed`] after the far end's close.
    pub fn body_len(&mut self, header: &[u8; HEADER_LEN]) -> Result<usize, RecordError> {
        let word = self.word(header)?;
        Ok(usize::from(word & !CLOSE) + TAG_LEN)
    }

    /// Opens `record`, header to tag, in place.
    ///
    /// # Errors
    ///
    /// [`RecordError::Broken`] for anything but the far end's next record, whole. [`RecordError::Closed`] after the far
    /// end's close.
    pub fn open<'a>(&mut self, record: &'a mut [u8]) -> Result<Opened<'a>, RecordError> {
        let word = self.whole(record, 0)?;
        self.open_word(word, &mut record[HEADER_LEN..], 0)
    }

    /// Opens the record that starts at `at` and ends with `buf`, and moves its plaintext to the front of `buf`.
    ///
    /// So a reader of a stream closes the gaps between records at no cost.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_to<'a>(&mut self, buf: &'a mut [u8], at: usize) -> Result<Opened<'a>, RecordError> {
        let word = self.whole(buf, at)?;
        self.open_word(word, buf, at + HEADER_LEN)
    }

    /// Whether the far end has closed this direction.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, OpenerState::Closed)
    }

    /// The length word of the record that fills `buf` from `at`.
    fn whole(&mut self, buf: &[u8], at: usize) -> Result<u16, RecordError> {
        let record = buf.get(at..).unwrap_or_default();
        let Some(header) = record.first_chunk() else {
            return Err(self.broken());
        };
        let body_len = self.body_len(header)?;
        if record.len() != HEADER_LEN + body_len {
            return Err(self.broken());
        }
        self.word(header)
    }

    fn word(&mut self, header: &[u8; HEADER_LEN]) -> Result<u16, RecordError> {
        match self.state {
            OpenerState::Read {
                header: known,
                word,
            } if known == *header => Ok(word),
            OpenerState::Between | OpenerState::Read { .. } => self.read(header),
            OpenerState::Broken => Err(RecordError::Broken),
            OpenerState::Closed => Err(RecordError::Closed),
        }
    }

    fn read(&mut self, header: &[u8; HEADER_LEN]) -> Result<u16, RecordError> {
        match self.epoch.word(self.counter, header) {
            Some(word) => {
                let header = *header;
                self.state = OpenerState::Read { header, word };
                Ok(word)
            }
            None => Err(self.broken()),
        }
    }

    fn open_word<'a>(
        &mut self,
        word: u16,
        buf: &'a mut [u8],
        ciphertext: usize,
    ) -> Result<Opened<'a>, RecordError> {
        let opened = self.epoch.open(self.counter, word, buf, ciphertext);
        let Some(text) = opened else {
            return Err(self.broken());
        };
        self.counter = self.epoch.advance(self.counter, self.interval);
        if word == CLOSE {
            self.state = OpenerState::Closed;
            return Ok(Opened::Close);
        }
        self.state = OpenerState::Between;
        Ok(Opened::Data(text))
    }

    fn broken(&mut self) -> RecordError {
        self.state = OpenerState::Broken;
        RecordError::Broken
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opener(record {})", self.counter)
    }
}

/// What was in a record.
#[derive(Debug, PartialEq, Eq)]
pub enum Opened<'a> {
    /// The far end says that nothing follows.
    Close,
    /// Its plaintext, never empty.
    Data(&'a mut [u8]),
}

/// Why a record was not opened. There is no more to say: what was wrong with it helps only who made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// It is not the far end's next record.
    #[error("the record is broken, or out of its order")]
    Broken,
    /// The far end had closed this direction.
    #[error("the far end has closed the channel")]
    Closed,
}

#[derive(Debug, Clone, Copy)]
enum OpenerState {
    Between,
    Broken,
    Closed,
    /// This header of the next record says this word.
    Read {
        header: [u8; HEADER_LEN],
        word: u16,
    },
}

/// Records under one key. AES-GCM bears 2^24.5 full-size ones (RFC 8446 §5.5); this leaves a factor of 22.
const REKEY_INTERVAL: u64 = 1 << 20;

#[cfg(test)]
mod tests;
