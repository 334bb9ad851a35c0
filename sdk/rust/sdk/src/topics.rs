//! Topics: shared state that belongs to the host. Not messages of one connection.

use crate::conn::Conn;
use crate::error::SendError;
use crate::message::Body;

/// How a connection subscribes to a topic.
#[derive(Debug, Clone, Copy, Default)]
#[must_use]
pub struct Subscription<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) metadata: &'a [u8],
    pub(crate) joined: Option<Body<'a>>,
    pub(crate) left: Option<Body<'a>>,
    pub(crate) history: u32,
    pub(crate) snapshot: bool,
}

impl<'a> Subscription<'a> {
    /// A silent member without a key.
    pub fn new() -> Self {
        Self::default()
    }

    /// Unique among the members of the topic. If it is taken, `subscribed` says
    /// [`SendError::Busy`].
    pub fn key(mut self, key: &'a str) -> Self {
        self.key = key.as_bytes();
        self
    }

    /// The plugin's words about this member, at most 4 KiB.
    pub fn metadata(mut self, metadata: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        self.metadata = metadata.as_ref();
        self
    }

    /// Published to the others in the same step as the member is added.
    pub fn joined(mut self, message: impl Into<Body<'a>>) -> Self {
        self.joined = Some(message.into());
        self
    }

    /// Published in the same step as the member is removed, whatever ended it.
    pub fn left(mut self, message: impl Into<Body<'a>>) -> Self {
        self.left = Some(message.into());
        self
    }

    /// The topic keeps at least its last `messages` retained messages; at most 1000.
    pub fn history(mut self, messages: u32) -> Self {
        self.history = messages;
        self
    }

    /// Wants `subscribed` with members and history.
    pub fn snapshot(mut self) -> Self {
        self.snapshot = true;
        self
    }
}

/// A message to every member of a topic.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct Publication<'a> {
    pub(crate) message: Body<'a>,
    pub(crate) retain: bool,
    pub(crate) except: u64,
}

impl<'a> Publication<'a> {
    /// Text, bytes, or a message that came.
    pub fn new(message: impl Into<Body<'a>>) -> Self {
        Self { message: message.into(), retain: false, except: 0 }
    }

    /// Keep it in the topic's history.
    pub fn retain(mut self) -> Self {
        self.retain = true;
        self
    }

    /// A subscriber that does not get it.
    pub fn except(mut self, conn: &Conn) -> Self {
        self.except = conn.id;
        self
    }
}

/// What a subscription came to: the topic at one instant, borrowed for the call.
///
/// What is sent in `subscribed` reaches the client before the first delivery.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Snapshot<'a> {
    /// An error: the connection is no member, or on a second subscription stays what it was, and
    /// the rest is empty. [`SendError::Busy`]: the key is taken.
    pub result: Result<(), SendError>,
    /// The topic.
    pub topic: &'a str,
    /// The key that was asked for.
    pub key: &'a [u8],
    /// Number of the last event before the first delivery.
    pub seq: u64,
    /// With this one, in the order of their joining.
    pub members: Vec<Member<'a>>,
    /// Retained messages, oldest first.
    pub history: Vec<Retained<'a>>,
}

/// A member of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Member<'a> {
    /// Its connection, as [`Conn::uid`] says.
    pub conn_uid: u64,
    /// Its key; empty if it has none.
    pub key: &'a [u8],
    /// The plugin's words about it.
    pub metadata: &'a [u8],
}

/// A message in the history of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retained<'a> {
    /// Its number in the topic.
    pub seq: u64,
    /// What it says.
    pub message: Body<'a>,
}
