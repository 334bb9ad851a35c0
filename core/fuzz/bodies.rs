//! What each fuzz target does with its bytes, and what must hold whatever they are.
//! Ordinary tests run the same on the corpora.

use std::io;
use std::path::Path;

use switchboard_protocol::{self as protocol, Reader, Side};
use switchboard_websocket::deflate::{Agreed, Deflater, Engine, WindowBits};
use switchboard_websocket::handshake::deflate::{Mode, Offer, Policy};
use switchboard_websocket::handshake::{Response, extensions, response_head_len};
use switchboard_websocket::{
    CONTROL_BYTES_MAX, CloseFrame, Decoder, Event, FrameHeader, HEADER_BYTES_MAX, Kind, Limits,
    OpCode, ProtocolError, Role, encode_header,
};
use switchboard_zconfig::{self as zconfig, Pos, Section, Sources};

/// Runs the target of this name.
pub(crate) fn run(target: &str, data: &[u8]) {
    match target {
        "frame_head" => frame_head(data),
        "message_stream" => message_stream(data),
        "inflate" => inflate(data),
        "handshake" => handshake(data),
        "close_payload" => close_payload(data),
        "protocol_frames" => protocol_frames(data),
        "conf_text" => conf_text(data),
        other => panic!("there is no target {other}"),
    }
}

const LIMITS: Limits = Limits { message_bytes_max: 4096, frame_bytes_max: 2048 };

/// A head is written as it was read, and what is cut off of it is never something else.
fn frame_head(data: &[u8]) {
    let whole = FrameHeader::parse(data);
    for len in 0..data.len().min(HEADER_BYTES_MAX) {
        let part = FrameHeader::parse(&data[..len]);
        assert!(part == Ok(None) || part == whole, "{len} of {data:x?}");
    }
    if let Ok(Some((header, used))) = whole {
        let mut out = [0; HEADER_BYTES_MAX];
        assert_eq!(header.encode(&mut out), used);
        assert_eq!(out[..used], data[..used]);
    }
}

/// How a stream is read: the first byte chooses role and compression, the second the pieces.
fn message_stream(data: &[u8]) {
    let [choice, size, stream @ ..] = data else { return };
    let role = if choice & 1 == 0 { Role::Server } else { Role::Client };
    let bits = WindowBits::new(8 + (choice >> 5)).unwrap_or_default();
    let agreed = Agreed {
        server_no_context_takeover: choice & 2 != 0,
        client_no_context_takeover: choice & 2 != 0,
        server_max_window_bits: bits,
        client_max_window_bits: bits,
    };
    let agreed = (choice & 4 != 0).then_some(&agreed);
    // Who is lent nothing sees only at its end what is wrong with a compressed message.
    let lent_max = choice >> 3 & 1;
    let whole = read(role, agreed, lent_max, [stream]);
    let in_pieces = read(role, agreed, lent_max, stream.chunks(usize::from(*size) + 1));
    assert_eq!(whole, in_pieces, "pieces of {size}");
}

type Seen = (Option<Kind>, Vec<u8>);

fn read<'a>(
    role: Role,
    agreed: Option<&Agreed>,
    lent_max: u8,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Seen>, Option<ProtocolError>) {
    let mut engine = Engine::with_lent_max(lent_max.into());
    let mut decoder = match agreed {
        Some(agreed) => Decoder::with_deflate(role, agreed),
        None => Decoder::new(role),
    };
    let mut seen = Vec::new();
    for piece in pieces {
        let (mut piece, mut at) = (piece.to_vec(), 0);
        loop {
            match decoder.next_in(&mut engine, &LIMITS, &mut piece, &mut at) {
                Ok(Some(Event::Message { kind, payload })) => {
                    assert!(payload.len() <= LIMITS.message_bytes_max);
                    assert!(kind == Kind::Binary || std::str::from_utf8(payload).is_ok());
                    seen.push((Some(kind), payload.to_vec()));
                }
                Ok(Some(Event::Ping(payload) | Event::Pong(payload))) => {
                    assert!(payload.len() <= CONTROL_BYTES_MAX);
                    seen.push((None, payload.to_vec()));
                }
                Ok(Some(Event::Close(close))) => {
                    seen.push((None, close.map_or(vec![], |close| close.reason.into())));
                }
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(decoder.buffered_bytes() + decoder.window_bytes(), 0);
                    return (seen, Some(error));
                }
            }
        }
        assert_eq!(at, piece.len());
        assert!(decoder.buffered_bytes() <= 3 * LIMITS.message_bytes_max + (64 << 10));
    }
    (seen, None)
}

/// A compressed message: the first byte chooses how it is cut. What it inflates to is deflated and
/// inflated again.
fn inflate(data: &[u8]) {
    let [size, payload @ ..] = data else { return };
    let agreed = Agreed::default();
    let mut stream = Vec::new();
    for part in [&payload[..payload.len() / 2], payload] {
        let mut header = [0; HEADER_BYTES_MAX];
        let used = encode_header(&mut header, true, true, OpCode::Binary, part.len(), None);
        stream.extend_from_slice(&header[..used]);
        stream.extend_from_slice(part);
    }
    let whole = read(Role::Client, Some(&agreed), 1, [stream.as_slice()]);
    let pieces = read(Role::Client, Some(&agreed), size & 1, stream.chunks(1 + usize::from(*size)));
    assert_eq!(whole, pieces, "pieces of {size}");

    let mut engine = Engine::default();
    let mut deflater = Deflater::new(Role::Server, &agreed, 0);
    let mut again = Vec::new();
    for (_, message) in &whole.0 {
        deflater.write_message(&mut engine, &mut again, Kind::Binary, message, None);
    }
    assert_eq!(read(Role::Client, Some(&agreed), 1, [again.as_slice()]), (whole.0, None));
}

/// The head of a response; and the same bytes as the extensions that a client offers.
fn handshake(data: &[u8]) {
    let limit = 1024;
    match response_head_len(data, limit) {
        Ok(Some(len)) => {
            assert!(len <= limit && data[..len].ends_with(b"\r\n\r\n"));
            if let Ok(response) = Response::parse(&data[..len]) {
                let key = "dGhlIHNhbXBsZSBub25jZQ==";
                let _ = response.check(key, &["chat"]);
                let _ = response.check_deflate(key, &["chat"], &Offer::default());
            }
        }
        Ok(None) => assert!(data.len() < limit),
        Err(_) => {}
    }
    let _ = Offer::default().check([data]);
    for mode in [Mode::Off, Mode::Shared, Mode::Dedicated] {
        let accepted = Policy { mode, ..Policy::default() }.accept([data]);
        assert_eq!(accepted.is_err(), extensions(data).is_err());
        if let Ok(Some(accepted)) = accepted {
            // Whoever offers everything takes every answer.
            let agreed = Offer::default().check([accepted.answer.as_bytes()]);
            assert!(matches!(agreed, Ok(Some(_))), "{}", accepted.answer);
        }
    }
}

/// What is read of a Close frame is written the same.
fn close_payload(data: &[u8]) {
    match CloseFrame::parse(data) {
        Ok(Some(close)) => {
            let mut out = [0; CONTROL_BYTES_MAX];
            let used = close.encode(&mut out);
            assert_eq!(&out[..used], data);
        }
        Ok(None) => assert!(data.is_empty()),
        Err(error) => assert!(matches!(error.close_code().get(), 1002 | 1007)),
    }
}

/// The first byte chooses the side that is read, the second the pieces.
fn protocol_frames(data: &[u8]) {
    let [side, size, stream @ ..] = data else { return };
    let side = if side & 1 == 0 { Side::Host } else { Side::Endpoint };
    let whole = frames(side, [stream]);
    assert_eq!(frames(side, stream.chunks(1 + usize::from(*size))), whole, "pieces of {size}");
}

/// The frames as they read, and the end.
fn frames<'a>(side: Side, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let mut reader = Reader::new(protocol::Limits::new(side));
    let mut seen = Vec::new();
    for piece in pieces {
        reader.feed(piece);
        loop {
            match reader.read() {
                Ok(Some(frame)) => {
                    seen.push(format!("{frame:?}"));
                    let mut again = Vec::new();
                    protocol::encode_frame(&mut again, &frame);
                }
                Ok(None) => break,
                Err(fault) => {
                    seen.push(format!("{fault:?}"));
                    if let protocol::Answer::GoAway(..) = fault.answer() {
                        return seen;
                    }
                }
            }
        }
    }
    seen
}

/// Files `0`, `1` and so on, between NUL bytes.
struct Files<'a>(Vec<&'a [u8]>);

impl zconfig::Loader for Files<'_> {
    fn read(&self, file: &Path) -> io::Result<Vec<u8>> {
        let number = file.to_str().and_then(|name| name.parse::<usize>().ok());
        let bytes = number.and_then(|number| self.0.get(number));
        bytes.map(|bytes| bytes.to_vec()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn variable(&self, name: &str) -> Option<String> {
        (name == "HOME").then(|| "/home/me".into())
    }
}

/// Whatever is read or refused has a place in the text, and each error a sentence.
fn conf_text(data: &[u8]) {
    let files = Files(data.split(|byte| *byte == 0).collect());
    let mut reader = zconfig::Reader::new(&files);
    let tree = reader.read("0".as_ref());
    let sources = reader.sources();
    in_place(&tree.root, sources);
    for error in reader.errors() {
        let (at, width) = (&error.at, error.width);
        // Of a file that is not UTF-8, or too long, there is no text.
        let is_there = sources.files().all(|file| *file != at.file) || stands(at, width, sources);
        assert!(width > 0 && is_there, "{error} of {width}");
        assert!(error.to_string().len() > at.to_string().len() + 10, "{error}");
    }
}

/// Each section and key of it stands where it says.
fn in_place(section: &Section, sources: &Sources) {
    for section in section.sections() {
        assert!(stands(&section.at, 1, sources) && stands(&section.end, 1, sources));
        in_place(section, sources);
    }
    for key in section.keys() {
        let line = sources.line(&key.at).expect("a line");
        let column = |at: &Pos| at.column as usize - 1;
        let from = |at| line.chars().skip(column(at)).collect::<String>();
        assert!(from(&key.at).starts_with(&key.key), "{line:?}: {key:?}");
        assert!(from(&key.value_at).starts_with(&key.raw), "{line:?}: {key:?}");
    }
}

/// So many characters are there; an end of line is none, but something may be missing there.
fn stands(at: &Pos, width: u32, sources: &Sources) -> bool {
    let Some(line) = sources.line(at) else { return false };
    let (before, width) = (at.column as usize - 1, width as usize);
    before + width <= line.chars().count().max(before + 1)
}
