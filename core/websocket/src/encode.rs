//! Messages and control frames, to bytes.
//! A client gives a new random mask with each frame, a server none (RFC 6455, section 5.3); where
//! the randomness comes from is the caller's.

use crate::close::{CloseCode, CloseFrame};
use crate::frame::{CONTROL_BYTES_MAX, FrameHeader, HEADER_BYTES_MAX, OpCode};
use crate::mask::apply_mask;
use crate::message::Kind;

/// Writes the header of a frame to the front of `out`, and tells how many bytes it takes.
///
/// For who sends the payload from where it lies. It must be masked by then, see
/// [`apply_mask`](crate::apply_mask).
pub fn encode_header(
    out: &mut [u8; HEADER_BYTES_MAX],
    fin: bool,
    rsv1: bool,
    opcode: OpCode,
    payload_len: usize,
    mask: Option<[u8; 4]>,
) -> usize {
    let payload_len = payload_len as u64;
    FrameHeader { fin, rsv1, rsv2: false, rsv3: false, opcode, mask, payload_len }.encode(out)
}

/// Appends a message in one frame. The payload of a text must be UTF-8, and is not looked at.
#[inline]
pub fn write_message(out: &mut Vec<u8>, kind: Kind, payload: &[u8], mask: Option<[u8; 4]>) {
    match mask {
        None if payload.len() <= SHORT_BYTES_MAX => write_short(out, kind, payload),
        _ => write_frame(out, kind.into(), payload, mask),
    }
}

/// The longest payload whose length goes into the header's second byte. RFC 6455, section 5.2.
const SHORT_BYTES_MAX: usize = 125;

/// What a server writes most.
#[inline]
#[allow(clippy::cast_possible_truncation)] // it is at most 125
fn write_short(out: &mut Vec<u8>, kind: Kind, payload: &[u8]) {
    let first = 0x80 | OpCode::from(kind) as u8;
    out.reserve(2 + payload.len());
    out.extend_from_slice(&[first, payload.len() as u8]);
    out.extend_from_slice(payload);
}

/// Appends a message in one frame, whose payload is deflated if `rsv1` says so.
pub(crate) fn write_message_frame(
    out: &mut Vec<u8>,
    rsv1: bool,
    kind: Kind,
    payload: &[u8],
    mask: Option<[u8; 4]>,
) {
    write_frame_with(out, rsv1, kind.into(), payload, mask);
}

/// Appends a Ping. What goes over 125 bytes of payload is left out.
pub fn write_ping(out: &mut Vec<u8>, payload: &[u8], mask: Option<[u8; 4]>) {
    write_frame(out, OpCode::Ping, cut(payload), mask);
}

/// Appends a Pong. What goes over 125 bytes of payload is left out, though no Ping has so many.
pub fn write_pong(out: &mut Vec<u8>, payload: &[u8], mask: Option<[u8; 4]>) {
    write_frame(out, OpCode::Pong, cut(payload), mask);
}

/// Appends a Close frame. A reason of more than 123 bytes is cut between two characters.
pub fn write_close(out: &mut Vec<u8>, close: Option<(CloseCode, &str)>, mask: Option<[u8; 4]>) {
    let mut payload = [0; CONTROL_BYTES_MAX];
    let used = close.map_or(0, |(code, reason)| CloseFrame { code, reason }.encode(&mut payload));
    write_frame(out, OpCode::Close, &payload[..used], mask);
}

/// RFC 6455, section 5.5: a control frame carries at most 125 bytes.
fn cut(payload: &[u8]) -> &[u8] {
    &payload[..payload.len().min(CONTROL_BYTES_MAX)]
}

fn write_frame(out: &mut Vec<u8>, opcode: OpCode, payload: &[u8], mask: Option<[u8; 4]>) {
    write_frame_with(out, false, opcode, payload, mask);
}

fn write_frame_with(
    out: &mut Vec<u8>,
    rsv1: bool,
    opcode: OpCode,
    payload: &[u8],
    mask: Option<[u8; 4]>,
) {
    let mut header = [0; HEADER_BYTES_MAX];
    let used = encode_header(&mut header, true, rsv1, opcode, payload.len(), mask);
    let start = out.len() + used;
    out.reserve(HEADER_BYTES_MAX + payload.len());
    // All of it, because a copy whose length is known takes no call.
    out.extend_from_slice(&header);
    out.truncate(start);
    out.extend_from_slice(payload);
    if let Some(mask) = mask {
        apply_mask(&mut out[start..], mask, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: Option<[u8; 4]> = Some([0x37, 0xfa, 0x21, 0x3d]);

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }

    #[test]
    fn the_examples_of_the_rfc_are_written_as_there() {
        // Section 5.7.
        let text = |mask| written(|out| write_message(out, Kind::Text, b"Hello", mask));
        assert_eq!(text(None), b"\x81\x05Hello");
        assert_eq!(text(MASK), b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
        assert_eq!(written(|out| write_ping(out, b"Hello", None)), b"\x89\x05Hello");
        assert_eq!(
            written(|out| write_pong(out, b"Hello", MASK)),
            b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"
        );
        let binary = |len| written(|out| write_message(out, Kind::Binary, &vec![7; len], None));
        assert!(binary(256).starts_with(b"\x82\x7e\x01\x00\x07"));
        assert!(binary(65536).starts_with(b"\x82\x7f\0\0\0\0\0\x01\0\0\x07"));
    }

    #[test]
    fn a_frame_is_appended_to_what_is_there() {
        let mut out = Vec::new();
        write_message(&mut out, Kind::Text, b"a", None);
        write_ping(&mut out, b"", None);
        write_close(&mut out, None, None);
        assert_eq!(out, b"\x81\x01a\x89\x00\x88\x00");
    }

    #[test]
    fn a_close_frame_carries_its_code_and_reason() {
        let close = |close, mask| written(|out| write_close(out, close, mask));
        assert_eq!(close(None, MASK), b"\x88\x80\x37\xfa\x21\x3d");
        let bye = Some((CloseCode::GOING_AWAY, "bye"));
        assert_eq!(close(bye, None), b"\x88\x05\x03\xe9bye");
        let long = "é".repeat(100);
        let long = close(Some((CloseCode::NORMAL, long.as_str())), None);
        assert_eq!(long[1], 2 + 122, "61 characters of two bytes fit in 123");
    }

    #[test]
    fn a_long_ping_is_cut_to_what_a_control_frame_holds() {
        let ping = written(|out| write_ping(out, &[1; 126], None));
        assert_eq!((ping[1], ping.len()), (125, 127));
    }

    #[test]
    fn a_header_says_what_it_is_told() {
        let mut out = [0; 14];
        let used = encode_header(&mut out, false, true, OpCode::Text, 3, None);
        assert_eq!(&out[..used], b"\x41\x03");
        let used = encode_header(&mut out, true, false, OpCode::Continuation, 70_000, Some([9; 4]));
        assert_eq!(&out[..used], b"\x80\xff\0\0\0\0\0\x01\x11\x70\x09\x09\x09\x09");
    }
}
