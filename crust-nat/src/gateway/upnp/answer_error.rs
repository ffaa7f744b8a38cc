//! What can be wrong with what a gateway sends.

use std::net::IpAddr;

use thiserror::Error;

/// What is wrong with what a gateway sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// It points to another address than its own.
    #[error("it points to {ip}, which is not the gateway")]
    Address {
        /// Where it points to.
        ip: IpAddr,
    },
    /// An argument of the answer is missing or is no such value.
    #[error("the argument {name} is missing or unreadable")]
    Argument {
        /// The argument.
        name: &'static str,
    },
    /// It is no HTTP.
    #[error("it is no HTTP response")]
    Http,
    /// A URL is none that can be fetched: other than `http` with an IP address, or odd characters in it.
    #[error("it has a URL that is not used")]
    Location,
    /// It is an HTTP error.
    #[error("HTTP status {status}")]
    Status {
        /// The status code.
        status: u16,
    },
    /// It was not there in time.
    #[error("it was not whole within the time allowed")]
    TimedOut,
    /// It is longer than is read.
    #[error("it is longer than 64 KiB")]
    TooLong,
    /// It is no XML, or has more nodes than are read.
    #[error("its XML cannot be read")]
    Xml,
}
