//! What a client makes of the answer to its request: RFC 6455, section 4.1, after the request.

use thiserror::Error;

use super::deflate::{AnswerError, Offer};
use super::request::is_value;
use super::{accept_key, has_token, is_token};
use crate::deflate::Agreed;

/// The length of a response's head, its empty line included, or `None` if more must come.
///
/// For bytes as they come: ask again with all of them when there are more. `limit` is the longest
/// head that is taken.
///
/// # Errors
/// [`ResponseError::HeadTooLong`]; and what cannot become a head any more, at its first wrong byte.
///
/// ```
/// use switchboard_websocket::handshake::response_head_len;
///
/// assert_eq!(response_head_len(b"HTTP/1.1 101 Switching Pro", 8192)?, None);
/// assert_eq!(response_head_len(b"HTTP/1.1 204 \r\n\r\nrest", 8192)?, Some(17));
/// # Ok::<(), switchboard_websocket::handshake::ResponseError>(())
/// ```
pub fn response_head_len(bytes: &[u8], limit: usize) -> Result<Option<usize>, ResponseError> {
    let begun = bytes.len().min(PROTOCOL.len());
    if bytes[..begun] != PROTOCOL.as_bytes()[..begun] {
        return Err(ResponseError::NotHttp);
    }
    let within = &bytes[..bytes.len().min(limit)];
    match within.windows(END.len()).position(|window| window == END) {
        Some(at) => Ok(Some(at + END.len())),
        None if bytes.len() >= limit => Err(ResponseError::HeadTooLong { limit }),
        None => Ok(None),
    }
}

/// The head of a response, parsed but not judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response<'a> {
    /// The status, of three digits.
    pub status: u16,
    /// The words behind it, which mean nothing.
    pub reason: &'a [u8],
    is_http_1_1: bool,
    headers: Vec<(&'a str, &'a [u8])>,
}

impl<'a> Response<'a> {
    /// Reads a head, whole, as [`response_head_len`] found it.
    ///
    /// # Errors
    /// [`ResponseError::NotHttp`] and [`ResponseError::Malformed`].
    pub fn parse(head: &'a [u8]) -> Result<Self, ResponseError> {
        let lines = head.strip_suffix(END.as_slice()).ok_or_else(|| malformed(head))?;
        let mut lines = split_lines(lines);
        let line = lines.next().unwrap_or_default();
        let rest = line.strip_prefix(PROTOCOL.as_bytes()).ok_or(ResponseError::NotHttp)?;
        let (minor, status, reason) = status_line(rest).ok_or_else(|| malformed(line))?;
        let headers = lines.map(|line| header(line).ok_or_else(|| malformed(line)));
        let headers = headers.collect::<Result<_, _>>()?;
        Ok(Self { status, reason, is_http_1_1: minor == b'1', headers })
    }

    /// All headers in their order: names as they came, values without the blanks round them.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.headers.iter().copied()
    }

    /// The values of the headers of this name, in capitals or not.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let is_it = move |header: &&(&str, &[u8])| header.0.eq_ignore_ascii_case(name);
        self.headers.iter().filter(is_it).map(|(_, value)| *value)
    }

    /// Holds the response against the request's key and the subprotocols that it offered, and
    /// returns the server's choice among them. The connection is open then.
    ///
    /// For a request that did not offer compression; see [`check_deflate`](Self::check_deflate).
    ///
    /// # Errors
    /// The first rule of section 4.1 that the server broke; or its refusal.
    pub fn check(&self, key: &str, offered: &[&str]) -> Result<Option<&'a str>, ResponseError> {
        self.check_upgrade(key)?;
        if let Some(extension) = self.extensions().find(|value| !value.is_empty()) {
            return Err(ResponseError::ExtensionNotAsked(shown(extension)));
        }
        self.subprotocol(offered)
    }

    /// As [`check`](Self::check), for a request that offered compression; returns also what was
    /// agreed on, if the server took it.
    ///
    /// # Errors
    /// The first rule of section 4.1 that the server broke; or its refusal.
    pub fn check_deflate(
        &self,
        key: &str,
        offered: &[&str],
        offer: &Offer,
    ) -> Result<(Option<&'a str>, Option<Agreed>), ResponseError> {
        self.check_upgrade(key)?;
        let agreed = offer.check(self.extensions())?;
        Ok((self.subprotocol(offered)?, agreed))
    }

    fn extensions(&self) -> impl Iterator<Item = &'a [u8]> {
        self.values("Sec-WebSocket-Extensions")
    }

    fn check_upgrade(&self, key: &str) -> Result<(), ResponseError> {
        if self.status != 101 {
            return Err(ResponseError::Status(self.status));
        }
        if !self.is_http_1_1 {
            return Err(ResponseError::HttpVersion);
        }
        if !self.list_has("Upgrade", "websocket") {
            return Err(ResponseError::NoUpgrade);
        }
        if !self.list_has("Connection", "upgrade") {
            return Err(ResponseError::NoConnectionUpgrade);
        }
        let mut accept = self.values("Sec-WebSocket-Accept");
        if accept.next() != Some(accept_key(key).as_bytes()) || accept.next().is_some() {
            return Err(ResponseError::WrongAccept);
        }
        Ok(())
    }

    fn subprotocol(&self, offered: &[&str]) -> Result<Option<&'a str>, ResponseError> {
        let mut chosen = self.values("Sec-WebSocket-Protocol");
        let Some(value) = chosen.next() else { return Ok(None) };
        let name = std::str::from_utf8(value).ok().filter(|name| offered.contains(name));
        match (name, chosen.next()) {
            (Some(name), None) => Ok(Some(name)),
            (_, more) => Err(ResponseError::SubprotocolNotOffered(shown(more.unwrap_or(value)))),
        }
    }

    fn list_has(&self, name: &str, token: &str) -> bool {
        let text = |value| std::str::from_utf8(value).unwrap_or_default();
        self.values(name).any(|value| has_token(text(value), token))
    }
}

/// Why there is no WebSocket. All but [`Status`](Self::Status) are faults of the server.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ResponseError {
    /// The server refuses, redirects, or answers as if nothing special had been asked for.
    #[error("the server answered {0} instead of 101")]
    Status(u16),
    /// The first bytes are not those of an HTTP/1 response.
    #[error("the server does not speak HTTP/1")]
    NotHttp,
    /// A head does not end within the limit.
    #[error("the head of the response is longer than {limit} bytes")]
    HeadTooLong {
        /// The limit.
        limit: usize,
    },
    /// RFC 9112: this is no status line or no header.
    #[error("the response has a malformed line: {0:?}")]
    Malformed(String),
    /// RFC 9110, section 7.8: HTTP/1.0 has no upgrade.
    #[error("the response is not HTTP/1.1")]
    HttpVersion,
    /// Section 4.1, item 2 on the response.
    #[error("the response has no 'Upgrade: websocket'")]
    NoUpgrade,
    /// Section 4.1, item 3 on the response.
    #[error("the response has no 'Connection: Upgrade'")]
    NoConnectionUpgrade,
    /// Section 4.1, item 4 on the response: missing, not of this key, or there twice.
    #[error("Sec-WebSocket-Accept does not answer the key")]
    WrongAccept,
    /// Section 4.1, item 5 on the response.
    #[error("the server uses the extension {0:?}, which was not asked for")]
    ExtensionNotAsked(String),
    /// The same, where an extension was offered: the answer does not fit it.
    #[error(transparent)]
    Extension(#[from] AnswerError),
    /// Section 4.1, item 6 on the response; or more than one was chosen.
    #[error("the server chose the subprotocol {0:?}, which was not offered")]
    SubprotocolNotOffered(String),
}

/// What the status line of HTTP/1 begins with; a digit follows.
const PROTOCOL: &str = "HTTP/1.";
const END: &[u8; 4] = b"\r\n\r\n";
/// So much of what a server sent is shown in an error.
const SHOWN_BYTES_MAX: usize = 100;

fn malformed(line: &[u8]) -> ResponseError {
    ResponseError::Malformed(shown(line))
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN_BYTES_MAX)]).into_owned()
}

fn split_lines(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut is_over = false;
    std::iter::from_fn(move || {
        if is_over {
            return None;
        }
        let at = rest.windows(2).position(|window| window == b"\r\n");
        is_over = at.is_none();
        let line = &rest[..at.unwrap_or(rest.len())];
        rest = at.map_or(&[], |at| &rest[at + 2..]);
        Some(line)
    })
}

/// `1 101 Switching Protocols`, after the `HTTP/1.`. RFC 9112, section 4: the reason may be empty,
/// and many servers leave out the blank before it.
fn status_line(rest: &[u8]) -> Option<(u8, u16, &[u8])> {
    let [minor @ b'0'..=b'9', b' ', a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', reason @ ..] =
        rest
    else {
        return None;
    };
    let digit = |byte: &u8| u16::from(byte - b'0');
    let status = digit(a) * 100 + digit(b) * 10 + digit(c);
    match reason {
        [] => Some((*minor, status, reason)),
        [b' ', reason @ ..] if is_value(reason) => Some((*minor, status, reason)),
        _ => None,
    }
}

/// RFC 9112, section 5. A folded line, obsolete long since, is refused: its name is no token.
fn header(line: &[u8]) -> Option<(&str, &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = std::str::from_utf8(&line[..colon]).ok().filter(|name| is_token(name))?;
    let mut value = &line[colon + 1..];
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    is_value(value).then_some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const GOOD: &str = "HTTP/1.1 101 Switching Protocols\r\n\
        Upgrade: websocket\r\n\
        Connection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

    /// What becomes of a head if `chat` and `v2` were offered.
    fn check(head: &str) -> Result<Option<String>, ResponseError> {
        let response = Response::parse(head.as_bytes())?;
        Ok(response.check(KEY, &["chat", "v2"])?.map(str::to_owned))
    }

    /// [`GOOD`] with something put in the place of something.
    fn with(old: &str, new: &str) -> String {
        assert!(GOOD.contains(old), "{old}");
        GOOD.replace(old, new)
    }

    #[test]
    fn a_head_is_whole_at_its_empty_line_and_not_before() {
        let bytes = [GOOD.as_bytes(), b"\x81\x02hi\r\n\r\n"].concat();
        for len in 0..bytes.len() {
            let expected = (len >= GOOD.len()).then_some(GOOD.len());
            assert_eq!(response_head_len(&bytes[..len], GOOD.len() + 1), Ok(expected), "{len}");
        }
    }

    #[test]
    fn a_head_ends_within_the_limit() {
        let (bytes, len) = (GOOD.as_bytes(), GOOD.len());
        assert_eq!(response_head_len(bytes, len), Ok(Some(len)));
        let limit = len - 1;
        assert_eq!(response_head_len(bytes, limit), Err(ResponseError::HeadTooLong { limit }));
        assert_eq!(response_head_len(&bytes[..limit - 1], limit), Ok(None));
    }

    #[test]
    fn what_is_no_http_is_known_at_its_first_bytes() {
        for bytes in ["h", "SSH-2.0-", "HTTP/2", "HTTP 1.1", "\r\n", "\u{81}\u{2}hi"] {
            let found = response_head_len(bytes.as_bytes(), 1000);
            assert_eq!(found, Err(ResponseError::NotHttp), "{bytes}");
        }
    }

    #[test]
    fn a_good_response_opens() {
        #[rustfmt::skip]
        let table = [
            (GOOD.to_owned(),                                                       None),
            (with("Switching Protocols", ""),                                       None),
            (with(" Switching Protocols", ""),                                      None),
            (with("Upgrade: websocket", "uPGRADE:WebSocket"),                       None),
            (with("Connection: Upgrade", "Connection: keep-alive,  upgrade\t"),     None),
            (with("Connection: Upgrade", "Connection: a\r\nConnection: Upgrade"),   None),
            (with("\r\n\r\n", "\r\nX-Name: Jürgen\r\n\r\n"),                      None),
            (with("\r\n\r\n", "\r\nSec-WebSocket-Extensions:\r\n\r\n"),             None),
            (with("\r\n\r\n", "\r\nSec-WebSocket-Protocol: v2\r\n\r\n"),            Some("v2")),
            (with("\r\n\r\n", "\r\nsec-websocket-protocol:  chat \r\n\r\n"),        Some("chat")),
        ];
        for (head, expected) in table {
            assert_eq!(check(&head), Ok(expected.map(str::to_owned)), "{head}");
        }
    }

    #[test]
    fn a_bad_response_says_which_rule_it_breaks() {
        use ResponseError::*;
        let protocol =
            |value: &str| with("\r\n\r\n", &format!("\r\nSec-WebSocket-Protocol: {value}\r\n\r\n"));
        let twice = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n".repeat(2);
        #[rustfmt::skip]
        let table = [
            (with("101 Switching Protocols", "200 OK"),             Status(200)),
            (with("101 Switching Protocols", "404 Not Found"),      Status(404)),
            ("HTTP/1.0 404 Not Found\r\n\r\n".to_owned(),           Status(404)),
            (with("HTTP/1.1", "HTTP/1.0"),                          HttpVersion),
            (with("Upgrade: websocket\r\n", ""),                    NoUpgrade),
            (with("Upgrade: websocket", "Upgrade: h2c"),            NoUpgrade),
            (with("Connection: Upgrade\r\n", ""),                   NoConnectionUpgrade),
            (with("Connection: Upgrade", "Connection: close"),      NoConnectionUpgrade),
            (with("Sec-WebSocket-Accept", "X-Accept"),              WrongAccept),
            (with("s3pP", "s3pp"),                                  WrongAccept),
            (with("xOo=", "xOo"),                                   WrongAccept),
            (with("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", &twice), WrongAccept),
            (with("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
                ExtensionNotAsked("permessage-deflate".to_owned())),
            (protocol("other"),     SubprotocolNotOffered("other".to_owned())),
            (protocol("Chat"),      SubprotocolNotOffered("Chat".to_owned())),
            (protocol(""),          SubprotocolNotOffered(String::new())),
            (protocol("chat, v2"),  SubprotocolNotOffered("chat, v2".to_owned())),
            (protocol("chat\r\nSec-WebSocket-Protocol: v2"), SubprotocolNotOffered("v2".to_owned())),
        ];
        for (head, expected) in table {
            assert_eq!(check(&head), Err(expected), "{head}");
        }
    }

    #[test]
    fn a_malformed_head_shows_its_line() {
        #[rustfmt::skip]
        let table = [
            (with("HTTP/1.1 101", "HTTP/1.1 10"),        "HTTP/1.1 10 Switching Protocols"),
            (with("HTTP/1.1 101", "HTTP/1.1 1011"),      "HTTP/1.1 1011 Switching Protocols"),
            (with("HTTP/1.1 101", "HTTP/1.1  101"),      "HTTP/1.1  101 Switching Protocols"),
            (with("HTTP/1.1 101", "HTTP/1.x 101"),       "HTTP/1.x 101 Switching Protocols"),
            (with("Switching", "Switching\n"),           "HTTP/1.1 101 Switching\n Protocols"),
            (with("Upgrade: websocket", "Upgrade"),      "Upgrade"),
            (with("Upgrade: websocket", "Upgrade : x"),  "Upgrade : x"),
            (with("Upgrade: websocket", " folded: x"),   " folded: x"),
            (with("Upgrade: websocket", ": x"),          ": x"),
            (with("Upgrade: websocket", "X: a\rb"),      "X: a\rb"),
            (with("Upgrade: websocket", "X: a\nb"),      "X: a\nb"),
            (with("Upgrade: websocket", "X: a\r"),       "X: a\r"),
        ];
        for (head, line) in table {
            assert_eq!(check(&head), Err(ResponseError::Malformed(line.to_owned())), "{head}");
        }
        assert_eq!(check("SSH-2.0\r\n\r\n"), Err(ResponseError::NotHttp));
        assert!(matches!(check("HTTP/1.1 101 cut"), Err(ResponseError::Malformed(_))));
        let long = with("Upgrade: websocket", &"x".repeat(5000));
        let Err(ResponseError::Malformed(line)) = check(&long) else { panic!("no colon") };
        assert_eq!(line.len(), SHOWN_BYTES_MAX);
    }

    #[test]
    fn headers_come_in_their_order() {
        let response =
            Response::parse(b"HTTP/1.1 503 Busy\r\nA: 1\r\nRetry-After:  7 \r\na: 2\r\n\r\n");
        let response = response.unwrap();
        assert_eq!((response.status, response.reason), (503, b"Busy".as_slice()));
        assert_eq!(
            response.headers().map(|(name, _)| name).collect::<Vec<_>>(),
            ["A", "Retry-After", "a"]
        );
        assert_eq!(response.values("retry-after").collect::<Vec<_>>(), [b"7"]);
        assert_eq!(response.values("A").collect::<Vec<_>>(), [b"1", b"2"]);
        assert_eq!(response.values("b").count(), 0);
        let bare = Response::parse(b"HTTP/1.1 200\r\n\r\n").unwrap();
        assert_eq!((bare.status, bare.headers().count()), (200, 0));
    }

    #[test]
    fn an_error_reads_as_a_sentence() {
        assert_eq!(
            ResponseError::Status(404).to_string(),
            "the server answered 404 instead of 101"
        );
        assert_eq!(
            ResponseError::SubprotocolNotOffered("a".to_owned()).to_string(),
            "the server chose the subprotocol \"a\", which was not offered"
        );
    }
}
