//! Where something is fetched from: `http` URLs with an IP address.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use super::answer_error::AnswerError;

/// An `http` URL with an IP address for its host: no name is looked up for a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Location {
    addr: SocketAddr,
    /// Path and query; visible ASCII from `/` on.
    path: String,
}

impl Location {
    pub(crate) fn parse(url: &str) -> Result<Self, AnswerError> {
        let rest = strip_scheme(url.trim()).ok_or(AnswerError::Location)?;
        let (host, path) = match rest.find(['/', '?']) {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let addr = parse_host(host).ok_or(AnswerError::Location)?;
        Self {
            addr,
            path: String::new(),
        }
        .at(path)
    }

    /// What `reference` means in a document from here (RFC 3986 §5, without dots).
    pub(crate) fn join(&self, reference: &str) -> Result<Self, AnswerError> {
        let reference = reference.trim();
        if strip_scheme(reference).is_some() {
            return Self::parse(reference);
        }
        if reference.starts_with('/') {
            return self.at(reference);
        }
        let folder = self.path.split('?').next().unwrap_or("/");
        let folder = folder.rsplit_once('/').map_or("", |(folder, _)| folder);
        self.at(&format!("{folder}/{reference}"))
    }

    /// The same with the zone of a link-local address.
    pub(crate) fn with_scope(mut self, scope_id: u32) -> Self {
        if let SocketAddr::V6(addr) = &mut self.addr
            && addr.ip().is_unicast_link_local()
        {
            addr.set_scope_id(scope_id);
        }
        self
    }

    pub(crate) const fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(crate) const fn ip(&self) -> IpAddr {
        self.addr.ip()
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The value of the header `Host`.
    pub(crate) fn host(&self) -> impl fmt::Display {
        SocketAddr::new(self.ip(), self.addr.port())
    }

    fn at(&self, path: &str) -> Result<Self, AnswerError> {
        let path = match path.starts_with('/') {
            true => path.to_owned(),
            false => format!("/{path}"),
        };
        // What is written into a request ends no line of it.
        match path.len() <= MAX_PATH_LEN && path.bytes().all(|byte| byte.is_ascii_graphic()) {
            true => Ok(Self {
                addr: self.addr,
                path,
            }),
            false => Err(AnswerError::Location),
        }
    }
}

fn strip_scheme(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_at_checked(SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then_some(rest)
}

fn parse_host(host: &str) -> Option<SocketAddr> {
    let addr = match host.parse::<SocketAddr>() {
        Ok(addr) => addr,
        Err(_) => {
            let bare = host
                .strip_prefix('[')
                .and_then(|host| host.strip_suffix(']'));
            SocketAddr::new(bare.unwrap_or(host).parse().ok()?, HTTP_PORT)
        }
    };
    (addr.port() != 0).then_some(addr)
}

const SCHEME: &str = "http://";
const HTTP_PORT: u16 = 80;
/// Far longer than any seen.
const MAX_PATH_LEN: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(url: &str) -> (String, String) {
        let location = Location::parse(url).unwrap();
        (location.addr().to_string(), location.path().to_owned())
    }

    #[test]
    fn urls_with_addresses_are_read() {
        for (url, addr, path) in [
            (
                "http://192.168.1.1:5000/rootDesc.xml",
                "192.168.1.1:5000",
                "/rootDesc.xml",
            ),
            (" HTTP://10.0.0.1\r\n", "10.0.0.1:80", "/"),
            ("http://10.0.0.1?a=b", "10.0.0.1:80", "/?a=b"),
            ("http://[fe80::1]:80/a", "[fe80::1]:80", "/a"),
            ("http://[2001:db8::1]/a", "[2001:db8::1]:80", "/a"),
        ] {
            assert_eq!(parts(url), (addr.to_owned(), path.to_owned()), "{url}");
        }
    }

    #[test]
    fn other_urls_are_refused() {
        for url in [
            "https://192.168.1.1/",
            "ftp://192.168.1.1/",
            "http://router.local/",
            "http://192.168.1.1:0/",
            "http://user@192.168.1.1/",
            "http://192.168.1.1/a b",
            "http://192.168.1.1/a\r\nX: y",
            "http://192.168.1.1/\u{e9}",
            "192.168.1.1",
            "",
        ] {
            assert_eq!(Location::parse(url), Err(AnswerError::Location), "{url}");
        }
        let long = format!("http://192.168.1.1/{}", "a".repeat(2_000));
        assert_eq!(Location::parse(&long), Err(AnswerError::Location));
    }

    #[test]
    fn references_are_relative_to_the_document() {
        let base = Location::parse("http://10.0.0.1:5000/a/root.xml?x=/y").unwrap();
        for (reference, path) in [
            ("/ctl/IPConn", "/ctl/IPConn"),
            ("ctl", "/a/ctl"),
            ("http://10.0.0.1:81/ctl", "/ctl"),
        ] {
            assert_eq!(base.join(reference).unwrap().path(), path, "{reference}");
        }
        assert!(base.join("/ctl\r\n").is_ok_and(|at| at.path() == "/ctl"));
        assert!(base.join("/c\r\ntl").is_err());
    }
}
