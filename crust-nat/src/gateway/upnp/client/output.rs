//! What a client wants done.

use crate::gateway::{
    event::Event,
    upnp::{action::Action, service::Service},
};

/// What the driver is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Output {
    /// To have an action done; how that went is told.
    Call(Box<Call>),
    Event(Event),
    /// To find the gateway's services; they are told.
    Find,
}

/// An action, and of which service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) service: Service,
    pub(crate) action: Action,
}
