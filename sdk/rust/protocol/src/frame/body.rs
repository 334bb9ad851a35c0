//! Reading the fixed part of a body, and writing a frame whose length is known at its end.

use crate::{FrameError, FrameType, Header};

/// What of a body is not read yet.
pub(super) struct Body<'a> {
    kind: FrameType,
    rest: &'a [u8],
}

impl<'a> Body<'a> {
    pub(super) fn new(kind: FrameType, bytes: &'a [u8]) -> Self {
        Self { kind, rest: bytes }
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        let too_short = FrameError::BodyLength(self.kind);
        let (head, rest) = self.rest.split_first_chunk().ok_or(too_short)?;
        self.rest = rest;
        Ok(*head)
    }

    pub(super) fn u16(&mut self) -> Result<u16, FrameError> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, FrameError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, FrameError> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn slice(&mut self, len: usize) -> Result<&'a [u8], FrameError> {
        let too_short = FrameError::BodyLength(self.kind);
        let (head, rest) = self.rest.split_at_checked(len).ok_or(too_short)?;
        self.rest = rest;
        Ok(head)
    }

    /// All that is left.
    pub(super) fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// All that is left, as text.
    pub(super) fn text(self) -> Result<&'a str, FrameError> {
        std::str::from_utf8(self.rest).map_err(|_| FrameError::NotUtf8(self.kind))
    }

    /// Nothing may be left.
    pub(super) fn end(self) -> Result<(), FrameError> {
        if self.rest.is_empty() { Ok(()) } else { Err(FrameError::BodyLength(self.kind)) }
    }

    pub(super) fn wrong_value(&self) -> FrameError {
        FrameError::BodyValue(self.kind)
    }
}

/// Appends a frame: this header, and the body that `write` appends.
pub(super) fn put_frame(out: &mut Vec<u8>, header: Header, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&header.to_bytes());
    let body = out.len();
    write(out);
    let len = u32::try_from(out.len() - body).unwrap_or(u32::MAX);
    out[start..start + 4].copy_from_slice(&len.to_le_bytes());
}

/// Appends a number of four bytes.
pub(super) fn put_u32(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_le_bytes());
}
