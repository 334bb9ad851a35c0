//! What waits for a client because it could not leave at once.

use std::collections::VecDeque;
use std::io;

use bytes::Bytes;
use switchboard_websocket::deflate::{Deflater, Engine};
use switchboard_websocket::{FrameHeader, Kind, write_message};

use crate::stream::{Outbox, Tick, Transport};

/// Frames, and behind them messages that are made into frames when they come to leave: where each
/// message refers to those before it, it can be compressed only then, and until then a message of a
/// topic waits once for all.
pub(super) struct Waiting {
    frames: Outbox,
    /// How much of each of them has still to leave.
    lengths: VecDeque<u32>,
    /// The first of them has left in part.
    begun: bool,
    later: VecDeque<Later>,
    /// Invariant: what `later` counts together.
    later_bytes: usize,
    /// When something left last, or when it began to wait.
    pub(super) progress: Tick,
    /// The next turn goes on with it.
    pub(super) rests: bool,
}

/// What is behind a message that is no frame yet.
enum Later {
    Message(Kind, Bytes),
    Frame(Bytes),
}

/// So much is made into frames in one turn, so that one that wakes does not hold up the others.
const TURN_BYTES: usize = 64 << 10;
/// What a message counts there at least: a short one takes as long as one of this length.
const TURN_MESSAGE_BYTES: usize = 1 << 10;
/// What one thing in `later` counts beside its bytes.
const LATER_BYTES: usize = 32;

impl Waiting {
    /// Nothing, since now.
    pub(super) fn new(now: Tick) -> Self {
        Self {
            frames: Outbox::default(),
            lengths: VecDeque::new(),
            begun: false,
            later: VecDeque::new(),
            later_bytes: 0,
            progress: now,
            rests: false,
        }
    }

    /// Bytes that wait.
    pub(super) fn len(&self) -> usize {
        self.frames.len() + self.later_bytes
    }

    /// True if nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rest of frames of which `written` bytes have left: before anything else waits. The last
    /// of them goes on with `payload`.
    pub(super) fn push_rest(&mut self, frames: &[u8], payload: &[u8], written: usize) {
        debug_assert!(self.is_empty());
        let mut end = 0;
        while let Some(Ok(Some((header, header_len)))) = frames.get(end..).map(FrameHeader::parse) {
            let start = end;
            end += header_len + usize::try_from(header.payload_len).unwrap_or(usize::MAX);
            if end > written {
                self.begun |= start < written;
                self.lengths.push_back(length(end - written.max(start)));
            }
        }
        debug_assert_eq!(end, frames.len() + payload.len(), "whole frames");
        self.frames.push(&frames[written.min(frames.len())..]);
        self.frames.push(&payload[written.saturating_sub(frames.len())..]);
    }

    /// The rest of a frame of which `written` bytes have left: before anything else waits.
    pub(super) fn push_rest_shared(&mut self, frame: &Bytes, written: usize) {
        debug_assert!(self.is_empty());
        self.begun = written > 0;
        self.lengths.push_back(length(frame.len() - written));
        self.frames.push_shared(frame.slice(written..));
    }

    /// Lets `write` put a frame behind all.
    pub(super) fn push_frame(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.later.is_empty() {
            return self.push_ready(|frames| frames.push_with(write));
        }
        let mut frame = Vec::new();
        write(&mut frame);
        self.push_later(Later::Frame(frame.into()));
    }

    /// Puts a frame that is shared with other connections behind all.
    pub(super) fn push_shared(&mut self, frame: Bytes) {
        if self.later.is_empty() {
            return self.push_ready(|frames| frames.push_shared(frame));
        }
        self.push_later(Later::Frame(frame));
    }

    /// Puts a message behind all, to be made into a frame when it leaves.
    pub(super) fn push_message(&mut self, kind: Kind, payload: Bytes) {
        self.push_later(Later::Message(kind, payload));
    }

    /// Writes what the transport takes, of frames and of a turn's messages. `deflate` is what these
    /// are compressed with. True if the transport would take more, in the next turn.
    ///
    /// # Errors
    /// The connection is broken.
    pub(super) fn flush(
        &mut self,
        transport: &Transport,
        mut deflate: Option<(&mut Deflater, &mut Engine)>,
    ) -> io::Result<bool> {
        if !self.write(transport)? {
            return Ok(false);
        }
        let mut made = 0;
        while made < TURN_BYTES
            && let Some(next) = self.later.pop_front()
        {
            self.later_bytes -= next.bytes();
            made += next.bytes().max(TURN_MESSAGE_BYTES);
            self.push_ready(|frames| match (next, &mut deflate) {
                (Later::Frame(frame), _) => frames.push(&frame),
                (Later::Message(kind, payload), Some((deflater, engine))) => frames
                    .push_with(|out| deflater.write_message(engine, out, kind, &payload, None)),
                (Later::Message(kind, payload), None) => {
                    frames.push_with(|out| write_message(out, kind, &payload, None));
                }
            });
        }
        Ok(self.write(transport)? && !self.later.is_empty())
    }

    /// Drops what has not begun to leave, so that a Close frame can follow what has. `owed` bytes
    /// are on their way though nobody sees it yet.
    pub(super) fn cut(&mut self, owed: usize) {
        let mut kept = 0;
        let mut bytes = 0;
        for length in &self.lengths {
            if bytes >= owed && !(kept == 0 && self.begun) {
                break;
            }
            kept += 1;
            bytes += *length as usize;
        }
        self.lengths.truncate(kept);
        self.frames.truncate(bytes);
        self.later = VecDeque::new();
        self.later_bytes = 0;
    }

    /// Puts one frame behind those that are ready.
    fn push_ready(&mut self, push: impl FnOnce(&mut Outbox)) {
        let before = self.frames.len();
        push(&mut self.frames);
        self.lengths.push_back(length(self.frames.len() - before));
    }

    /// Writes frames that are ready; true if none is left.
    fn write(&mut self, transport: &Transport) -> io::Result<bool> {
        let before = self.frames.len();
        let all = self.frames.flush(transport)?;
        let mut written = before - self.frames.len();
        while written > 0
            && let Some(first) = self.lengths.front_mut()
        {
            if written < *first as usize {
                *first -= length(written);
                self.begun = true;
                break;
            }
            written -= *first as usize;
            self.lengths.pop_front();
            self.begun = false;
        }
        Ok(all)
    }

    fn push_later(&mut self, later: Later) {
        self.later_bytes += later.bytes();
        self.later.push_back(later);
    }
}

/// Of a frame, which is far shorter than 4 GiB.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
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
