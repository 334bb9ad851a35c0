//! A socket that says what a test wants said, and reads HTTP responses.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use socket2::SockRef;
use switchboard_websocket::handshake::deflate::Offer;

use super::tls::TlsStream;
use super::{Handshake, PATIENCE, Ws};

/// A blocking client, over TCP or a Unix socket.
pub(crate) struct Client {
    socket: Socket,
    /// What came and was not asked for yet.
    input: Vec<u8>,
}

enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(TlsStream),
}

pub(crate) const EXTENSIONS: &str = "Sec-WebSocket-Extensions";

/// What came from a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Got {
    Bytes,
    /// The host has ended the stream.
    End,
    /// The host has cut it.
    Reset,
}

/// An HTTP response.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Client {
    /// To `HOST:PORT`, or to the path of a socket.
    pub(crate) fn connect(addr: &str) -> Self {
        Self::try_connect(addr).unwrap_or_else(|error| panic!("{addr}: {error}"))
    }

    pub(crate) fn try_connect(addr: &str) -> io::Result<Self> {
        let socket = if addr.contains('/') {
            let socket = UnixStream::connect(addr)?;
            socket.set_read_timeout(Some(PATIENCE))?;
            socket.set_write_timeout(Some(PATIENCE))?;
            Socket::Unix(socket)
        } else {
            let socket = TcpStream::connect(addr)?;
            socket.set_read_timeout(Some(PATIENCE))?;
            socket.set_write_timeout(Some(PATIENCE))?;
            socket.set_nodelay(true)?;
            Socket::Tcp(socket)
        };
        Ok(Self { socket, input: Vec::new() })
    }

    /// On a stream that has made its handshake.
    pub(crate) fn over_tls(stream: TlsStream) -> Self {
        Self { socket: Socket::Tls(stream), input: Vec::new() }
    }

    /// The stream, which must be one with TLS.
    pub(crate) fn tls(&mut self) -> &mut TlsStream {
        match &mut self.socket {
            Socket::Tls(stream) => stream,
            _ => panic!("a client without TLS"),
        }
    }

    /// A WebSocket at `path`.
    pub(crate) fn ws(addr: &str, path: &str) -> Ws {
        Self::connect(addr).into_ws(path, &[])
    }

    /// A WebSocket at `path` that compresses, as the host answers `offer`.
    pub(crate) fn deflating(addr: &str, path: &str, offer: &Offer) -> Ws {
        let mut client = Self::connect(addr);
        let response = client.upgrade(path, &[(EXTENSIONS, &offer.to_string())]);
        assert_eq!(response.status, 101, "{path}: {response:?}");
        let answer = response.header("sec-websocket-extensions").map(str::as_bytes);
        let agreed = offer.check(answer).expect("the answer fits the offer");
        Ws::deflating(client, &agreed.expect("the host compresses"))
    }

    /// The handshake, which must succeed.
    pub(crate) fn into_ws(mut self, path: &str, headers: &[(&str, &str)]) -> Ws {
        let response = self.upgrade(path, headers);
        assert_eq!(response.status, 101, "{path}: {response:?}");
        assert_eq!(response.header("sec-websocket-accept"), Some(super::ACCEPT));
        Ws::new(self)
    }

    /// The WebSocket after a response that was 101.
    pub(crate) fn upgraded(self) -> Ws {
        Ws::new(self)
    }

    /// Sends a handshake with more headers, and reads the response.
    pub(crate) fn upgrade(&mut self, path: &str, headers: &[(&str, &str)]) -> Response {
        let plain = Handshake::new(path);
        let asked = headers.iter().fold(plain, |asked, (name, value)| asked.with(name, value));
        self.ask(&asked)
    }

    pub(crate) fn ask(&mut self, handshake: &Handshake) -> Response {
        self.send_raw(&handshake.bytes());
        self.response()
    }

    /// A request without a body, and its response.
    pub(crate) fn request(&mut self, method: &str, path: &str, headers: &str) -> Response {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: switchboard.test\r\n{headers}\r\n");
        self.send_raw(head.as_bytes());
        self.read_response(method != "HEAD")
    }

    /// GET without further headers.
    pub(crate) fn get(&mut self, path: &str) -> Response {
        self.request("GET", path, "")
    }

    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        self.try_send(bytes).unwrap_or_else(|error| panic!("cannot send: {error}"));
    }

    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.socket {
            Socket::Tcp(socket) => socket.write_all(bytes),
            Socket::Unix(socket) => socket.write_all(bytes),
            Socket::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        }
    }

    /// Sends one byte after another, each `pause` after the one before, until the host ends or cuts
    /// the stream. What it says is thrown away.
    pub(crate) fn drip(&mut self, bytes: impl Iterator<Item = u8>, pause: Duration) -> Got {
        self.set_read_timeout(pause);
        let mut buffer = [0; 1024];
        for byte in bytes {
            if self.try_send(&[byte]).is_err() {
                return Got::Reset;
            }
            let read = match &mut self.socket {
                Socket::Tcp(socket) => socket.read(&mut buffer),
                Socket::Unix(socket) => socket.read(&mut buffer),
                Socket::Tls(stream) => stream.read(&mut buffer),
            };
            match read {
                Ok(0) => return Got::End,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Got::Reset,
            }
        }
        panic!("the host reads it all");
    }

    fn set_read_timeout(&self, timeout: Duration) {
        let set = match &self.socket {
            Socket::Tcp(socket) => socket.set_read_timeout(Some(timeout)),
            Socket::Unix(socket) => socket.set_read_timeout(Some(timeout)),
            Socket::Tls(stream) => stream.socket().set_read_timeout(Some(timeout)),
        };
        set.unwrap();
    }

    /// Sends until the host takes nothing more for a second; returns how many bytes have left.
    pub(crate) fn send_until_stalled(&mut self, bytes: &[u8]) -> usize {
        self.set_write_timeout(Duration::from_secs(1));
        let mut sent = 0;
        while sent < bytes.len() {
            let wrote = match &mut self.socket {
                Socket::Tcp(socket) => socket.write(&bytes[sent..]),
                Socket::Unix(socket) => socket.write(&bytes[sent..]),
                Socket::Tls(stream) => stream.write(&bytes[sent..]),
            };
            match wrote {
                Ok(count) => sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => panic!("cannot send: {error}"),
            }
        }
        self.set_write_timeout(PATIENCE);
        sent
    }

    fn set_write_timeout(&self, timeout: Duration) {
        let set = match &self.socket {
            Socket::Tcp(socket) => socket.set_write_timeout(Some(timeout)),
            Socket::Unix(socket) => socket.set_write_timeout(Some(timeout)),
            Socket::Tls(stream) => stream.socket().set_write_timeout(Some(timeout)),
        };
        set.unwrap();
    }

    /// Says that nothing more will be sent.
    pub(crate) fn finish(&self) {
        let done = match &self.socket {
            Socket::Tcp(socket) => socket.shutdown(Shutdown::Write),
            Socket::Unix(socket) => socket.shutdown(Shutdown::Write),
            Socket::Tls(stream) => stream.socket().shutdown(Shutdown::Write),
        };
        done.unwrap();
    }

    /// Its drop will break the connection instead of ending the stream. Of TCP.
    pub(crate) fn reset_at_end(&self) {
        let Socket::Tcp(socket) = &self.socket else { panic!("a Unix socket knows no reset") };
        SockRef::from(socket).set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// The same socket once more, to send from another thread. It has no part in what came.
    pub(crate) fn sender(&self) -> Self {
        let socket = match &self.socket {
            Socket::Tcp(socket) => Socket::Tcp(socket.try_clone().unwrap()),
            Socket::Unix(socket) => Socket::Unix(socket.try_clone().unwrap()),
            Socket::Tls(_) => panic!("a session of TLS has one owner"),
        };
        Self { socket, input: Vec::new() }
    }

    /// Reads one response; an interim one is not expected.
    pub(crate) fn response(&mut self) -> Response {
        self.read_response(true)
    }

    fn read_response(&mut self, has_body: bool) -> Response {
        let head = loop {
            if let Some(at) = find(&self.input, b"\r\n\r\n") {
                break self.input.drain(..at + 4).collect::<Vec<u8>>();
            }
            let got = self.fill();
            let shown = String::from_utf8_lossy(&self.input).into_owned();
            assert_eq!(got, Got::Bytes, "the response is not whole: {shown:?}");
        };
        let mut response = Response::parse(&head);
        if has_body && !matches!(response.status, 101 | 204 | 304) {
            response.body = self.body(&response);
        }
        response
    }

    fn body(&mut self, response: &Response) -> Vec<u8> {
        let Some(length) = response.header("content-length") else {
            assert_eq!(response.header("transfer-encoding"), None, "tests read no chunks");
            let (all, end) = self.read_to_end();
            assert_eq!(end, Got::End);
            return all;
        };
        let length = length.parse().expect("a length is a number");
        while self.input.len() < length {
            assert_eq!(self.fill(), Got::Bytes, "{} of {length} bytes", self.input.len());
        }
        self.input.drain(..length).collect()
    }

    /// All that comes until the host ends or cuts the stream.
    pub(crate) fn read_to_end(&mut self) -> (Vec<u8>, Got) {
        loop {
            let got = self.fill();
            if got != Got::Bytes {
                return (std::mem::take(&mut self.input), got);
            }
        }
    }

    /// Nothing more comes.
    pub(crate) fn expect_eof(&mut self) {
        let (bytes, got) = self.read_to_end();
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        assert_eq!((shown.as_str(), got), ("", Got::End));
    }

    /// Waits for more input. The test fails if none comes.
    pub(super) fn fill(&mut self) -> Got {
        let mut buffer = [0; 64 << 10];
        let read = match &mut self.socket {
            Socket::Tcp(socket) => socket.read(&mut buffer),
            Socket::Unix(socket) => socket.read(&mut buffer),
            Socket::Tls(stream) => stream.read(&mut buffer),
        };
        match read {
            Ok(0) => Got::End,
            Ok(count) => {
                self.input.extend_from_slice(&buffer[..count]);
                Got::Bytes
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Got::Reset,
            // An end without TLS's word for it.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Got::Reset,
            // A machine that was stopped for a while interrupts reads that have a limit in time.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.fill(),
            Err(error) => panic!("nothing comes: {error}"),
        }
    }

    pub(super) fn take_input(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.input)
    }
}

impl Response {
    fn parse(head: &[u8]) -> Self {
        let head = std::str::from_utf8(head).expect("a head is ASCII");
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
        let status = status.parse().unwrap_or_else(|_| panic!("no status: {head:?}"));
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("{line:?}"));
            (name.to_ascii_lowercase(), value.trim().to_owned())
        });
        Self { status, headers: headers.collect(), body: Vec::new() }
    }

    /// The value of a header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}
