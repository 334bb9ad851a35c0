//! How far the frame that is coming has come.
//! It holds no payload: only where the next byte belongs.

use crate::ProtocolError;
use crate::frame::{FrameHeader, HEADER_BYTES_MAX};
use crate::mask::{apply_mask, rotated};
use crate::message::Kind;

/// What the next byte of the stream is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Phase {
    /// Part of a header.
    Header(PartialHeader),
    /// Part of this frame's payload.
    Payload(Frame),
    /// Nothing: a Close frame came.
    Closed,
    /// Nothing: a rule was broken.
    Failed(ProtocolError),
}

impl Phase {
    /// Between two frames.
    pub(crate) const BOUNDARY: Self =
        Self::Header(PartialHeader { bytes: [0; HEADER_BYTES_MAX], len: 0 });

    /// Whether the next byte begins a frame.
    #[inline]
    pub(crate) fn is_boundary(&self) -> bool {
        matches!(self, Self::Header(partial) if partial.is_empty())
    }

    /// The payload of a control frame is coming in pieces.
    pub(crate) fn is_in_control(&self) -> bool {
        matches!(self, Self::Payload(frame) if !matches!(frame.content, Content::Message(_)))
    }
}

/// The first bytes of a header whose end has not come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PartialHeader {
    bytes: [u8; HEADER_BYTES_MAX],
    // Invariant: len < HEADER_BYTES_MAX, as no header is longer.
    len: u8,
}

impl PartialHeader {
    /// Takes the rest of the header from `input[*at..]`, or all of that if it goes on behind it.
    /// Is empty again once it has returned a header.
    #[inline]
    pub(crate) fn read(
        &mut self,
        input: &[u8],
        at: &mut usize,
    ) -> Result<Option<FrameHeader>, ProtocolError> {
        let fresh = &input[*at..];
        if self.is_empty()
            && let Some((header, used)) = FrameHeader::parse(fresh)?
        {
            *at += used;
            return Ok(Some(header));
        }
        self.join(fresh, at)
    }

    /// The header that begins with what came before.
    #[inline(never)]
    fn join(&mut self, fresh: &[u8], at: &mut usize) -> Result<Option<FrameHeader>, ProtocolError> {
        let came = usize::from(self.len);
        let taken = fresh.len().min(HEADER_BYTES_MAX - came);
        self.bytes[came..came + taken].copy_from_slice(&fresh[..taken]);
        match FrameHeader::parse(&self.bytes[..came + taken])? {
            // What came before was no header, so this one uses some of what was taken.
            Some((header, used)) => {
                *at += used - came;
                self.len = 0;
                Ok(Some(header))
            }
            None => {
                *at += taken;
                self.len += taken as u8;
                Ok(None)
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// What the payload of a frame belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    Message(Kind),
    Ping,
    Pong,
    Close,
}

/// A frame that was let in, and what is missing of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    pub(crate) content: Content,
    pub(crate) fin: bool,
    /// Part of a message that is to be inflated.
    pub(crate) is_compressed: bool,
    /// As the next byte sees it: its own key byte first.
    pub(crate) mask: [u8; 4],
    /// How many bytes of the payload have not come.
    pub(crate) rest: usize,
}

impl Frame {
    /// Takes what there is of the payload from `input[*at..]`, and unmasks it there.
    pub(crate) fn take<'a>(&mut self, input: &'a mut [u8], at: &mut usize) -> &'a [u8] {
        let fresh = &mut input[*at..];
        let len = self.rest.min(fresh.len());
        let part = &mut fresh[..len];
        apply_mask(part, self.mask, 0);
        self.mask = rotated(self.mask, len);
        self.rest -= len;
        *at += len;
        part
    }
}
