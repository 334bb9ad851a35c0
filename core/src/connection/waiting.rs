//! What waits for a client because it could not leave at once.

use std::collections::VecDeque;
use std::io;

use bytes::Bytes;
use switchboard_websocket::Kind;
use switchboard_websocket::deflate::{Deflater, Engine};

use crate::stream::{Outbox, Tick, Transport};

/// Frames, and behind them messages that are made into frames when they come to leave: where each
/// message refers to those before it, it can be compressed only then, and until then a message of a
/// topic waits once for all.
pub(super) struct Waiting {
    frames: Outbox,
    later: VecDeque<Later>,
    /// Invariant: what `later` counts together.
    later_bytes: usize,
    /// When something left last, or when it began to wait.
    pub(super) progress: Tick,
}

/// What is behind a message that is no frame yet.
enum Later {
    Message(Kind, Bytes),
    Frame(Vec<u8>),
}

/// So much is made into frames before it is written.
const FRAMES_BYTES: usize = 64 << 10;
/// What one thing in `later` counts beside its bytes.
const LATER_BYTES: usize = 32;

impl Waiting {
    /// Nothing, since now.
    pub(super) fn new(now: Tick) -> Self {
        Self { frames: Outbox::default(), later: VecDeque::new(), later_bytes: 0, progress: now }
    }

    /// Bytes that wait.
    pub(super) fn len(&self) -> usize {
        self.frames.len() + self.later_bytes
    }

    /// True if nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rest of what was written in part: before anything else waits.
    pub(super) fn push_rest(&mut self, rest: &[u8]) {
        debug_assert!(self.later.is_empty());
        self.frames.push(rest);
    }

    /// Lets `write` put a frame behind all.
    pub(super) fn push_frame(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.later.is_empty() {
            return self.frames.push_with(write);
        }
        let mut frame = Vec::new();
        write(&mut frame);
        self.push_later(Later::Frame(frame));
    }

    /// Puts a frame that is shared with other connections behind all.
    pub(super) fn push_shared(&mut self, frame: Bytes) {
        if self.later.is_empty() {
            return self.frames.push_shared(frame);
        }
        self.push_later(Later::Frame(frame.into()));
    }

    /// Puts a message behind all, to be made into a frame when it leaves.
    pub(super) fn push_message(&mut self, kind: Kind, payload: Bytes) {
        self.push_later(Later::Message(kind, payload));
    }

    /// Writes what the transport takes. `deflate` is what the messages are compressed with.
    ///
    /// # Errors
    /// The connection is broken.
    pub(super) fn flush(
        &mut self,
        transport: &Transport,
        mut deflate: Option<(&mut Deflater, &mut Engine)>,
    ) -> io::Result<()> {
        while self.frames.flush(transport)? && !self.later.is_empty() {
            while self.frames.len() < FRAMES_BYTES
                && let Some(next) = self.later.pop_front()
            {
                self.later_bytes -= next.bytes();
                let frames = &mut self.frames;
                match (next, &mut deflate) {
                    (Later::Frame(frame), _) => frames.push(&frame),
                    (Later::Message(kind, payload), Some((deflater, engine))) => frames
                        .push_with(|out| deflater.write_message(engine, out, kind, &payload, None)),
                    (Later::Message(kind, payload), None) => frames.push_with(|out| {
                        switchboard_websocket::write_message(out, kind, &payload, None);
                    }),
                }
            }
        }
        Ok(())
    }

    fn push_later(&mut self, later: Later) {
        self.later_bytes += later.bytes();
        self.later.push_back(later);
    }
}

impl Later {
    fn bytes(&self) -> usize {
        LATER_BYTES
            + match self {
                Self::Message(_, payload) => payload.len(),
                Self::Frame(frame) => frame.len(),
            }
    }
}
