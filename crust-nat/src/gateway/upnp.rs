//! UPnP-IGD 1 and 2: how a gateway is found, read and told what to map.
//!
//! Discovery, HTTP and SOAP are our own, for what they read comes from anybody on the LAN and no library gave all of these
//! promises:
//!
//! - only the gateway's own answers are taken, and nothing is fetched from an address other than where that answer came from
//!   (over IPv6: in the /64 of this host);
//! - a description or answer is 64 KiB at most, and is there within 5 s from the first byte sent to the last received;
//! - no proxy of the environment is asked, redirects are not followed, and connections go out from the interface's own address;
//! - XML has no entities, no DTD and a bounded number of nodes.

mod action;
mod answer_error;
mod client;
mod description;
mod error_code;
mod http;
mod location;
mod service;
mod ssdp;
mod xml;

#[cfg(fuzzing)]
pub(crate) use self::action::Action;
pub(crate) use self::{
    action::Arguments,
    client::{Call, Client, Output},
    description::read_description,
    http::{Request, Response, ResponseReader},
    location::Location,
    service::Service,
    ssdp::{SEARCH_TARGETS, admit, search},
};
pub use self::{answer_error::AnswerError, error_code::ErrorCode};
