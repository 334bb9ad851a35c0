//! What a decoder needs to inflate: the window, and the message that is coming.

use super::engine::{Engine, Sink, Stream};
use super::history::History;
use super::{Agreed, WindowBits};
use crate::message::{Gathered, Kind};
use crate::{ProtocolError, Role};

/// How the peer compresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inflates {
    /// Not at all.
    Never,
    /// Each message by itself.
    Alone,
    /// Each message with what came before.
    WithTakeover(WindowBits),
}

impl Inflates {
    pub(crate) fn new(role: Role, agreed: &Agreed) -> Self {
        let peer = match role {
            Role::Server => Role::Client,
            Role::Client => Role::Server,
        };
        match agreed.of(peer) {
            (false, _) => Self::Alone,
            (true, bits) => Self::WithTakeover(bits),
        }
    }
}

/// The inflating side of one connection. There is none while it would hold nothing.
#[derive(Debug, Default)]
pub(crate) struct Inflation {
    history: History,
    /// The open message is a compressed one.
    is_open: bool,
    /// How many bytes of the open message have come.
    wire_len: usize,
    /// Of the open message, if its end has not come.
    stream: Option<Stream>,
    /// What has come of the open message, if nothing could be lent to it.
    compressed: Vec<u8>,
    /// For who brings none.
    own: Option<Box<Engine>>,
}

/// A part of a compressed message.
pub(crate) struct Part<'a> {
    pub(crate) kind: Kind,
    pub(crate) bytes: &'a [u8],
    /// Nothing of the message follows.
    pub(crate) is_last: bool,
    /// The longest message.
    pub(crate) limit: usize,
}

impl Inflation {
    /// Whether the message that has begun is a compressed one.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open
    }

    /// How many compressed bytes of the open message have come.
    pub(crate) fn wire_len(&self) -> usize {
        self.wire_len
    }

    /// Takes the next part of a message, and puts into `gathered` what it becomes.
    pub(crate) fn push(
        &mut self,
        engine: Option<&mut Engine>,
        part: &Part<'_>,
        gathered: &mut Gathered,
    ) -> Result<(), ProtocolError> {
        match engine {
            Some(engine) => self.push_in(engine, part, gathered),
            None => {
                let mut own = self.own.take().unwrap_or_default();
                let pushed = self.push_in(&mut own, part, gathered);
                self.own = Some(own);
                pushed
            }
        }
    }

    fn push_in(
        &mut self,
        engine: &mut Engine,
        part: &Part<'_>,
        gathered: &mut Gathered,
    ) -> Result<(), ProtocolError> {
        let Part { kind, bytes, is_last, limit } = *part;
        self.is_open = true;
        self.wire_len += bytes.len();
        // The header was measured too, but the limit may have been lowered since then.
        if self.wire_len > wire_bytes_max(limit) {
            return Err(ProtocolError::MessageTooBig { limit });
        }
        // Opens the message, whatever becomes of these bytes.
        gathered.push_message(kind, &[], None, limit)?;
        if !is_last && (bytes.is_empty() || (self.stream.is_none() && !engine.may_lend())) {
            self.compressed.extend_from_slice(bytes);
            return Ok(());
        }
        let mut stream = self.stream.take().unwrap_or_else(|| engine.begin(self.history.bytes()));
        let mut sink = Message { history: &self.history, gathered, kind, limit };
        engine.inflate(&mut stream, &std::mem::take(&mut self.compressed), &mut sink)?;
        engine.inflate(&mut stream, bytes, &mut sink)?;
        if is_last {
            engine.finish(&mut stream, &mut sink)?;
            engine.give_back(stream);
        } else {
            engine.lend(&mut stream);
            self.stream = Some(stream);
        }
        Ok(())
    }

    /// The open message is whole.
    pub(crate) fn finish(&mut self, inflates: Inflates, message: &[u8]) {
        self.is_open = false;
        self.wire_len = 0;
        if let Inflates::WithTakeover(bits) = inflates {
            self.history.push(message, bits.bytes());
        }
    }

    /// Nothing would be lost without it.
    pub(crate) fn is_needless(&self) -> bool {
        !self.is_open && self.own.is_none() && self.history.capacity() == 0
    }

    /// The window's memory.
    pub(crate) fn window_bytes(&self) -> usize {
        self.history.capacity()
    }

    /// The memory of the open message that is not in `gathered`.
    pub(crate) fn buffered_bytes(&self) -> usize {
        self.compressed.capacity() + if self.stream.is_some() { STREAM_BYTES } else { 0 }
    }
}

/// The longest that a message of `limit` bytes may be on the wire. One that cannot be made smaller
/// grows: by a bit for each of its bytes if the sender is unwise, by 5 bytes for each 64 KiB if it
/// is wise.
pub(crate) fn wire_bytes_max(limit: usize) -> usize {
    limit.saturating_add(limit / 8).saturating_add(64)
}

/// What a lent decompressor takes.
const STREAM_BYTES: usize = 48 * 1024;

/// The message that is coming, as what it inflates to.
struct Message<'a> {
    history: &'a History,
    gathered: &'a mut Gathered,
    kind: Kind,
    limit: usize,
}

impl Sink for Message<'_> {
    fn room(&self) -> usize {
        self.limit.saturating_sub(self.gathered.message_len()).saturating_add(1)
    }

    fn take(&mut self, piece: &[u8]) -> Result<(), ProtocolError> {
        // What fits is looked at first: a wrong byte in it came before the limit was crossed.
        let fitting = piece.len().min(self.room() - 1);
        self.gathered.push_message(self.kind, &piece[..fitting], None, self.limit)?;
        if fitting < piece.len() {
            return Err(ProtocolError::MessageTooBig { limit: self.limit });
        }
        Ok(())
    }

    fn window(&self) -> [&[u8]; 2] {
        [self.history.bytes(), self.gathered.message()]
    }
}
