//! The client's side of a WebSocket: frames as a test wants them, events as they come.

use switchboard_websocket::deflate::{Agreed, Deflater, Engine};
use switchboard_websocket::{self as codec, CloseFrame, Decoder, Kind, Limits, Role};

use super::client::{Client, Got};

/// A WebSocket after its handshake.
pub(crate) struct Ws {
    client: Client,
    decoder: Decoder,
    /// What messages are compressed with, if that was agreed on.
    deflate: Option<(Deflater, Engine)>,
    input: Vec<u8>,
    /// `input` is used up to here.
    at: usize,
}

/// What the host said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
    /// The stream has ended.
    End,
    /// The stream was cut.
    Reset,
}

const LIMITS: Limits = Limits { message_bytes_max: usize::MAX, frame_bytes_max: usize::MAX };

/// RFC 6455 asks for random masks; that they differ from 0 is enough to see that they are undone.
const MASK: [u8; 4] = [0x5a, 0x01, 0xfe, 0x93];

/// A masked frame. `first` is FIN, the reserved bits and the opcode: RFC 6455, section 5.2.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let length = payload.len();
    match (u16::try_from(length), length) {
        (_, ..=125) => bytes.push(0x80 | length as u8),
        (Ok(short), _) => {
            bytes.push(0x80 | 126);
            bytes.extend(short.to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend(MASK);
    let start = bytes.len();
    bytes.extend_from_slice(payload);
    codec::apply_mask(&mut bytes[start..], MASK, 0);
    bytes
}

impl Ws {
    pub(super) fn new(mut client: Client) -> Self {
        let input = client.take_input();
        Self { client, decoder: Decoder::new(Role::Client), deflate: None, input, at: 0 }
    }

    /// Compresses every message.
    pub(super) fn deflating(client: Client, agreed: &Agreed) -> Self {
        let deflater = Deflater::new(Role::Client, agreed, 0);
        Self {
            decoder: Decoder::with_deflate(Role::Client, agreed),
            deflate: Some((deflater, Engine::default())),
            ..Self::new(client)
        }
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.message(Kind::Text, text.as_bytes());
    }

    pub(crate) fn binary(&mut self, payload: &[u8]) {
        self.message(Kind::Binary, payload);
    }

    fn message(&mut self, kind: Kind, payload: &[u8]) {
        let mut bytes = Vec::new();
        match &mut self.deflate {
            Some((deflater, engine)) => {
                deflater.write_message(engine, &mut bytes, kind, payload, Some(MASK));
            }
            None => codec::write_message(&mut bytes, kind, payload, Some(MASK)),
        }
        self.raw(&bytes);
    }

    pub(crate) fn ping(&mut self, payload: &[u8]) {
        self.write(|out| codec::write_ping(out, payload, Some(MASK)));
    }

    pub(crate) fn pong(&mut self, payload: &[u8]) {
        self.write(|out| codec::write_pong(out, payload, Some(MASK)));
    }

    /// A Close frame with a code, which may be one that must not be sent.
    pub(crate) fn close(&mut self, code: u16, reason: &str) {
        self.raw(&frame(0x88, &[&code.to_be_bytes(), reason.as_bytes()].concat()));
    }

    /// Bytes as they are: [`frame`]s, or what no client should send.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.client.send_raw(bytes);
    }

    fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = Vec::new();
        write(&mut bytes);
        self.raw(&bytes);
    }

    /// What comes next. The test fails if nothing does.
    pub(crate) fn next(&mut self) -> Event {
        loop {
            let event = self.decoder.next(&LIMITS, &mut self.input, &mut self.at);
            if let Some(event) = event.expect("the host keeps the rules") {
                return event.into();
            }
            match self.client.fill() {
                Got::Bytes => {}
                Got::End => return Event::End,
                Got::Reset => return Event::Reset,
            }
            self.input = self.client.take_input();
            self.at = 0;
        }
    }

    pub(crate) fn expect(&mut self, expected: &Event) {
        let event = self.next();
        assert!(event == *expected, "{} instead of {}", shown(&event), shown(expected));
    }

    pub(crate) fn expect_text(&mut self, text: &str) {
        self.expect(&Event::Text(text.to_owned()));
    }

    pub(crate) fn expect_binary(&mut self, payload: &[u8]) {
        self.expect(&Event::Binary(payload.to_owned()));
    }

    /// A Close with this code comes next; returns its reason.
    pub(crate) fn expect_close(&mut self, code: u16) -> String {
        match self.next() {
            Event::Close(Some((got, reason))) if got == code => reason,
            other => panic!("{} instead of a Close {code}", shown(&other)),
        }
    }

    /// What comes next; if that is a Close, then one with this code.
    pub(crate) fn next_unless_close(&mut self, code: u16) -> Event {
        let event = self.next();
        if let Event::Close(close) = &event {
            assert_eq!(close.as_ref().map(|(code, _)| *code), Some(code));
        }
        event
    }

    /// The host ends the stream, and has nothing more to say.
    pub(crate) fn expect_eof(&mut self) {
        self.expect(&Event::End);
    }

    /// The stream is over, whether the host ended or cut it.
    pub(crate) fn expect_over(&mut self) {
        let event = self.next();
        assert!(matches!(event, Event::End | Event::Reset), "{} instead of an end", shown(&event));
    }

    /// A message and its echo: the connection works.
    pub(crate) fn echo(&mut self, text: &str) {
        self.text(text);
        self.expect_text(text);
    }

    pub(crate) fn client(&mut self) -> &mut Client {
        &mut self.client
    }
}

impl From<codec::Event<'_>> for Event {
    fn from(event: codec::Event<'_>) -> Self {
        match event {
            codec::Event::Message { kind: Kind::Text, payload } => {
                Self::Text(String::from_utf8(payload.to_vec()).expect("a text is UTF-8"))
            }
            codec::Event::Message { kind: Kind::Binary, payload } => Self::Binary(payload.to_vec()),
            codec::Event::Ping(payload) => Self::Ping(payload.to_vec()),
            codec::Event::Pong(payload) => Self::Pong(payload.to_vec()),
            codec::Event::Close(close) => Self::Close(
                close.map(|CloseFrame { code, reason }| (code.get(), reason.to_owned())),
            ),
        }
    }
}

/// The beginning is enough of what may be long.
fn shown(event: &Event) -> String {
    format!("{event:?}").chars().take(300).collect()
}
