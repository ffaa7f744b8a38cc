//! As much of HTTP/1.1 as a gateway's description and actions need, one response to a connection (RFC 9112).

use super::{answer_error::AnswerError, location::Location};

/// A request.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) location: &'a Location,
    /// The header `SOAPACTION`, and what is sent with it; nothing to fetch the location.
    pub(crate) soap: Option<(String, String)>,
}

impl Request<'_> {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let method = if self.soap.is_some() { "POST" } else { "GET" };
        let (path, host) = (self.location.path(), self.location.host());
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
        match &self.soap {
            None => text += "\r\n",
            Some((action, body)) => {
                let len = body.len();
                text += &format!(
                    "Content-Type: text/xml; charset=\"utf-8\"\r\nContent-Length: {len}\r\nSOAPACTION: \"{action}\"\r\n\r\n{body}"
                );
            }
        }
        text.into_bytes()
    }
}

/// A response as far as it has come in.
#[derive(Debug, Default)]
pub(crate) struct ResponseReader {
    bytes: Vec<u8>,
    head: Option<Head>,
}

/// A response that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: String,
}

#[derive(Debug, Clone, Copy)]
struct Head {
    status: u16,
    body_at: usize,
    framing: Framing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Chunked,
    Length(usize),
    UntilClosed,
}

impl ResponseReader {
    /// Takes more of it; gives whether it is whole.
    ///
    /// # Errors
    ///
    /// [`AnswerError::TooLong`] beyond [`MAX_RESPONSE_LEN`], and [`AnswerError::Http`].
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<bool, AnswerError> {
        if self.bytes.len() + bytes.len() > MAX_RESPONSE_LEN {
            return Err(AnswerError::TooLong);
        }
        // The blank line may have begun before.
        let seen = self.bytes.len().saturating_sub(BLANK_LINE.len());
        self.bytes.extend_from_slice(bytes);
        if self.head.is_none() {
            self.head = self.read_head(seen)?;
        }
        let Some(head) = self.head else {
            return Ok(false);
        };
        let body = &self.bytes[head.body_at..];
        match head.framing {
            Framing::Length(len) if head.body_at + len > MAX_RESPONSE_LEN => {
                Err(AnswerError::TooLong)
            }
            Framing::Length(len) => Ok(body.len() >= len),
            Framing::Chunked => Ok(body.ends_with(LAST_CHUNK)),
            Framing::UntilClosed => Ok(false),
        }
    }

    /// The response, once it is whole or the connection has ended.
    ///
    /// # Errors
    ///
    /// [`AnswerError::Http`] where it is not whole.
    pub(crate) fn finish(self) -> Result<Response, AnswerError> {
        let head = self.head.ok_or(AnswerError::Http)?;
        let body = &self.bytes[head.body_at..];
        let body = match head.framing {
            Framing::Chunked => dechunk(body).ok_or(AnswerError::Http)?,
            Framing::Length(len) => body.get(..len).ok_or(AnswerError::Http)?.to_vec(),
            Framing::UntilClosed => body.to_vec(),
        };
        let body = String::from_utf8(body).map_err(|_| AnswerError::Xml)?;
        let status = head.status;
        Ok(Response { status, body })
    }

    fn read_head(&self, seen: usize) -> Result<Option<Head>, AnswerError> {
        let mut places = self.bytes[seen..].windows(BLANK_LINE.len());
        let Some(at) = places.position(|four| four == BLANK_LINE) else {
            return Ok(None);
        };
        let text = str::from_utf8(&self.bytes[..seen + at]).map_err(|_| AnswerError::Http)?;
        let mut lines = text.split("\r\n");
        let status = read_status(lines.next().unwrap_or_default()).ok_or(AnswerError::Http)?;
        let mut framing = Framing::UntilClosed;
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let (name, value) = (name.trim(), value.trim());
            if name.eq_ignore_ascii_case("transfer-encoding") {
                match value.eq_ignore_ascii_case("chunked") {
                    true => framing = Framing::Chunked,
                    false => return Err(AnswerError::Http),
                }
            } else if name.eq_ignore_ascii_case("content-length") && framing != Framing::Chunked {
                let len = value.parse().map_err(|_| AnswerError::Http)?;
                framing = Framing::Length(len);
            }
        }
        Ok(Some(Head {
            status,
            body_at: seen + at + BLANK_LINE.len(),
            framing,
        }))
    }
}

fn read_status(line: &str) -> Option<u16> {
    let (version, rest) = line.split_once(' ')?;
    let status = rest.get(..3)?.parse().ok()?;
    version.starts_with("HTTP/1.").then_some(status)
}

/// What is in the chunks (RFC 9112 §7.1); trailers are dropped.
fn dechunk(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::with_capacity(bytes.len());
    loop {
        let at = bytes.windows(2).position(|two| two == b"\r\n")?;
        let line = str::from_utf8(&bytes[..at]).ok()?;
        let len = line.split(';').next()?.trim();
        let len = usize::from_str_radix(len, 16).ok()?;
        bytes = &bytes[at + 2..];
        if len == 0 {
            return Some(body);
        }
        body.extend_from_slice(bytes.get(..len)?);
        bytes = bytes.get(len..)?.strip_prefix(b"\r\n")?;
    }
}

const BLANK_LINE: &[u8] = b"\r\n\r\n";
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
/// A description is 3 to 15 KB.
pub(crate) const MAX_RESPONSE_LEN: usize = 64 * 1024;

#[cfg(test)]
mod tests;
