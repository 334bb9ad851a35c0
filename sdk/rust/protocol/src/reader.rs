//! Finds frames in bytes that come in pieces.

use crate::{Answer, Frame, Limits, ParseError, parse};

/// A buffer that grows with what came, and gives frames that lie in it.
///
/// A side that reads from a socket may as well call [`parse`] on a buffer of its own.
#[derive(Debug)]
pub struct Reader {
    buffer: Vec<u8>,
    /// Invariant: `start <= buffer.len()`; what stands before it was given out.
    start: usize,
    limits: Limits,
}

/// An empty buffer that is larger than this is given back.
const KEPT_BYTES_MAX: usize = 256 << 10;

impl Reader {
    /// One that holds frames against these limits.
    pub fn new(limits: Limits) -> Self {
        Self { buffer: Vec::new(), start: 0, limits }
    }

    /// Takes bytes as they come.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.compact();
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame; `None` until more bytes come.
    ///
    /// # Errors
    /// As [`parse`]. If the answer is a RESET, the next call goes on behind the frame; if it is a
    /// GOAWAY, the link is to be ended.
    pub fn read(&mut self) -> Result<Option<Frame<'_>>, ParseError> {
        match parse(&self.buffer[self.start..], &self.limits) {
            Ok(Some((frame, len))) => {
                self.start += len;
                Ok(Some(frame))
            }
            Ok(None) => Ok(None),
            Err(fault) => {
                if let Answer::Reset(..) = fault.answer() {
                    // Such a fault is found in the body, so the whole frame is there.
                    let end = self.start.saturating_add(fault.header.frame_bytes());
                    self.start = end.min(self.buffer.len());
                }
                Err(fault)
            }
        }
    }

    /// Bytes that belong to an incomplete frame.
    pub fn waiting_bytes(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// Moves what is left to the front, if that costs less than what was read.
    fn compact(&mut self) {
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.buffer.shrink_to(KEPT_BYTES_MAX);
            self.start = 0;
        } else if self.start > self.buffer.len() / 2 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
    }
}
