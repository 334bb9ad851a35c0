//! The sixteen bytes before every body.

use crate::FrameType;

/// Length of a header.
pub const HEADER_BYTES: usize = 16;
/// The first type that a reader skips if it does not know it; an unknown one below ends the link.
pub const SKIPPABLE_TYPE_MIN: u8 = 0x80;

/// A header as it stands on the wire, little-endian; nothing about it is checked yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Header {
    /// Bytes of the body.
    pub len: u32,
    /// What the body is; see [`FrameType`].
    pub kind: u8,
    /// By the type.
    pub flags: u8,
    /// By the type: a code, a status, a level.
    pub aux: u16,
    /// Which connection; 0 is the process.
    pub stream: u32,
    /// Number of a message, on its first frame; else 0.
    pub seq: u32,
}

impl Header {
    /// A header of this type, with nothing else in it.
    pub const fn new(kind: FrameType, stream: u32) -> Self {
        Self { len: 0, kind: kind as u8, flags: 0, aux: 0, stream, seq: 0 }
    }

    /// Reads the first 16 bytes; `None` if there are fewer.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let raw: [u8; HEADER_BYTES] = *bytes.first_chunk()?;
        let word = |at: usize| u32::from_le_bytes([raw[at], raw[at + 1], raw[at + 2], raw[at + 3]]);
        Some(Self {
            len: word(0),
            kind: raw[4],
            flags: raw[5],
            aux: u16::from_le_bytes([raw[6], raw[7]]),
            stream: word(8),
            seq: word(12),
        })
    }

    /// As it stands on the wire.
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut raw = [0; HEADER_BYTES];
        raw[0..4].copy_from_slice(&self.len.to_le_bytes());
        raw[4] = self.kind;
        raw[5] = self.flags;
        raw[6..8].copy_from_slice(&self.aux.to_le_bytes());
        raw[8..12].copy_from_slice(&self.stream.to_le_bytes());
        raw[12..16].copy_from_slice(&self.seq.to_le_bytes());
        raw
    }

    /// Header and body. This is also what a frame costs of the link's window.
    pub fn frame_bytes(&self) -> usize {
        HEADER_BYTES.saturating_add(self.len as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_little_endian() {
        let header = Header {
            len: 0x0403_0201,
            kind: 5,
            flags: 6,
            aux: 0x0807,
            stream: 9,
            seq: 0x0d00_0000,
        };
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0, 0, 0, 0, 0, 13];
        assert_eq!(header.to_bytes(), bytes);
        assert_eq!(Header::parse(&bytes), Some(header));
        assert_eq!(Header::parse(&bytes[..15]), None);
    }
}
