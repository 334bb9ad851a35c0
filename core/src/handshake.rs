//! The opening handshake. RFC 6455, section 4, over HTTP/1.1.
//!
//! What a request must have is decided here; who answers it is `route`'s matter, and the words of the
//! response are `front`'s.

use axum::extract::Request;
use axum::http::header::{CONNECTION, CONTENT_LENGTH, HOST, ORIGIN, TRANSFER_ENCODING, UPGRADE};
use axum::http::header::{
    SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use switchboard_websocket::handshake::{
    MalformedExtensions, accept_key, deflate, has_token, is_key, is_token, tokens,
};

use crate::conf::{Origin, WebSocketSettings};

/// A request that keeps the rules.
#[derive(Debug, PartialEq, Eq)]
pub struct Handshake {
    /// Value of the response's `Sec-WebSocket-Accept`.
    pub accept: String,
    /// What the client offers, in its order.
    pub subprotocols: Vec<String>,
    /// The host's choice among them.
    pub subprotocol: Option<String>,
    /// If the client offers compression and the conf wants it.
    pub deflate: Option<deflate::Accepted>,
}

/// A request that does not. Each has its status, and a sentence for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Section 4.1, 2.
    #[error("a handshake is a GET request, not {0}")]
    Method(Method),
    /// Section 4.1, 2.
    #[error("a handshake is made over HTTP/1.1, not {0:?}")]
    HttpVersion(Version),
    /// Section 4.2.1, 3: no `Upgrade: websocket`.
    #[error("this address speaks WebSocket: ask for it with 'Upgrade: websocket'")]
    NoUpgrade,
    /// Section 4.2.1, 4.
    #[error("the Connection header lacks the token 'upgrade'")]
    NoConnectionUpgrade,
    /// Section 4.2.1, 6. Section 4.4: the answer names the version that is spoken.
    #[error("Sec-WebSocket-Version must be 13")]
    WrongVersion,
    /// Section 4.2.1, 5.
    #[error("Sec-WebSocket-Key must be there once, as the base64 of 16 bytes")]
    BadKey,
    /// Section 4.2.1, 2, and RFC 9112, section 3.2.
    #[error("a request has one Host header, with a host in it")]
    BadHost,
    /// RFC 9110, section 7.8: it would have to be read before the protocol changes.
    #[error("a handshake has no body")]
    Body,
    /// Section 4.1, 10: not a list of tokens, or one of them twice.
    #[error("Sec-WebSocket-Protocol must be a list of different tokens")]
    BadSubprotocols,
    /// Section 9.1: not a list of extensions.
    #[error(transparent)]
    BadExtensions(#[from] MalformedExtensions),
    /// Section 10.2.
    #[error("the Origin {0:?} is not allowed here")]
    ForeignOrigin(String),
    /// By the conf: `origin-required`.
    #[error("a request without an Origin is not allowed here")]
    NoOrigin,
}

impl Refusal {
    /// What the client gets.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NoUpgrade | Self::WrongVersion => StatusCode::UPGRADE_REQUIRED,
            Self::ForeignOrigin(_) | Self::NoOrigin => StatusCode::FORBIDDEN,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// True if the request asks for a WebSocket, well or badly.
pub fn is_asked_for(headers: &HeaderMap) -> bool {
    headers.contains_key(SEC_WEBSOCKET_KEY) || list_has(headers, &UPGRADE, "websocket")
}

/// Checks everything that does not depend on the section.
///
/// # Errors
/// The first rule that is broken.
pub fn check(
    method: &Method,
    version: Version,
    headers: &HeaderMap,
    settings: &WebSocketSettings,
) -> Result<Handshake, Refusal> {
    if version != Version::HTTP_11 {
        return Err(Refusal::HttpVersion(version));
    }
    if method != Method::GET {
        return Err(Refusal::Method(method.clone()));
    }
    if !list_has(headers, &UPGRADE, "websocket") {
        return Err(Refusal::NoUpgrade);
    }
    if !list_has(headers, &CONNECTION, "upgrade") {
        return Err(Refusal::NoConnectionUpgrade);
    }
    let host = once(headers, &HOST).ok_or(Refusal::BadHost)?;
    let empty = headers.get(CONTENT_LENGTH).is_none_or(|length| length == "0");
    if !empty || headers.contains_key(TRANSFER_ENCODING) {
        return Err(Refusal::Body);
    }
    if once(headers, &SEC_WEBSOCKET_VERSION) != Some("13") {
        return Err(Refusal::WrongVersion);
    }
    let key = once(headers, &SEC_WEBSOCKET_KEY).filter(|key| is_key(key));
    let key = key.ok_or(Refusal::BadKey)?;
    check_origin(headers, host, settings)?;
    let subprotocols = offered(headers)?;
    // The conf's order is the order of preference.
    let choice = settings.subprotocols.iter().find(|name| subprotocols.contains(name)).cloned();
    let extensions = headers.get_all(SEC_WEBSOCKET_EXTENSIONS);
    let offers = extensions.iter().map(HeaderValue::as_bytes);
    let deflate = settings.compression.policy().accept(offers)?;
    Ok(Handshake { accept: accept_key(key), subprotocols, subprotocol: choice, deflate })
}

fn check_origin(
    headers: &HeaderMap,
    host: &str,
    settings: &WebSocketSettings,
) -> Result<(), Refusal> {
    if !headers.contains_key(ORIGIN) {
        let required = settings.origin_required;
        return if required { Err(Refusal::NoOrigin) } else { Ok(()) };
    }
    let shown = || {
        let value = headers.get(ORIGIN).map(|value| value.as_bytes().to_vec());
        String::from_utf8_lossy(&value.unwrap_or_default()).into_owned()
    };
    let origin = once(headers, &ORIGIN).ok_or_else(|| Refusal::ForeignOrigin(shown()))?;
    let parsed = SentOrigin::parse(origin);
    let allowed = settings.origins.iter().any(|rule| match rule {
        Origin::Any => true,
        Origin::Same => parsed.as_ref().is_some_and(|origin| origin.is_of(host)),
        Origin::Exactly { scheme, host, port, below } => {
            parsed.as_ref().is_some_and(|origin| origin.matches(scheme, host, *port, *below))
        }
    });
    if allowed { Ok(()) } else { Err(Refusal::ForeignOrigin(origin.to_owned())) }
}

/// An Origin as a browser sends it. RFC 6454, section 6.1. `null` is none.
#[derive(Debug)]
struct SentOrigin {
    scheme: String,
    host: String,
    port: Option<u16>,
}

impl SentOrigin {
    fn parse(origin: &str) -> Option<Self> {
        let (scheme, rest) = origin.split_once("://")?;
        let (host, port) = split_port(rest)?;
        if scheme.is_empty() || host.is_empty() || host.contains(['/', '?', '#', '@']) {
            return None;
        }
        Some(Self { scheme: scheme.to_ascii_lowercase(), host: host.to_ascii_lowercase(), port })
    }

    fn port(&self) -> u16 {
        self.port.unwrap_or(if self.scheme == "https" { 443 } else { 80 })
    }

    /// Host and port equal those of the Host header; the scheme is not compared, because a host
    /// behind a TLS front does not know it.
    fn is_of(&self, host: &str) -> bool {
        let Some((name, port)) = split_port(host) else { return false };
        // A browser leaves the default port of the scheme out, in both or in one of them.
        name.eq_ignore_ascii_case(&self.host)
            && (port == self.port || self.port.is_none() && port == Some(self.port()))
    }

    fn matches(&self, scheme: &str, host: &str, port: u16, below: bool) -> bool {
        let host_matches = if below {
            self.host.strip_suffix(host).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
        } else {
            self.host == host
        };
        self.scheme == scheme && self.port() == port && host_matches
    }
}

/// `name`, `name:port`, `[v6]`, `[v6]:port`.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let end = if authority.starts_with('[') { authority.find(']')? + 1 } else { 0 };
    match authority[end..].find(':') {
        None => Some((authority, None)),
        Some(at) => {
            let (name, port) = authority.split_at(end + at);
            let digits = &port[1..];
            let number = digits.bytes().all(|byte| byte.is_ascii_digit());
            if number { Some((name, Some(digits.parse().ok()?))) } else { None }
        }
    }
}

/// Sees to it that a request names one host in its header: that of an absolute target, which stands
/// over the header. RFC 9112, sections 3.2 and 3.2.2.
///
/// # Errors
/// [`Refusal::BadHost`]
pub fn name_host<B>(request: &mut Request<B>) -> Result<(), Refusal> {
    let is_host =
        |host: &str| host.is_empty() || !host.contains('@') && host.parse::<Authority>().is_ok();
    let needed = request.version() == Version::HTTP_11 || request.headers().contains_key(HOST);
    if needed && !once(request.headers(), &HOST).is_some_and(is_host) {
        return Err(Refusal::BadHost);
    }
    let target = request.uri().authority().map(Authority::as_str);
    let target = target.map(|target| target.rsplit('@').next().unwrap_or(target));
    if let Some(host) = target.and_then(|host| HeaderValue::from_str(host).ok()) {
        request.headers_mut().insert(HOST, host);
    }
    Ok(())
}

/// The name in a Host header, lower case, without its port.
pub fn host_name(headers: &HeaderMap) -> String {
    let host = once(headers, &HOST).unwrap_or("");
    split_port(host).map_or(host, |(name, _)| name).to_ascii_lowercase()
}

fn offered(headers: &HeaderMap) -> Result<Vec<String>, Refusal> {
    let mut names: Vec<String> = Vec::new();
    for value in headers.get_all(SEC_WEBSOCKET_PROTOCOL) {
        let value = value.to_str().map_err(|_| Refusal::BadSubprotocols)?;
        for name in tokens(value) {
            if !is_token(name) || names.iter().any(|known| known == name) || names.len() >= 100 {
                return Err(Refusal::BadSubprotocols);
            }
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// The value of a header that is there exactly once.
fn once<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() { None } else { Some(value) }
}

fn list_has(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let has = |value: &HeaderValue| value.to_str().is_ok_and(|value| has_token(value, token));
    headers.get_all(name).iter().any(has)
}
