//! What a told record must pass before it is taken: dear checks last, and so many a second.

use std::{fmt, sync::Arc, time::Instant};

use crust_core::{RecordError, SignedRecord, Verifier};

use super::{
    bucket::Bucket,
    candidate::{Candidate, Unfit},
    ignored::Ignored,
    moment::Moment,
};

/// Reads records and checks their signatures, at a bounded rate.
pub(super) struct Gate {
    verifier: Arc<dyn Verifier>,
    checks: Bucket,
    checked: u64,
}

/// Why a record does not pass.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Its teller broke the rules.
    Breach(RecordError),
    /// Not this one, not now.
    Ignored(Ignored),
}

impl Gate {
    pub(super) const fn new(verifier: Arc<dyn Verifier>, now: Instant) -> Self {
        Self {
            verifier,
            checks: Bucket::new(CHECKS_PER_S, CHECKS_AT_ONCE, now),
            checked: 0,
        }
    }

    /// Reads a record that was told.
    pub(super) fn read(&self, signed: SignedRecord, at: Moment) -> Result<Candidate, Refusal> {
        Candidate::read(signed, at.unix_ms).map_err(|unfit| match unfit {
            Unfit::Broken(error) => Refusal::Breach(error),
            Unfit::Untimely(ignored) => Refusal::Ignored(ignored),
        })
    }

    /// Checks its signature, if not too many were checked just before.
    pub(super) fn check(&mut self, candidate: &Candidate, at: Moment) -> Result<(), Refusal> {
        if !self.checks.take(1, at.now) {
            return Err(Refusal::Ignored(Ignored::Unverified));
        }
        self.checked += 1;
        if candidate.is_signed(&*self.verifier) {
            Ok(())
        } else {
            Err(Refusal::Breach(RecordError::Signature))
        }
    }

    /// Checks this node's own record: what others would refuse is not announced.
    pub(super) fn check_own(
        &self,
        signed: SignedRecord,
        at: Moment,
    ) -> Result<Candidate, RecordError> {
        let record = signed.verify(&*self.verifier, at.unix_ms)?;
        Ok(Candidate { record, signed })
    }

    /// Signatures that were checked.
    pub(super) const fn checked(&self) -> u64 {
        self.checked
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gate({} checked)", self.checked)
    }
}

/// At 70 µs each, a twentieth of a core.
const CHECKS_PER_S: u32 = 700;

/// What twenty sessions begin with, of a hundred records each: 140 ms of work, in pieces of 10 ms at most.
const CHECKS_AT_ONCE: u32 = 2_000;
