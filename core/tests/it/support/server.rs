//! A server that says what a test wants said, for clients to be tested.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

use switchboard_websocket::handshake::accept_key;

use super::PATIENCE;

/// Takes a connection, and reads the head of its request and nothing behind it.
pub(crate) fn accept(listener: &TcpListener) -> (TcpStream, String) {
    let (mut socket, _) = listener.accept().unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_write_timeout(Some(PATIENCE)).unwrap();
    socket.set_nodelay(true).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).expect("a request is whole");
        head.extend(byte);
    }
    (socket, String::from_utf8(head).expect("a request is ASCII"))
}

/// The 101 that answers a request; `more` are lines of headers.
pub(crate) fn switching(request: &str, more: &str) -> String {
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
    let accept = accept_key(key.expect("a client sends its key"));
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{more}\r\n"
    )
}

/// Takes one connection, in a thread of its own.
pub(crate) struct Server {
    addr: String,
    thread: JoinHandle<()>,
}

impl Server {
    /// `serve` gets the connection after a handshake that went well.
    pub(crate) fn start(serve: impl FnOnce(TcpStream) + Send + 'static) -> Self {
        Self::answer("", serve)
    }

    /// The same; `headers` are lines of the answer.
    pub(crate) fn answer(
        headers: &'static str,
        serve: impl FnOnce(TcpStream) + Send + 'static,
    ) -> Self {
        Self::raw(move |mut socket, head| {
            socket.write_all(switching(head, headers).as_bytes()).unwrap();
            serve(socket);
        })
    }

    /// `serve` gets the connection and the head of the request.
    pub(crate) fn raw(serve: impl FnOnce(TcpStream, &str) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        let thread = std::thread::spawn(move || {
            let (socket, head) = accept(&listener);
            serve(socket, &head);
        });
        Self { addr, thread }
    }

    pub(crate) fn addr(&self) -> &str {
        &self.addr
    }

    /// Waits until the connection is over; a panic of `serve` is one of the test.
    pub(crate) fn join(self) {
        if let Err(panic) = self.thread.join() {
            std::panic::resume_unwind(panic);
        }
    }
}
