//! One TLS connection, as a machine: ciphertext in, plaintext out, and back. It holds no buffer but
//! for a record of which a part has come.

use rustls::client::UnbufferedClientConnection;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus,
};

use super::TlsError;

/// A connection's keys and state.
pub struct Session {
    side: Side,
    /// Ciphertext that waits for the rest of its record, or of a handshake message of several.
    kept: Vec<u8>,
    /// The handshake is done.
    open: bool,
    /// The peer has said that nothing more comes.
    ended: bool,
    /// We have.
    finished: bool,
    /// It is over, and the machine must not be asked any more.
    failed: bool,
}

enum Side {
    Server(UnbufferedServerConnection),
    Client(UnbufferedClientConnection),
}

/// What both sides of a connection can do.
trait Machine {
    type Data;

    fn process<'c, 'i>(&'c mut self, input: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data>;
}

/// What one record may grow by: head, explicit nonce, type and tag. RFC 5246, section 6.2 and
/// RFC 8446, section 5.2 allow more, but no suite of these takes it.
const RECORD_GROWTH: usize = 64;
/// Plaintext of one record.
const RECORD_BYTES: usize = 16 << 10;
/// A handshake message may have 64 KB, and more than this is never kept for one.
const KEPT_BYTES_MAX: usize = 128 << 10;

impl Session {
    pub(super) fn server(connection: UnbufferedServerConnection) -> Self {
        Self::new(Side::Server(connection))
    }

    pub(super) fn client(connection: UnbufferedClientConnection) -> Self {
        Self::new(Side::Client(connection))
    }

    fn new(side: Side) -> Self {
        let (open, ended, finished, failed) = (false, false, false, false);
        Self { side, kept: Vec::new(), open, ended, finished, failed }
    }

    /// The handshake is done: plaintext can be sent.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// The peer has said that nothing more comes. An end of its stream before is a cut.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Takes in what has come. What it says goes to `plain`, in pieces that are no longer than
    /// `input` together; what TLS itself answers is put behind `out`, also if it fails.
    ///
    /// # Errors
    /// The peer broke a rule, or is not whom we want. `out` has the alert that tells it so.
    pub fn receive(
        &mut self,
        input: &mut [u8],
        plain: &mut dyn FnMut(&[u8]),
        out: &mut Vec<u8>,
    ) -> Result<(), TlsError> {
        if self.kept.is_empty() {
            let used = self.work(None, input, plain, out)?;
            self.kept = input[used..].to_vec();
        } else {
            let mut kept = std::mem::take(&mut self.kept);
            kept.extend_from_slice(input);
            let used = self.work(None, &mut kept, plain, out)?;
            self.kept = kept.split_off(used);
        }
        if self.kept.len() > KEPT_BYTES_MAX { Err(TlsError::TooLong) } else { Ok(()) }
    }

    /// Begins the handshake of a client: puts what it says first behind `out`.
    ///
    /// # Errors
    /// There is no such version or suite.
    pub fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), TlsError> {
        self.receive(&mut [], &mut |_| {}, out)
    }

    /// Puts `plain` behind `out` as ciphertext.
    ///
    /// # Errors
    /// The session has ended, or its keys are used up.
    pub fn encrypt(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), TlsError> {
        self.write(Writing::Plain(plain), out)
    }

    /// Puts the word that nothing more comes behind `out`, once.
    ///
    /// # Errors
    /// The session has failed before.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), TlsError> {
        if std::mem::replace(&mut self.finished, true) {
            return Ok(());
        }
        self.write(Writing::CloseNotify, out)
    }

    fn write(&mut self, writing: Writing<'_>, out: &mut Vec<u8>) -> Result<(), TlsError> {
        // Part of a handshake message may be there, and the machine remembers where it lies.
        let mut kept = std::mem::take(&mut self.kept);
        let worked = self.work(Some(writing), &mut kept, &mut |_| {}, out);
        let used = *worked.as_ref().unwrap_or(&0);
        kept.drain(..used);
        self.kept = kept;
        worked.map(drop)
    }

    /// Runs the machine until it waits for more input; returns how much of it is used up.
    fn work(
        &mut self,
        writing: Option<Writing<'_>>,
        input: &mut [u8],
        plain: &mut dyn FnMut(&[u8]),
        out: &mut Vec<u8>,
    ) -> Result<usize, TlsError> {
        if self.failed {
            return Err(TlsError::Closed);
        }
        let run = Run { writing, input, plain, out };
        let ran = match &mut self.side {
            Side::Server(machine) => run.through(machine),
            Side::Client(machine) => run.through(machine),
        };
        self.failed = ran.is_err();
        let ran = ran?;
        self.open |= ran.open;
        self.ended |= ran.ended;
        Ok(ran.used)
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("open", &self.open).finish_non_exhaustive()
    }
}

/// True if these first bytes of a client are a request in plain HTTP, and no TLS.
pub fn looks_like_http(bytes: &[u8]) -> bool {
    // A handshake record begins with 22: RFC 8446, section 5.1.
    let method = bytes.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    method >= 3 || (method > 0 && bytes.get(method) == Some(&b' '))
}

/// What is to be sent.
#[derive(Debug, Clone, Copy)]
enum Writing<'a> {
    Plain(&'a [u8]),
    CloseNotify,
}

/// One pass through the machine.
struct Run<'a> {
    writing: Option<Writing<'a>>,
    input: &'a mut [u8],
    plain: &'a mut dyn FnMut(&[u8]),
    out: &'a mut Vec<u8>,
}

/// What it came to.
#[derive(Default)]
struct Ran {
    used: usize,
    open: bool,
    ended: bool,
}

impl Run<'_> {
    fn through<M: Machine>(mut self, machine: &mut M) -> Result<Ran, TlsError> {
        let mut ran = Ran::default();
        loop {
            let UnbufferedStatus { discard, state } = machine.process(&mut self.input[ran.used..]);
            let mut used = discard;
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        used += record.discard;
                        (self.plain)(record.payload);
                    }
                }
                Ok(ConnectionState::EncodeTlsData(data)) => encode(data, self.out)?,
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed) => ran.ended = true,
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    ran.open = true;
                    if let Some(writing) = self.writing.take() {
                        let size = writing.bytes();
                        grow(self.out, size, |to| {
                            let written = match writing {
                                Writing::Plain(plain) => traffic.encrypt(plain, to),
                                Writing::CloseNotify => traffic.queue_close_notify(to),
                            };
                            written.map_err(|error| match error {
                                EncryptError::InsufficientSize(more) => Some(more.required_size),
                                EncryptError::EncryptExhausted => None,
                            })
                        })?;
                    } else {
                        ran.used += used;
                        return Ok(ran);
                    }
                }
                Ok(_) => {
                    ran.used += used;
                    return if self.writing.is_some() { Err(TlsError::Closed) } else { Ok(ran) };
                }
                Err(error) => {
                    // Once more, for the alert if there is one: it comes before all input, and what
                    // is not there is not looked for.
                    let rest = &mut self.input[ran.used + used..];
                    if let Ok(ConnectionState::EncodeTlsData(data)) = machine.process(rest).state {
                        encode(data, self.out)?;
                    }
                    return Err(error.into());
                }
            }
            ran.used += used;
        }
    }
}

impl Writing<'_> {
    /// Room for its records.
    fn bytes(self) -> usize {
        match self {
            Self::Plain(plain) => plain.len() + (plain.len() / RECORD_BYTES + 2) * RECORD_GROWTH,
            Self::CloseNotify => 2 * RECORD_GROWTH,
        }
    }
}

fn encode<D>(mut data: EncodeTlsData<'_, D>, out: &mut Vec<u8>) -> Result<(), TlsError> {
    grow(out, RECORD_BYTES, |to| match data.encode(to) {
        Ok(len) => Ok(len),
        Err(EncodeError::InsufficientSize(more)) => Err(Some(more.required_size)),
        Err(_) => Err(None),
    })
}

/// Lets `write` fill room behind `out`; it says how much it has used, or needs.
fn grow(
    out: &mut Vec<u8>,
    room: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, Option<usize>>,
) -> Result<(), TlsError> {
    let before = out.len();
    out.resize(before + room, 0);
    let mut written = write(&mut out[before..]);
    if let Err(Some(needed)) = written {
        out.resize(before + needed, 0);
        written = write(&mut out[before..]);
    }
    out.truncate(before + *written.as_ref().unwrap_or(&0));
    written.map(drop).map_err(|_| TlsError::Closed)
}

impl Machine for UnbufferedServerConnection {
    type Data = rustls::server::ServerConnectionData;

    fn process<'c, 'i>(&'c mut self, input: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(input)
    }
}

impl Machine for UnbufferedClientConnection {
    type Data = rustls::client::ClientConnectionData;

    fn process<'c, 'i>(&'c mut self, input: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(input)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{friends, strangers};
    use super::*;

    /// What `session` makes of ciphertext that comes in pieces.
    fn read(session: &mut Session, cipher: &mut [u8], piece: usize) -> Result<Vec<u8>, TlsError> {
        let (mut plain, mut out) = (Vec::new(), Vec::new());
        for piece in cipher.chunks_mut(piece) {
            session.receive(piece, &mut |part| plain.extend_from_slice(part), &mut out)?;
        }
        Ok(plain)
    }

    #[test]
    fn handshakes_and_messages_come_in_any_pieces() {
        for piece in [1, 2, 5, 7, 100, 1000, 100_000] {
            let (mut client, mut server) = friends(piece);
            for size in [0, 1, 100, 16_384, 16_385, 50_000] {
                let message: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
                let mut cipher = Vec::new();
                client.encrypt(&message, &mut cipher).unwrap();
                assert!(read(&mut server, &mut cipher, piece).unwrap() == message);
                assert_eq!(server.kept.capacity(), 0, "nothing is held when all has come");
            }
        }
    }

    #[test]
    fn an_end_in_order_is_known_from_a_cut() {
        let (mut client, mut server) = friends(1000);
        let mut cipher = Vec::new();
        client.encrypt(b"the last", &mut cipher).unwrap();
        client.finish(&mut cipher).unwrap();
        client.finish(&mut cipher).unwrap();
        assert_eq!(read(&mut server, &mut cipher, 1000).unwrap(), b"the last");
        assert!(server.has_ended());
        // It can still be said something, and ends then.
        let mut answer = Vec::new();
        server.encrypt(b"farewell", &mut answer).unwrap();
        server.finish(&mut answer).unwrap();
        assert_eq!(read(&mut client, &mut answer, 1000).unwrap(), b"farewell");
        assert!(client.has_ended());
    }

    #[test]
    fn a_failure_has_an_alert_and_is_the_end() {
        for (at, after) in [(0, "garbage"), (1, "part of a record"), (2, "a message")] {
            let (mut client, mut server) = friends(1000);
            let mut cipher = Vec::new();
            client.encrypt(b"hello", &mut cipher).unwrap();
            match at {
                0 => cipher[0] = 99,
                1 => *cipher.last_mut().unwrap() ^= 1,
                _ => cipher.extend([23, 3, 3, 0, 5, 1, 2, 3, 4, 5]),
            }
            let mut out = Vec::new();
            let failed = server.receive(&mut cipher, &mut |_| {}, &mut out);
            assert!(failed.is_err() && !out.is_empty(), "{after}");
            let before = out.len();
            assert_eq!(server.encrypt(b"x", &mut out), Err(TlsError::Closed), "{after}");
            assert_eq!(server.receive(&mut [0; 50], &mut |_| {}, &mut out), Err(TlsError::Closed));
            assert_eq!(server.finish(&mut out), Err(TlsError::Closed));
            assert_eq!(out.len(), before, "{after}");
        }
    }

    #[test]
    fn nothing_is_encrypted_before_the_handshake() {
        let (mut client, mut server) = strangers();
        assert_eq!(server.encrypt(b"x", &mut Vec::new()), Err(TlsError::Closed));
        let mut hello = Vec::new();
        client.begin(&mut hello).unwrap();
        assert_eq!(client.encrypt(b"x", &mut Vec::new()), Err(TlsError::Closed));
    }

    #[test]
    fn http_is_known_from_tls() {
        for (bytes, is_http) in [
            (&b"GET / HTTP/1.1\r\n"[..], true),
            (b"OPT", true),
            (b"G ", true),
            (b"GE", false),
            (b"\x16\x03\x01", false),
            (b"", false),
            (b"\0GET", false),
        ] {
            assert_eq!(looks_like_http(bytes), is_http, "{bytes:?}");
        }
    }
}
