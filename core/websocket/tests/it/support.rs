//! Streams of frames, and the check that how they are cut does not matter.

use switchboard_websocket::{Decoder, Event, Kind, Limits, OpCode, ProtocolError, Role};
use switchboard_websocket::{apply_mask, encode_header};

/// An event that outlives the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

impl From<Event<'_>> for Seen {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Message { kind: Kind::Text, payload } => {
                Self::Text(std::str::from_utf8(payload).expect("a text is UTF-8").to_owned())
            }
            Event::Message { kind: Kind::Binary, payload } => Self::Binary(payload.to_vec()),
            Event::Ping(payload) => Self::Ping(payload.to_vec()),
            Event::Pong(payload) => Self::Pong(payload.to_vec()),
            Event::Close(close) => {
                Self::Close(close.map(|close| (close.code.get(), close.reason.to_owned())))
            }
        }
    }
}

pub(crate) fn text(text: &str) -> Seen {
    Seen::Text(text.to_owned())
}

pub(crate) const LIMITS: Limits = Limits { message_bytes_max: 1 << 20, frame_bytes_max: 1 << 20 };

/// The events of a stream, and the error that ended it.
pub(crate) type Outcome = (Vec<Seen>, Option<ProtocolError>);

/// Feeds the pieces to a new decoder as if each were what a socket gave at once.
pub(crate) fn decode<'a>(
    role: Role,
    limits: &Limits,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Outcome {
    decode_with(&mut Decoder::new(role), pieces, |decoder, piece, at| {
        decoder.next(limits, piece, at).map(|event| event.map(Seen::from))
    })
}

/// The same with any decoder, asked by `next`.
pub(crate) fn decode_with<'a>(
    decoder: &mut Decoder,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    mut next: impl FnMut(&mut Decoder, &mut [u8], &mut usize) -> Result<Option<Seen>, ProtocolError>,
) -> Outcome {
    let mut seen = Vec::new();
    for piece in pieces {
        let mut piece = piece.to_vec();
        let mut at = 0;
        loop {
            match next(decoder, &mut piece, &mut at) {
                Ok(Some(event)) => seen.push(event),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(decoder.buffered_bytes(), 0, "an error frees what was gathered");
                    assert_eq!(next(decoder, &mut piece, &mut at), Err(error));
                    return (seen, Some(error));
                }
            }
        }
        assert_eq!(at, piece.len(), "all input is used up");
        assert!(!decoder.is_idle() || decoder.buffered_bytes() == 0, "nothing is held when idle");
    }
    (seen, None)
}

/// The stream gives these events and then this error: whole, byte by byte, and split anywhere.
#[track_caller]
pub(crate) fn check(role: Role, bytes: &[u8], seen: &[Seen], error: Option<ProtocolError>) {
    check_within(&LIMITS, role, bytes, seen, error);
}

#[track_caller]
pub(crate) fn check_within(
    limits: &Limits,
    role: Role,
    bytes: &[u8],
    seen: &[Seen],
    error: Option<ProtocolError>,
) {
    let expected = (seen.to_vec(), error);
    assert_eq!(decode(role, limits, [bytes]), expected, "whole");
    assert_eq!(decode(role, limits, bytes.chunks(1)), expected, "byte by byte");
    for cut in 0..=bytes.len() {
        let (first, second) = bytes.split_at(cut);
        assert_eq!(decode(role, limits, [first, second]), expected, "split at {cut}");
    }
}

/// The bit of a frame's first byte that says that its message is compressed.
pub(crate) const RSV1: u8 = 0x40;

/// A frame for a decoder of this role: masked if it goes to a server.
pub(crate) fn frame(to: Role, fin: bool, opcode: OpCode, payload: &[u8]) -> Vec<u8> {
    let mask = match to {
        Role::Server => Some([0x37, 0xfa, 0x21, 0x3d]),
        Role::Client => None,
    };
    let mut header = [0; 14];
    let used = encode_header(&mut header, fin, false, opcode, payload.len(), mask);
    let mut payload = payload.to_vec();
    apply_mask(&mut payload, mask.unwrap_or_default(), 0);
    [&header[..used], &payload].concat()
}

/// Frames one after another, for a server; `fin` is written as `+`, its absence as `-`.
pub(crate) fn frames(list: &[(char, OpCode, &[u8])]) -> Vec<u8> {
    list.iter()
        .flat_map(|(fin, opcode, payload)| frame(Role::Server, *fin == '+', *opcode, payload))
        .collect()
}
