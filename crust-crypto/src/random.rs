//! Where random bytes come from: the operating system, and a script in tests that reproduce vectors.

use ring::rand::{SecureRandom, SystemRandom};
use snow::Error;

/// A source of random bytes.
#[derive(Debug, Clone)]
pub(crate) enum Random {
    System,
    #[cfg(test)]
    Script(std::sync::Arc<std::sync::Mutex<std::collections::VecDeque<u8>>>),
}

impl Random {
    /// Bytes given out in order; running out of them is a failure of the source.
    #[cfg(test)]
    pub(crate) fn script(bytes: &[u8]) -> Self {
        Self::Script(std::sync::Arc::new(std::sync::Mutex::new(
            bytes.iter().copied().collect(),
        )))
    }

    /// # Panics
    ///
    /// Panics where the system has no random bytes, as `std`'s hash maps do: nothing secure can be done without.
    pub(crate) fn fill(&self, bytes: &mut [u8]) {
        self.try_fill(bytes).expect("the system gives random bytes");
    }

    pub(crate) fn array<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    fn try_fill(&self, bytes: &mut [u8]) -> Result<(), Error> {
        match self {
            Self::System => SystemRandom::new().fill(bytes).map_err(|_| Error::Rng),
            #[cfg(test)]
            Self::Script(script) => {
                let mut script = script.lock().unwrap();
                for byte in bytes {
                    *byte = script.pop_front().ok_or(Error::Rng)?;
                }
                Ok(())
            }
        }
    }
}

impl snow::types::Random for Random {
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.try_fill(bytes)
    }
}
