//! The header of a frame: RFC 6455, section 5.2, from bytes to [`FrameHeader`] and back.
//! It knows the rules that one header can break alone; those about masks, messages and limits are
//! the [`Decoder`](crate::Decoder)'s.

use crate::ProtocolError;

/// The longest that a header can be: two bytes, a 64-bit length, and a mask.
pub const HEADER_BYTES_MAX: usize = 14;

/// The longest payload of a control frame. RFC 6455, section 5.5.
pub const CONTROL_BYTES_MAX: usize = 125;

/// What a frame is. The others of the sixteen are reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum OpCode {
    /// A further part of a message that is not finished.
    Continuation = 0x0,
    /// A text message, or its first part.
    Text = 0x1,
    /// A binary message, or its first part.
    Binary = 0x2,
    /// The last frame in its direction.
    Close = 0x8,
    /// A question whether the other side is there, answered with a Pong.
    Ping = 0x9,
    /// The answer to a Ping, with its payload; or a sign of life that nobody asked for.
    Pong = 0xa,
}

impl OpCode {
    /// The opcode with these four bits.
    pub const fn new(bits: u8) -> Result<Self, ProtocolError> {
        Ok(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            _ => return Err(ProtocolError::ReservedOpcode(bits)),
        })
    }

    /// Close, Ping and Pong: the frames that may stand between the fragments of a message.
    pub const fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }
}

/// All that stands before a frame's payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// The last frame of its message.
    pub fin: bool,
    /// Reserved for an extension; permessage-deflate marks a compressed message with it.
    pub rsv1: bool,
    /// Reserved for an extension.
    pub rsv2: bool,
    /// Reserved for an extension.
    pub rsv3: bool,
    /// What the frame is.
    pub opcode: OpCode,
    /// The key that the payload is masked with, if it is.
    pub mask: Option<[u8; 4]>,
    /// How many bytes follow the header. Below 2^63; at most 125 for a control frame.
    pub payload_len: u64,
}

impl FrameHeader {
    /// Reads the header at the front of `bytes`, and tells how many bytes it takes.
    ///
    /// `Ok(None)` means that the header goes on behind `bytes`: call again, from its beginning,
    /// when there is more. A broken rule is told as soon as its byte is there.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, ProtocolError> {
        let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
        let fin = first & FIN != 0;
        let opcode = OpCode::new(first & OPCODE)?;
        if opcode.is_control() && !fin {
            return Err(ProtocolError::ControlFragmented);
        }

        let Some((&second, rest)) = rest.split_first() else { return Ok(None) };
        let short_len = second & LENGTH;
        if opcode.is_control() && usize::from(short_len) > CONTROL_BYTES_MAX {
            return Err(ProtocolError::ControlTooLong);
        }

        let Some((payload_len, rest)) = parse_length(short_len, rest)? else { return Ok(None) };
        let (mask, rest) = if second & MASKED == 0 {
            (None, rest)
        } else {
            let Some((mask, rest)) = rest.split_first_chunk() else { return Ok(None) };
            (Some(*mask), rest)
        };

        let [rsv1, rsv2, rsv3] = [RSV1, RSV2, RSV3].map(|bit| first & bit != 0);
        let header = Self { fin, rsv1, rsv2, rsv3, opcode, mask, payload_len };
        Ok(Some((header, bytes.len() - rest.len())))
    }

    /// Writes the header to the front of `out`, and tells how many bytes it takes.
    ///
    /// It writes what it is told, also what [`parse`](Self::parse) refuses.
    #[inline]
    pub fn encode(&self, out: &mut [u8; HEADER_BYTES_MAX]) -> usize {
        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        out[0] = bit(self.fin, FIN)
            | bit(self.rsv1, RSV1)
            | bit(self.rsv2, RSV2)
            | bit(self.rsv3, RSV3)
            | self.opcode as u8;

        let (short_len, mut used) = match self.payload_len {
            len @ 0..=125 => (len as u8, 2),
            len @ 126..=0xffff => {
                out[2..4].copy_from_slice(&(len as u16).to_be_bytes());
                (LENGTH_16, 4)
            }
            len => {
                out[2..10].copy_from_slice(&len.to_be_bytes());
                (LENGTH_64, 10)
            }
        };
        out[1] = bit(self.mask.is_some(), MASKED) | short_len;

        if let Some(mask) = self.mask {
            out[used..used + 4].copy_from_slice(&mask);
            used += 4;
        }
        used
    }
}

/// The head of what a client sends most: a whole message below 64 KiB in one frame, with no reserved
/// bit. [`FrameHeader`] reads it too, and everything else.
pub(crate) struct ShortHead {
    /// Else it is binary.
    pub(crate) is_text: bool,
    pub(crate) mask: [u8; 4],
    pub(crate) payload_len: usize,
}

impl ShortHead {
    /// Reads it from the front of `bytes`, and tells how many bytes it takes. `None`: it is another
    /// head, or one that breaks a rule, or fewer than 8 bytes are there.
    #[inline]
    pub(crate) fn parse(bytes: &[u8]) -> Option<(Self, usize)> {
        let &[first, second, a, b, c, d, e, f] = bytes.first_chunk()?;
        if first != FIN_TEXT && first != FIN_BINARY {
            return None;
        }
        let (payload_len, mask, used) = match second.checked_sub(MASKED)? {
            LENGTH_64 => return None,
            LENGTH_16 if a == 0 && b < LENGTH_16 => return None,
            LENGTH_16 => (usize::from(u16::from_be_bytes([a, b])), [c, d, e, f], 8),
            len => (usize::from(len), [a, b, c, d], 6),
        };
        Some((Self { is_text: first == FIN_TEXT, mask, payload_len }, used))
    }
}

/// Reads the length that `short_len` announces, and returns it with the bytes behind it.
fn parse_length(short_len: u8, rest: &[u8]) -> Result<Option<(u64, &[u8])>, ProtocolError> {
    let (len, len_min, rest) = match short_len {
        LENGTH_16 => {
            let Some((len, rest)) = rest.split_first_chunk() else { return Ok(None) };
            (u64::from(u16::from_be_bytes(*len)), 126, rest)
        }
        LENGTH_64 => {
            let Some((len, rest)) = rest.split_first_chunk() else { return Ok(None) };
            (u64::from_be_bytes(*len), 0x1_0000, rest)
        }
        len => (u64::from(len), 0, rest),
    };
    if len < len_min {
        return Err(ProtocolError::LengthNotMinimal);
    }
    if len > i64::MAX as u64 {
        return Err(ProtocolError::LengthTopBit);
    }
    Ok(Some((len, rest)))
}

// The first byte.
const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const RSV2: u8 = 0x20;
const RSV3: u8 = 0x10;
const OPCODE: u8 = 0x0f;
const FIN_TEXT: u8 = FIN | OpCode::Text as u8;
const FIN_BINARY: u8 = FIN | OpCode::Binary as u8;

// The second byte. Of the lengths, 126 and 127 mean that the real one follows.
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7f;
const LENGTH_16: u8 = 126;
const LENGTH_64: u8 = 127;

#[cfg(test)]
mod tests {
    use super::*;
    use ProtocolError::*;

    const TEXT: FrameHeader = FrameHeader {
        fin: true,
        rsv1: false,
        rsv2: false,
        rsv3: false,
        opcode: OpCode::Text,
        mask: None,
        payload_len: 0,
    };

    /// The bytes are this header, nothing less is, and this header is these bytes.
    fn check(bytes: &[u8], expected: FrameHeader) {
        assert_eq!(FrameHeader::parse(bytes), Ok(Some((expected, bytes.len()))), "{bytes:x?}");
        let followed = [bytes, b"payload"].concat();
        assert_eq!(FrameHeader::parse(&followed), Ok(Some((expected, bytes.len()))));
        for len in 0..bytes.len() {
            assert_eq!(FrameHeader::parse(&bytes[..len]), Ok(None), "{len} of {bytes:x?}");
        }
        let mut out = [0; HEADER_BYTES_MAX];
        let used = expected.encode(&mut out);
        assert_eq!(&out[..used], bytes);
    }

    #[test]
    fn every_field_is_read_and_written() {
        check(b"\x81\x00", TEXT);
        check(b"\x01\x05", FrameHeader { fin: false, payload_len: 5, ..TEXT });
        check(b"\xc1\x00", FrameHeader { rsv1: true, ..TEXT });
        check(b"\xa1\x00", FrameHeader { rsv2: true, ..TEXT });
        check(b"\x91\x00", FrameHeader { rsv3: true, ..TEXT });
        check(b"\x81\x83abcd", FrameHeader { mask: Some(*b"abcd"), payload_len: 3, ..TEXT });
        for (byte, opcode) in [
            (0x80, OpCode::Continuation),
            (0x82, OpCode::Binary),
            (0x88, OpCode::Close),
            (0x89, OpCode::Ping),
            (0x8a, OpCode::Pong),
        ] {
            check(&[byte, 0x7d], FrameHeader { opcode, payload_len: 125, ..TEXT });
        }
    }

    #[test]
    fn a_length_takes_as_few_bytes_as_it_can() {
        check(b"\x81\x7d", FrameHeader { payload_len: 125, ..TEXT });
        check(b"\x81\x7e\x00\x7e", FrameHeader { payload_len: 126, ..TEXT });
        check(b"\x81\x7e\xff\xff", FrameHeader { payload_len: 0xffff, ..TEXT });
        check(b"\x81\x7f\0\0\0\0\0\x01\0\0", FrameHeader { payload_len: 0x1_0000, ..TEXT });
        check(
            b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xffabcd",
            FrameHeader { payload_len: u64::MAX >> 1, mask: Some(*b"abcd"), ..TEXT },
        );
    }

    /// These bytes are refused, and no less than these.
    fn refused(bytes: &[u8], expected: ProtocolError) {
        assert_eq!(FrameHeader::parse(bytes), Err(expected), "{bytes:x?}");
        assert_eq!(FrameHeader::parse(&bytes[..bytes.len() - 1]), Ok(None), "{bytes:x?}");
    }

    #[test]
    fn a_short_head_is_read_as_any_other_or_not_at_all() {
        let mut read = 0;
        for first in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                for length in [0, 125, 126, 255, 256, 0xffff_u16] {
                    let [a, b] = length.to_be_bytes();
                    let bytes = [first, second, a, b, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
                    let Some((short, used)) = ShortHead::parse(&bytes) else { continue };
                    let header = FrameHeader {
                        opcode: if short.is_text { OpCode::Text } else { OpCode::Binary },
                        mask: Some(short.mask),
                        payload_len: short.payload_len as u64,
                        ..TEXT
                    };
                    assert_eq!(FrameHeader::parse(&bytes), Ok(Some((header, used))), "{bytes:x?}");
                    read += 1;
                }
            }
        }
        // Of two kinds: lengths below 126, and 126, behind which four of the six are long enough.
        assert_eq!(read, 2 * (126 * 6 + 4));
        assert!(ShortHead::parse(b"\x81\x81abcd?").is_none(), "7 bytes");
    }

    #[test]
    fn a_longer_length_than_needed_is_refused() {
        refused(b"\x81\x7e\x00\x00", LengthNotMinimal);
        refused(b"\x81\x7e\x00\x7d", LengthNotMinimal);
        refused(b"\x81\x7f\0\0\0\0\0\0\0\x01", LengthNotMinimal);
        refused(b"\x81\x7f\0\0\0\0\0\0\xff\xff", LengthNotMinimal);
    }

    #[test]
    fn the_top_bit_of_a_length_is_refused() {
        refused(b"\x82\x7f\x80\0\0\0\0\0\0\0", LengthTopBit);
        refused(b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff", LengthTopBit);
    }

    #[test]
    fn reserved_opcodes_are_refused_at_the_first_byte() {
        for opcode in [3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf] {
            refused(&[0x80 | opcode], ReservedOpcode(opcode));
        }
    }

    #[test]
    fn a_fragmented_or_long_control_frame_is_refused_at_once() {
        for opcode in [0x8, 0x9, 0xa] {
            refused(&[opcode], ControlFragmented);
            refused(&[0x80 | opcode, 126], ControlTooLong);
            refused(&[0x80 | opcode, 0x80 | 127], ControlTooLong);
        }
    }
}
