//! The bytes of one connection, plain or over TLS, written in pieces as small as its owner likes.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;

use mio::{Interest, Registry, Token};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use crate::dial::Socket;

/// A socket, and the session on it if there is one.
#[derive(Debug)]
pub(super) struct Wire {
    socket: Socket,
    tls: Option<Box<ClientConnection>>,
}

/// What became of reading.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Got {
    Bytes(usize),
    Nothing,
    /// The server has ended its side, in the words of TLS if there are such.
    End,
}

/// What became of writing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// So many bytes need not be given again.
    pub(super) taken: usize,
    /// So many have left, as they are or as ciphertext.
    pub(super) left: usize,
}

impl Wire {
    pub(super) fn new(
        mut socket: Socket,
        tls: Option<&Arc<ClientConfig>>,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Self> {
        let both = Interest::READABLE | Interest::WRITABLE;
        mio::event::Source::register(&mut socket, registry, token, both)?;
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let session = |config: &Arc<ClientConfig>| {
            ClientConnection::new(Arc::clone(config), name.clone()).map(Box::new)
        };
        let tls = tls.map(session).transpose().map_err(io::Error::other)?;
        Ok(Self { socket, tls })
    }

    /// What became of the connecting.
    pub(super) fn outcome(&self) -> io::Result<()> {
        self.socket.outcome()
    }

    /// Goes on with the handshake of TLS, by at most `bytes_max` written bytes. True if it is done.
    pub(super) fn secure(&mut self, bytes_max: usize) -> io::Result<bool> {
        let Some(tls) = &mut self.tls else { return Ok(true) };
        while tls.wants_read() && tls.is_handshaking() {
            match tls.read_tls(&mut self.socket) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => tls.process_new_packets().map(drop).map_err(io::Error::other)?,
                Err(error) if is_later(&error) => break,
                Err(error) => return Err(error),
            }
        }
        self.push(bytes_max)?;
        Ok(self.tls.as_ref().is_none_or(|tls| !tls.is_handshaking()))
    }

    /// Whether something that was taken has not left yet.
    pub(super) fn owes(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// Writes once, at most `bytes_max` bytes.
    pub(super) fn write(&mut self, bytes: &[u8], bytes_max: usize) -> io::Result<Written> {
        let piece = &bytes[..bytes.len().min(bytes_max)];
        if self.tls.is_none() {
            let taken = later(self.socket.write(piece))?;
            return Ok(Written { taken, left: taken });
        }
        let left = self.push(bytes_max)?;
        let Some(tls) = self.tls.as_mut().filter(|tls| !tls.wants_write()) else {
            return Ok(Written { taken: 0, left });
        };
        let taken = tls.writer().write(piece)?;
        Ok(Written { taken, left: left + self.push(bytes_max)? })
    }

    /// Writes ciphertext; returns how much has left.
    fn push(&mut self, bytes_max: usize) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return Ok(0) };
        let mut room = Room { socket: &mut self.socket, bytes: bytes_max };
        while tls.wants_write() && room.bytes > 0 {
            if later(tls.write_tls(&mut room))? == 0 {
                break;
            }
        }
        Ok(bytes_max - room.bytes)
    }

    /// Reads once.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Got> {
        let Some(tls) = &mut self.tls else { return got(self.socket.read(buffer)) };
        loop {
            match got(tls.reader().read(buffer))? {
                Got::Nothing => {}
                other => return Ok(other),
            }
            match got(tls.read_tls(&mut self.socket).map(|count| count.max(1)))? {
                Got::Nothing => return Ok(Got::Nothing),
                _ => {
                    tls.process_new_packets().map_err(io::Error::other)?;
                }
            }
        }
    }

    /// Ends this side of the stream; of TLS first in its own words.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            self.push(usize::MAX)?;
        }
        match &self.socket {
            Socket::Tcp(socket) => socket.shutdown(Shutdown::Write),
            Socket::Unix(socket) => socket.shutdown(Shutdown::Write),
        }
    }

    /// Ends the connection with a reset.
    pub(super) fn abort(self) {
        self.socket.abort();
    }
}

/// A socket that takes so many bytes.
struct Room<'s> {
    socket: &'s mut Socket,
    bytes: usize,
}

impl Write for Room<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.socket.write(&bytes[..bytes.len().min(self.bytes)])?;
        self.bytes -= count;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn is_later(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

fn later(written: io::Result<usize>) -> io::Result<usize> {
    match written {
        Err(error) if is_later(&error) => Ok(0),
        other => other,
    }
}

fn got(read: io::Result<usize>) -> io::Result<Got> {
    match read {
        Ok(0) => Ok(Got::End),
        Ok(count) => Ok(Got::Bytes(count)),
        Err(error) if is_later(&error) => Ok(Got::Nothing),
        Err(error) => Err(error),
    }
}
