//! The request that a client opens with: RFC 6455, section 4.1.

use thiserror::Error;

use super::deflate::Offer;
use super::{VERSION, is_key, is_token};

/// What a client asks for. Written by [`write`](Self::write), which refuses what would not be one
/// right request.
///
/// ```
/// use switchboard_websocket::handshake::{Request, random_key_from};
///
/// let key = random_key_from(*b"the sample nonce");
/// let request = Request { subprotocols: &["chat"], ..Request::new("example.com", "/feed", &key) };
/// let mut bytes = Vec::new();
/// request.write(&mut bytes)?;
/// assert!(bytes.starts_with(b"GET /feed HTTP/1.1\r\nHost: example.com\r\n"));
/// assert!(bytes.ends_with(b"\r\nSec-WebSocket-Protocol: chat\r\n\r\n"));
/// # Ok::<(), switchboard_websocket::handshake::RequestError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Value of `Host`: a name or an address, with the port unless it is the scheme's own.
    pub host: &'a str,
    /// Path and query, percent-encoded, beginning with a slash.
    pub target: &'a str,
    /// Value of `Sec-WebSocket-Key`: see [`random_key_from`](super::random_key_from).
    pub key: &'a str,
    /// Value of `Origin`.
    pub origin: Option<&'a str>,
    /// What is offered, the best first.
    pub subprotocols: &'a [&'a str],
    /// Whether compression is offered, and which.
    pub deflate: Option<Offer>,
    /// Further headers, sent in this order. The value need not be UTF-8.
    pub headers: &'a [(&'a str, &'a [u8])],
}

impl<'a> Request<'a> {
    /// A request without an origin, subprotocols, compression or further headers.
    pub fn new(host: &'a str, target: &'a str, key: &'a str) -> Self {
        Self { host, target, key, origin: None, subprotocols: &[], deflate: None, headers: &[] }
    }

    /// Appends the request to `out`.
    ///
    /// # Errors
    /// What cannot be sent; `out` is as before then.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), RequestError> {
        self.check()?;
        let mut line = |parts: &[&[u8]]| {
            parts.iter().for_each(|part| out.extend_from_slice(part));
            out.extend_from_slice(b"\r\n");
        };
        line(&[b"GET ", self.target.as_bytes(), b" HTTP/1.1"]);
        line(&[b"Host: ", self.host.as_bytes()]);
        line(&[b"Upgrade: websocket"]);
        line(&[b"Connection: Upgrade"]);
        line(&[b"Sec-WebSocket-Key: ", self.key.as_bytes()]);
        line(&[b"Sec-WebSocket-Version: ", VERSION.as_bytes()]);
        if let Some(origin) = self.origin {
            line(&[b"Origin: ", origin.as_bytes()]);
        }
        for (name, value) in self.headers {
            line(&[name.as_bytes(), b": ", value]);
        }
        if !self.subprotocols.is_empty() {
            line(&[b"Sec-WebSocket-Protocol: ", self.subprotocols.join(", ").as_bytes()]);
        }
        if let Some(offer) = self.deflate {
            line(&[b"Sec-WebSocket-Extensions: ", offer.to_string().as_bytes()]);
        }
        line(&[]);
        Ok(())
    }

    fn check(&self) -> Result<(), RequestError> {
        // RFC 9112, section 3.2.1. A fragment is never sent: RFC 6455, section 3.
        let in_target = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
        if !self.target.starts_with('/') || !self.target.bytes().all(in_target) {
            return Err(RequestError::Target(self.target.to_owned()));
        }
        let in_host = |byte: u8| byte.is_ascii_graphic() && !b"/?#@\\,".contains(&byte);
        if self.host.is_empty() || !self.host.bytes().all(in_host) {
            return Err(RequestError::Host(self.host.to_owned()));
        }
        if !is_key(self.key) {
            return Err(RequestError::Key);
        }
        if self.origin.is_some_and(|origin| !is_value(origin.as_bytes())) {
            return Err(RequestError::Value("Origin".to_owned()));
        }
        for (at, name) in self.subprotocols.iter().enumerate() {
            if !is_token(name) || self.subprotocols[..at].contains(name) {
                return Err(RequestError::Subprotocol((*name).to_owned()));
            }
        }
        self.headers.iter().try_for_each(|(name, value)| check_header(name, value))
    }
}

/// Why a [`Request`] cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Not a path with a query, or not percent-encoded.
    #[error("{0:?} cannot be asked for: a target begins with '/' and is percent-encoded")]
    Target(String),
    /// Empty, or with characters that no authority has.
    #[error("{0:?} is no host")]
    Host(String),
    /// Section 4.1, item 7.
    #[error("the key is not the base64 of 16 bytes")]
    Key,
    /// Section 4.1, item 10.
    #[error("{0:?} cannot be offered as a subprotocol: it must be a token, and be there once")]
    Subprotocol(String),
    /// The name of a header is a token. RFC 9110, section 5.1.
    #[error("{0:?} is no name of a header")]
    Name(String),
    /// The handshake sets this header itself, or has no place for it.
    #[error("the handshake itself decides about the header {0}")]
    Reserved(String),
    /// A line break or another control character. RFC 9110, section 5.5.
    #[error("the header {0} has a control character in its value")]
    Value(String),
}

/// Whether the handshake itself decides about this header, so that a [`Request`] refuses it among
/// its further ones. In capitals or not.
pub fn is_reserved(name: &str) -> bool {
    let begins = name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX));
    begins || RESERVED.iter().any(|known| known.eq_ignore_ascii_case(name))
}

const PREFIX: &str = "Sec-WebSocket-";

/// What this request sets, what would give it a body, and what is meant for one hop only.
const RESERVED: [&str; 11] = [
    "Connection",
    "Content-Length",
    "Expect",
    "Host",
    "Keep-Alive",
    "Origin",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
];

fn check_header(name: &str, value: &[u8]) -> Result<(), RequestError> {
    if !is_token(name) {
        return Err(RequestError::Name(name.to_owned()));
    }
    if is_reserved(name) {
        return Err(RequestError::Reserved(name.to_owned()));
    }
    if is_value(value) { Ok(()) } else { Err(RequestError::Value(name.to_owned())) }
}

/// RFC 9110, section 5.5: no control character but the tab.
pub(super) fn is_value(value: &[u8]) -> bool {
    value.iter().all(|byte| !byte.is_ascii_control() || *byte == b'\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const PLAIN: Request<'_> = Request {
        host: "example.com",
        target: "/",
        key: KEY,
        origin: None,
        subprotocols: &[],
        deflate: None,
        headers: &[],
    };

    #[test]
    fn a_request_is_written_line_by_line() {
        let request = Request {
            host: "[::1]:8080",
            target: "/a%20b?c=d",
            origin: Some("https://example.com"),
            subprotocols: &["chat.v2", "chat"],
            deflate: Some(Offer::default()),
            headers: &[("Authorization", b"Basic YTpi"), ("X-Name", "J\u{fc}rgen".as_bytes())],
            ..PLAIN
        };
        let mut out = b"before ".to_vec();
        request.write(&mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "before GET /a%20b?c=d HTTP/1.1\r\n\
             Host: [::1]:8080\r\n\
             Upgrade: websocket\r\n\
             Connection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Version: 13\r\n\
             Origin: https://example.com\r\n\
             Authorization: Basic YTpi\r\n\
             X-Name: Jürgen\r\n\
             Sec-WebSocket-Protocol: chat.v2, chat\r\n\
             Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\
             \r\n"
        );
    }

    fn refused(request: &Request<'_>, expected: &RequestError) {
        let mut out = Vec::new();
        assert_eq!(request.write(&mut out).as_ref(), Err(expected), "{request:?}");
        assert!(out.is_empty(), "{request:?}");
    }

    #[test]
    fn a_target_is_a_path_and_a_query() {
        for target in ["", "a", "http://a/", "/a b", "/\r\nX: y", "/a#b", "/ä", "/\0", "/\x7f"] {
            refused(&Request { target, ..PLAIN }, &RequestError::Target(target.to_owned()));
        }
    }

    #[test]
    fn a_host_is_one_word() {
        for host in ["", "a b", "a\r\nX: y", "a/b", "user@a", "a,b", "ä", "a\n"] {
            refused(&Request { host, ..PLAIN }, &RequestError::Host(host.to_owned()));
        }
    }

    #[test]
    fn a_key_and_subprotocols_are_what_the_rfc_says() {
        refused(&Request { key: "short", ..PLAIN }, &RequestError::Key);
        for (offered, wrong) in [
            (["a", "a"], "a"),
            (["a", ""], ""),
            (["a,b", "c"], "a,b"),
            (["a", "b\r\nX: y"], "b\r\nX: y"),
        ] {
            let request = Request { subprotocols: &offered, ..PLAIN };
            refused(&request, &RequestError::Subprotocol(wrong.to_owned()));
        }
    }

    #[test]
    fn a_line_break_never_leaves() {
        for value in ["a\r\nX: y", "a\nX: y", "a\r", "\0", "\x7f"] {
            let headers = [("X-A", value.as_bytes())];
            let request = Request { headers: &headers, ..PLAIN };
            refused(&request, &RequestError::Value("X-A".to_owned()));
            let request = Request { origin: Some(value), ..PLAIN };
            refused(&request, &RequestError::Value("Origin".to_owned()));
        }
        for name in ["", "X A", "X:", "X\r\nY", "ä"] {
            let headers = [(name, b"".as_slice())];
            let request = Request { headers: &headers, ..PLAIN };
            refused(&request, &RequestError::Name(name.to_owned()));
        }
        let headers = [("X-Tab", b"a\tb".as_slice()), ("X-Empty", b"")];
        assert!(Request { headers: &headers, ..PLAIN }.write(&mut Vec::new()).is_ok());
    }

    #[test]
    fn the_headers_of_the_handshake_are_not_the_callers() {
        for name in [
            "Host",
            "host",
            "UPGRADE",
            "Connection",
            "Origin",
            "Sec-WebSocket-Key",
            "sec-websocket-extensions",
            "Sec-WebSocket-",
            "Content-Length",
            "Transfer-Encoding",
        ] {
            let headers = [(name, b"x".as_slice())];
            let request = Request { headers: &headers, ..PLAIN };
            refused(&request, &RequestError::Reserved(name.to_owned()));
        }
        assert!(!is_reserved("Sec-WebSocket"));
        assert!(!is_reserved("Cookie"));
        assert!(!is_reserved("sec-websocke\u{2212}x"), "no cut through a character");
    }
}
