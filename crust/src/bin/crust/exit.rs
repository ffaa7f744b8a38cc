//! How the command ends: a sentence, and a number that a script can go by.

use std::{error::Error, process::ExitCode};

use crust::{BootstrapError, ConnectError, SendError, StartError};
use crust_bootstrap::CacheError;

/// Why the command did not do what it was asked for.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) text: String,
}

/// The numbers; 0 is success and 2, which clap gives, a wrong command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Failed = 1,
    NotReached = 3,
    NotStarted = 4,
}

pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  something failed on the way
  2  the command line is wrong, an address or a name in it for one
  3  a peer was not reached
  4  the node did not start: its identity file or its address could not be used";

impl Failure {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self {
            exit: Exit::Failed,
            text: text.into(),
        }
    }

    pub(crate) fn not_started(text: impl Into<String>) -> Self {
        Self {
            exit: Exit::NotStarted,
            text: text.into(),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        Self {
            exit: Exit::NotReached,
            text: sentence(&error),
        }
    }
}

impl From<BootstrapError> for Failure {
    fn from(error: BootstrapError) -> Self {
        Self {
            exit: Exit::NotReached,
            text: sentence(&error),
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Self {
            exit: Exit::NotStarted,
            text: sentence(&error),
        }
    }
}

impl From<CacheError> for Failure {
    fn from(error: CacheError) -> Self {
        Self::new(sentence(&error))
    }
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        Self::new(sentence(&error))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(sentence(&error))
    }
}

/// An error and what caused it, in one line.
pub(crate) fn sentence(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text += ": ";
        text += &error.to_string();
        source = error.source();
    }
    text
}
