//! A handle of one connection. Not the session: that is the author's.

use std::fmt;

use crate::error::{SendError, Sent};
use crate::message::Body;
use crate::request::{Accept, Reject};
use crate::setup::{Host, Level};
use crate::topics::Subscription;

/// A connection, by value: copy it, keep it, use it from any thread.
///
/// When the connection has ended everything answers [`SendError::Closed`]; no harm is done.
/// Nothing here blocks.
#[derive(Clone, Copy)]
pub struct Conn {
    pub(crate) host: Host,
    pub(crate) id: u64,
    pub(crate) uid: u64,
}

impl Conn {
    /// Names the client connection for its whole life, and in logs.
    #[must_use]
    pub fn uid(self) -> u64 {
        self.uid
    }

    /// The host.
    #[must_use]
    pub fn host(self) -> Host {
        self.host
    }

    /// Sends a message: text, bytes, or one that came.
    pub fn send<'a>(self, what: impl Into<Body<'a>>) -> Result<Sent, SendError> {
        SendError::check(self.host.0.send(self.id, what.into()))
    }

    /// Sends a text.
    pub fn send_text(self, text: &str) -> Result<Sent, SendError> {
        self.send(text)
    }

    /// Sends bytes.
    pub fn send_binary(self, bytes: &[u8]) -> Result<Sent, SendError> {
        self.send(bytes)
    }

    /// Closes behind what was sent. `code` is 1000, 1001, 1003, 1007 to 1014, or 3000 to 4999;
    /// `reason` has at most 123 bytes. `closed` follows.
    pub fn close(self, code: u16, reason: &str) -> Result<(), SendError> {
        SendError::check(self.host.0.close(self.id, code, reason)).map(drop)
    }

    /// Acknowledges every message up to `seq` that was answered with
    /// [`Handled::Deferred`](crate::Handled::Deferred).
    pub fn ack(self, seq: u64) -> Result<(), SendError> {
        SendError::check(self.host.0.ack(self.id, seq)).map(drop)
    }

    /// Answers a client that was taken by [`Opened::later`](crate::Opened::later): it is in.
    pub fn accept(self, how: &Accept) -> Result<(), SendError> {
        SendError::check(self.host.0.accept_late(self.id, how)).map(drop)
    }

    /// Answers a client that was taken by [`Opened::later`](crate::Opened::later): it is refused.
    ///
    /// Its session is dropped, here or when the callback that runs returns; no `closed` follows.
    pub fn reject(self, how: &Reject) -> Result<(), SendError> {
        SendError::check(self.host.0.reject_late(self.id, how)).map(drop)
    }

    /// Makes the connection a member of the topic, which exists from its first member on.
    ///
    /// `subscribed` tells what it came to if [`Subscription::snapshot`] asks for it, or if it
    /// failed. A topic's name is 1 to 255 bytes long.
    pub fn subscribe(self, topic: &str, how: &Subscription<'_>) -> Result<(), SendError> {
        SendError::check(self.host.0.subscribe(self.id, topic, how)).map(drop)
    }

    /// Ends a subscription. The end of a connection ends all of them.
    pub fn unsubscribe(self, topic: &str) -> Result<(), SendError> {
        SendError::check(self.host.0.unsubscribe(self.id, topic)).map(drop)
    }

    /// A line in the host's log that names this connection.
    pub fn log(self, level: Level, text: &str) {
        self.host.log(level, &format!("connection {}: {text}", self.uid));
    }
}

impl fmt::Debug for Conn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Conn({})", self.uid)
    }
}
