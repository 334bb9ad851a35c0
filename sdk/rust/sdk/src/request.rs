//! A client that wants in, the answers to it, and its end.

use std::fmt;

use switchboard_abi::*;

/// A client that wants a WebSocket, borrowed for the call.
///
/// A request whose texts are not UTF-8 is answered with 400 before the endpoint sees it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Request<'a> {
    /// Names this client connection for its whole life, and in logs.
    pub conn_uid: u64,
    /// `GET`.
    pub method: &'a str,
    /// `ws` or `wss`.
    pub scheme: &'a str,
    /// The Host header.
    pub authority: &'a str,
    /// Path and query as sent.
    pub target: &'a str,
    /// The prefix of the conf section.
    pub route: &'a str,
    /// The decoded path below the prefix: empty or `/...`.
    pub path: &'a str,
    /// What follows `?`, as sent; empty if nothing.
    pub query: &'a str,
    /// Address of the client, `192.0.2.1:40000`; `unix` if it has none.
    pub peer: &'a str,
    /// Address that it came to.
    pub local: &'a str,
    /// The host's choice by the conf; empty if none.
    pub subprotocol: &'a str,
    /// What the client offers, in its order.
    pub subprotocols: Vec<&'a str>,
    /// Names in lower case, values as sent.
    pub headers: Vec<(&'a str, &'a [u8])>,
    /// The client came over TLS.
    pub tls: bool,
}

impl<'a> Request<'a> {
    /// The value of the first header of that name, if it is text. Case does not matter.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let value = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?.1;
        std::str::from_utf8(value).ok()
    }
}

/// The endpoint has taken a client: its session, and the answer if it is known already.
#[derive(Debug)]
#[must_use]
pub struct Opened<S> {
    pub(crate) session: S,
    pub(crate) answer: Option<Accept>,
}

impl<S> Opened<S> {
    /// Accepted; the host's choice of subprotocol stands.
    pub fn accept(session: S) -> Self {
        Self::accept_with(session, Accept::new())
    }

    /// Accepted, with a subprotocol or headers of the endpoint's choice.
    pub fn accept_with(session: S, accept: Accept) -> Self {
        Self { session, answer: Some(accept) }
    }

    /// To be answered by [`Conn::accept`](crate::Conn::accept) or
    /// [`Conn::reject`](crate::Conn::reject), from any thread, before the handshake times out.
    pub fn later(session: S) -> Self {
        Self { session, answer: None }
    }
}

/// How a client is accepted.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Accept {
    pub(crate) subprotocol: String,
    pub(crate) headers: Vec<(String, String)>,
}

impl Accept {
    /// The host's choice of subprotocol, no further headers.
    pub fn new() -> Self {
        Self::default()
    }

    /// One of the subprotocols that the client offers.
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocol = name.into();
        self
    }

    /// One more header of the response.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

/// How a client is refused.
#[derive(Debug, Clone)]
#[must_use]
pub struct Reject {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reject {
    /// An HTTP status, 400 to 599, and a sentence for a person.
    pub fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    /// One more header of the response.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.body)
    }
}

/// How a connection ended, borrowed for the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Closed<'a> {
    /// Who or what ended it.
    pub why: Why,
    /// The client's close code if it sent one (1005 if a Close without), 1006 if it left without a
    /// Close, else the code that the host sends.
    pub code: u16,
    /// The reason that came with the code.
    pub reason: &'a str,
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// The client closed, or left without a word.
    Client,
    /// This plugin closed.
    Local,
    /// Idle or ping limit.
    Idle,
    /// The client read too slowly.
    Slow,
    /// The host stops.
    Shutdown,
    /// Another instance has taken it over; the client knows nothing.
    Migrated,
    /// A callback of this plugin failed.
    Fault,
    /// The client broke the protocol or a limit, or anything unknown.
    Error,
}

impl Why {
    pub(crate) fn from_number(why: u32) -> Self {
        match why {
            SB_WHY_CLIENT => Self::Client,
            SB_WHY_LOCAL => Self::Local,
            SB_WHY_IDLE => Self::Idle,
            SB_WHY_SLOW => Self::Slow,
            SB_WHY_SHUTDOWN => Self::Shutdown,
            SB_WHY_MIGRATED => Self::Migrated,
            SB_WHY_FAULT => Self::Fault,
            _ => Self::Error,
        }
    }
}
