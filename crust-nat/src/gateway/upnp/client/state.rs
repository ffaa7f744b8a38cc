//! What a client does at a moment.

use std::{collections::VecDeque, time::Instant};

use super::attempt::Attempt;
use crate::gateway::{port::InternalPort, upnp::service::Service};

#[derive(Debug)]
pub(crate) enum State {
    /// Nothing is known of the gateway.
    Absent {
        find_at: Instant,
    },
    Calling {
        ready: Ready,
        step: Step,
    },
    Finding,
    /// It is asked which of its lines is up.
    Greeting {
        rest: VecDeque<Service>,
    },
    Idle(Ready),
}

/// A gateway whose line is up.
#[derive(Debug, Clone)]
pub(crate) struct Ready {
    pub(crate) service: Service,
    pub(crate) check_at: Instant,
    /// What is still to be checked of a round.
    pub(crate) unchecked: VecDeque<InternalPort>,
}

/// What an answer is awaited to.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    CheckAddress,
    CheckPort(InternalPort),
    Delete(InternalPort),
    Make(Attempt),
}
