//! What moves bytes: readiness comes from the shard's poll, reads go into the shard's buffer,
//! writes take a list of slices.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

use mio::Interest;
use mio::unix::SourceFd;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown};

use super::TlsSocket;

/// A connected, non-blocking byte stream. Each kind is a variant, so that the hot path has no
/// indirect call.
#[derive(Debug)]
pub enum Transport {
    /// A TCP socket.
    Tcp(OwnedFd),
    /// A Unix stream socket.
    Unix(OwnedFd),
    /// TLS on either of them.
    Tls(Box<TlsSocket>),
}

/// What a read came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// So many bytes. If that is less than there was room for, no more are there now.
    Bytes(usize),
    /// So many bytes, and more may be there, or the end, whatever room there was.
    More(usize),
    /// Nothing now; readiness will be told.
    Nothing,
    /// The peer has finished sending.
    End,
}

impl Transport {
    fn fd(&self) -> &OwnedFd {
        match self {
            Self::Tcp(fd) | Self::Unix(fd) => fd,
            Self::Tls(socket) => socket.fd(),
        }
    }

    /// For registration only.
    pub fn raw_fd(&self) -> RawFd {
        self.fd().as_raw_fd()
    }

    /// The address of the peer; a Unix socket has none.
    pub fn peer(&self) -> Option<SocketAddr> {
        rustix::net::getpeername(self.fd()).ok().flatten()?.try_into().ok()
    }

    /// Tells `registry` to report, under `token`, each time that it becomes readable or writable.
    ///
    /// # Errors
    /// The system's, such as too many watches.
    pub fn register(&self, registry: &mio::Registry, token: mio::Token) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut SourceFd(&self.raw_fd()), token, interest)
    }

    /// Reads once.
    ///
    /// # Errors
    /// The connection is broken.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<Received> {
        match self {
            Self::Tcp(fd) | Self::Unix(fd) => receive(fd, buffer),
            Self::Tls(socket) => socket.read(buffer),
        }
    }

    /// Writes once; returns how many bytes went, 0 if there is no room now. What did not go must be
    /// the beginning of the next write: TLS may have made ciphertext of it already.
    ///
    /// # Errors
    /// The connection is broken.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(fd) | Self::Unix(fd) => send(fd, bytes),
            Self::Tls(socket) => socket.write(&[IoSlice::new(bytes)]),
        }
    }

    /// The same of several pieces in one call.
    ///
    /// # Errors
    /// The connection is broken.
    pub fn write_vectored(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let fd = match self {
            Self::Tcp(fd) | Self::Unix(fd) => fd,
            Self::Tls(socket) => return socket.write(pieces),
        };
        loop {
            let mut none = SendAncillaryBuffer::default();
            return match rustix::net::sendmsg(fd, pieces, &mut none, SendFlags::NOSIGNAL) {
                Ok(count) => Ok(count),
                Err(rustix::io::Errno::AGAIN) => Ok(0),
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => Err(error.into()),
            };
        }
    }

    /// Has the connection broken when it is dropped, instead of ended behind what the system still
    /// holds for a peer that takes nothing.
    pub fn give_up(&self) {
        let _ = rustix::net::sockopt::set_socket_linger(self.fd(), Some(Duration::ZERO));
    }

    /// Bytes of what has not gone that must be the beginning of the next write.
    pub fn owed(&self) -> usize {
        match self {
            Self::Tcp(_) | Self::Unix(_) => 0,
            Self::Tls(socket) => socket.owed(),
        }
    }

    /// Tells the peer that nothing more comes. That it may have gone already is no matter.
    pub fn finish(&self) {
        if let Self::Tls(socket) = self {
            socket.finish();
        }
        let _ = rustix::net::shutdown(self.fd(), Shutdown::Write);
    }
}

/// Reads once from a socket.
pub(super) fn receive(fd: &OwnedFd, buffer: &mut [u8]) -> io::Result<Received> {
    loop {
        return match rustix::net::recv(fd.as_fd(), &mut *buffer, RecvFlags::empty()) {
            Ok((_, 0)) => Ok(Received::End),
            Ok((_, count)) => Ok(Received::Bytes(count)),
            Err(rustix::io::Errno::AGAIN) => Ok(Received::Nothing),
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => Err(error.into()),
        };
    }
}

/// Writes once to a socket; 0 if there is no room.
pub(super) fn send(fd: &OwnedFd, bytes: &[u8]) -> io::Result<usize> {
    loop {
        return match rustix::net::send(fd, bytes, SendFlags::NOSIGNAL) {
            Ok(count) => Ok(count),
            Err(rustix::io::Errno::AGAIN) => Ok(0),
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => Err(error.into()),
        };
    }
}
