//! A server behind a forward that says what a test wants said.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use socket2::SockRef;
use switchboard_websocket::{Decoder, Kind, Limits, Role, write_close, write_message};
use switchboard_websocket::{write_ping, write_pong};

use crate::support::{self, Event, PATIENCE};

const LIMITS: Limits = Limits { message_bytes_max: usize::MAX, frame_bytes_max: usize::MAX };

pub(super) fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

pub(super) fn url(listener: &TcpListener) -> String {
    format!("ws://{}/behind", listener.local_addr().unwrap())
}

/// One connection that the host has made.
pub(super) struct Server {
    socket: TcpStream,
    decoder: Decoder,
    input: Vec<u8>,
    at: usize,
    /// The head of the host's request.
    pub(super) request: String,
}

impl Server {
    /// Takes a connection and reads the request.
    pub(super) fn accept(listener: &TcpListener) -> Self {
        let (socket, request) = support::accept(listener);
        Self { socket, decoder: Decoder::new(Role::Server), input: Vec::new(), at: 0, request }
    }

    /// Answers 101; `more` are lines of headers.
    pub(super) fn agree(mut self, more: &str) -> Self {
        self.raw(self.switching(more).as_bytes());
        self
    }

    pub(super) fn switching(&self, more: &str) -> String {
        support::switching(&self.request, more)
    }

    /// The value of a header of the request, by the name as it was sent.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.request.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).unwrap();
    }

    pub(super) fn text(&mut self, text: &str) {
        self.write(|out| write_message(out, Kind::Text, text.as_bytes(), None));
    }

    pub(super) fn ping(&mut self, payload: &[u8]) {
        self.write(|out| write_ping(out, payload, None));
    }

    pub(super) fn pong(&mut self, payload: &[u8]) {
        self.write(|out| write_pong(out, payload, None));
    }

    pub(super) fn close(&mut self, close: Option<(u16, &str)>) {
        let close = close.map(|(code, reason)| (code.try_into().expect("a code"), reason));
        self.write(|out| write_close(out, close, None));
    }

    fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = Vec::new();
        write(&mut bytes);
        self.raw(&bytes);
    }

    /// Sends until the host takes nothing more for a second; returns how many bytes have left.
    pub(super) fn send_until_stalled(&mut self, bytes: &[u8]) -> usize {
        self.socket.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
        let mut sent = 0;
        while sent < bytes.len() {
            match self.socket.write(&bytes[sent..]) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(error) => panic!("cannot send: {error}"),
            }
        }
        self.socket.set_write_timeout(Some(PATIENCE)).unwrap();
        sent
    }

    /// What the host says next.
    pub(super) fn next(&mut self) -> Event {
        loop {
            let event = self.decoder.next(&LIMITS, &mut self.input, &mut self.at);
            if let Some(event) = event.expect("the host keeps the rules of a client") {
                return event.into();
            }
            let mut buffer = vec![0; 64 << 10];
            match self.socket.read(&mut buffer) {
                Ok(0) => return Event::End,
                Ok(count) => buffer.truncate(count),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                    return Event::Reset;
                }
                Err(error) => panic!("nothing comes: {error}"),
            }
            (self.input, self.at) = (buffer, 0);
        }
    }

    pub(super) fn expect(&mut self, expected: &Event) {
        assert_eq!(self.next(), *expected);
    }

    pub(super) fn expect_close(&mut self, code: u16) -> String {
        match self.next() {
            Event::Close(Some((got, reason))) if got == code => reason,
            other => panic!("{other:?} instead of a Close {code}"),
        }
    }

    /// The host lets the connection go.
    pub(super) fn expect_over(&mut self) {
        let event = self.next();
        assert!(matches!(event, Event::End | Event::Reset), "{event:?} instead of an end");
    }

    /// Sends nothing more, but still listens.
    pub(super) fn finish(&self) {
        self.socket.shutdown(Shutdown::Write).unwrap();
    }

    /// Cuts the connection.
    pub(super) fn reset(self) {
        SockRef::from(&self.socket).set_linger(Some(Duration::ZERO)).unwrap();
    }
}
