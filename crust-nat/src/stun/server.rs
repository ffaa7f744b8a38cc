//! Answers to binding requests, without socket, clock or randomness.

mod places;

use std::{net::SocketAddr, time::Instant};

pub use self::places::{Place, Places};
use super::{
    binding::is_host,
    limit::Limit,
    wire::{Attribute, AttributeKinds, Change, Class, Message, MessageWriter, Method, kind},
};

/// How much a server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerConfig {
    /// Requests that are answered in a second to one /24 of IPv4 or /48 of IPv6. 64 by default: a host that finds out how
    /// its NAT behaves sends some twenty, and others may be behind the same NAT.
    pub per_prefix_per_s: u32,
    /// Requests that are answered in a second in all. 1,024 by default: 100 KB/s, and a few per cent of a core.
    pub total_per_s: u32,
}

impl ServerConfig {
    /// Answers so many to one prefix.
    #[must_use]
    pub const fn with_per_prefix_per_s(mut self, requests: u32) -> Self {
        self.per_prefix_per_s = requests;
        self
    }

    /// Answers so many in all.
    #[must_use]
    pub const fn with_total_per_s(mut self, requests: u32) -> Self {
        self.total_per_s = requests;
        self
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            per_prefix_per_s: 64,
            total_per_s: 1_024,
        }
    }
}

/// A server: of one port, or of two addresses with two ports each (RFC 5780 §6).
///
/// It answers binding requests that anybody sends, without credentials. An answer is no longer than its request but for
/// the address that was asked for; a server of several ports adds that address in clear and two of its own, as RFC 5780
/// wants. It answers no answers and nobody who cannot be one host, and clients of RFC 3489 not at all: without the magic
/// cookie, their requests cannot be told from other protocols.
#[derive(Debug)]
pub struct Server {
    limit: Limit,
    places: Option<Places>,
    stats: ServerStats,
}

/// What a server has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStats {
    /// Requests answered, errors included.
    pub answered: u64,
    /// Requests from whom nobody can be.
    pub bogus: u64,
    /// Requests beyond the limits.
    pub limited: u64,
}

/// What carried a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// UDP: the answer may go elsewhere and come from elsewhere.
    Datagram,
    /// TCP: the answer goes back the same way, or over a connection from elsewhere to where the request came from, which is
    /// this crate's own addition to RFC 5780.
    Stream,
}

/// Where a request came from, and where it came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Who sent it.
    pub from: SocketAddr,
    /// The server's place that it came to; [`Place::PRIMARY`] for a server of one port.
    pub at: Place,
    /// What carried it.
    pub carrier: Carrier,
}

/// What is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// The server's place that it is to be sent from.
    pub from: Place,
    /// Whom it goes to.
    pub to: SocketAddr,
    /// Its bytes.
    pub data: Vec<u8>,
}

impl Server {
    /// A server of one port.
    #[must_use]
    pub fn new(config: ServerConfig, now: Instant) -> Self {
        Self {
            limit: Limit::new(config.per_prefix_per_s, config.total_per_s, now),
            places: None,
            stats: ServerStats::default(),
        }
    }

    /// A server of two addresses with two ports each.
    #[must_use]
    pub fn with_places(mut self, places: Places) -> Self {
        self.places = Some(places);
        self
    }

    /// Answers a request; `None` where there is nothing to say.
    pub fn handle_message(
        &mut self,
        now: Instant,
        arrival: Arrival,
        message: &Message<'_>,
    ) -> Option<Answer> {
        if message.class() != Class::Request || message.method() != Method::BINDING {
            return None;
        }
        if !is_host(&arrival.from) {
            self.stats.bogus += 1;
            return None;
        }
        if !self.limit.admit(now, arrival.from.ip()) {
            self.stats.limited += 1;
            return None;
        }
        self.stats.answered += 1;
        let kinds = self.not_served(arrival.carrier, message);
        if !kinds.is_empty() {
            return Some(refusal(arrival, message, UNKNOWN_ATTRIBUTE, &kinds));
        }
        let wish = Wish::of(message);
        if wish.response_port == Some(0) {
            return Some(refusal(arrival, message, BAD_REQUEST, &[]));
        }
        Some(self.binding(arrival, message, wish))
    }

    /// What the server has done so far.
    #[must_use]
    pub const fn stats(&self) -> ServerStats {
        self.stats
    }

    /// Required attributes that this server does not serve, two bytes for each.
    fn not_served(&self, carrier: Carrier, message: &Message<'_>) -> Vec<u8> {
        let has_places = self.places.is_some();
        let is_not_served = |attribute: &Attribute<'_>| match attribute {
            Attribute::ChangeRequest(_) => !has_places,
            // Of the address that asked alone, so that nobody gets more than by asking himself.
            Attribute::ResponsePort(_) => carrier == Carrier::Stream,
            // Long answers are for who measures paths, and for who wants others to get many bytes.
            Attribute::Padding(_) => true,
            Attribute::Unknown { kind, .. } => kind::is_required(*kind),
            _ => false,
        };
        let kinds = message.attributes().filter(is_not_served);
        kinds
            .flat_map(|attribute| attribute.kind().to_be_bytes())
            .collect()
    }

    fn binding(&self, arrival: Arrival, message: &Message<'_>, wish: Wish) -> Answer {
        let mut to = arrival.from;
        let from = arrival.at.changed(wish.change);
        let mut writer =
            MessageWriter::new(Class::Success, Method::BINDING, message.transaction_id())
                .with(&Attribute::XorMappedAddress(to));
        if let Some(places) = &self.places {
            let other = arrival.at.changed(Change::BOTH);
            // In clear beside it, so that gateways on the way that translate it are found out (RFC 5780 §3.6).
            writer = writer
                .with(&Attribute::MappedAddress(to))
                .with(&Attribute::ResponseOrigin(places.addr(from)))
                .with(&Attribute::OtherAddress(places.addr(other)));
        }
        if let Some(port) = wish.response_port {
            to.set_port(port);
        }
        let data = finish(writer, message);
        Answer { from, to, data }
    }
}

/// What a request asks for beyond an answer.
#[derive(Debug, Clone, Copy, Default)]
struct Wish {
    change: Change,
    response_port: Option<u16>,
}

impl Wish {
    fn of(message: &Message<'_>) -> Self {
        let mut wish = Self::default();
        // Backwards, for the first of a kind counts.
        let attributes: Vec<_> = message.attributes().collect();
        for attribute in attributes.iter().rev() {
            match attribute {
                Attribute::ChangeRequest(change) => wish.change = *change,
                Attribute::ResponsePort(port) => wish.response_port = Some(*port),
                _ => {}
            }
        }
        wish
    }
}

/// An error, without words for people so that it stays short.
fn refusal(arrival: Arrival, message: &Message<'_>, code: u16, kinds: &[u8]) -> Answer {
    let mut writer = MessageWriter::new(Class::Error, Method::BINDING, message.transaction_id())
        .with(&Attribute::ErrorCode { code, reason: "" });
    if let Some(kinds) = AttributeKinds::new(kinds).filter(|_| !kinds.is_empty()) {
        writer = writer.with(&Attribute::UnknownAttributes(kinds));
    }
    Answer {
        from: arrival.at,
        to: arrival.from,
        data: finish(writer, message),
    }
}

/// With a fingerprint where the request has one: who sent none may not know it, and it would be longer.
fn finish(writer: MessageWriter, request: &Message<'_>) -> Vec<u8> {
    if request.has_fingerprint() {
        writer.with_fingerprint().into_bytes()
    } else {
        writer.into_bytes()
    }
}

const BAD_REQUEST: u16 = 400;
const UNKNOWN_ATTRIBUTE: u16 = 420;

#[cfg(test)]
mod tests;
