//! Messages, as they come and as they are sent. Not frames: those are the host's.

use switchboard_abi::{SB_BINARY, SB_TEXT};

/// What a message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body<'a> {
    /// Text.
    Text(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
}

impl<'a> Body<'a> {
    /// The bytes of either kind.
    #[must_use]
    pub fn bytes(self) -> &'a [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn text(self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    pub(crate) fn kind(self) -> u32 {
        match self {
            Self::Text(_) => SB_TEXT,
            Self::Binary(_) => SB_BINARY,
        }
    }
}

/// One whole message of a client, borrowed for the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    pub(crate) body: Body<'a>,
    pub(crate) seq: u64,
    pub(crate) replay: bool,
}

impl<'a> Message<'a> {
    /// What it says.
    #[must_use]
    pub fn body(self) -> Body<'a> {
        self.body
    }

    /// The bytes of either kind.
    #[must_use]
    pub fn bytes(self) -> &'a [u8] {
        self.body.bytes()
    }

    /// The text, if it is one.
    #[must_use]
    pub fn text(self) -> Option<&'a str> {
        self.body.text()
    }

    /// Its number in the connection: 1, 2, 3 ... It is what [`Conn::ack`](crate::Conn::ack) takes.
    #[must_use]
    pub fn seq(self) -> u64 {
        self.seq
    }

    /// It was delivered before, to an instance that ended.
    #[must_use]
    pub fn is_replay(self) -> bool {
        self.replay
    }

    /// A copy that outlives the call.
    #[must_use]
    pub fn keep(self) -> Kept {
        let data = match self.body {
            Body::Text(text) => Data::Text(text.to_owned()),
            Body::Binary(bytes) => Data::Binary(bytes.to_owned()),
        };
        Kept { data, seq: self.seq }
    }
}

/// A message that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    data: Data,
    seq: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Data {
    Text(String),
    Binary(Vec<u8>),
}

impl Kept {
    /// What it says.
    #[must_use]
    pub fn body(&self) -> Body<'_> {
        match &self.data {
            Data::Text(text) => Body::Text(text),
            Data::Binary(bytes) => Body::Binary(bytes),
        }
    }

    /// Its number in the connection.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }
}

impl<'a> From<Message<'a>> for Body<'a> {
    fn from(message: Message<'a>) -> Self {
        message.body
    }
}

impl<'a> From<&'a Kept> for Body<'a> {
    fn from(kept: &'a Kept) -> Self {
        kept.body()
    }
}

impl<'a> From<&'a str> for Body<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Body<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a [u8]> for Body<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Binary(bytes)
    }
}

impl<'a> From<&'a Vec<u8>> for Body<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self::Binary(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_says_the_same() {
        for body in [Body::Text("hé"), Body::Binary(&[0, 255]), Body::Text("")] {
            let kept = Message { body, seq: 7, replay: false }.keep();
            assert_eq!((kept.body(), kept.seq()), (body, 7));
        }
    }
}
