//! A socket with TLS on it, as a row has it: ciphertext is read into the shard's buffer and leaves
//! at once, so an idle one holds no buffer.

use std::io::{self, IoSlice};
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Received;
use super::transport::{receive, send};
use crate::tls::{Session, TlsError};

/// A non-blocking socket whose handshake is done.
#[derive(Debug)]
pub struct TlsSocket {
    fd: OwnedFd,
    /// One thread reads and writes; a transport may be seen from others.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    session: Session,
    /// Ciphertext that has not left. Invariant: at most that of [`PIECE_BYTES_MAX`] and of what TLS
    /// says by itself.
    out: Vec<u8>,
    /// Bytes of plaintext that are in `out` and were not yet reported as written: the next write
    /// begins with them. So whoever writes has in its queue what has not left, and counts it.
    owed: usize,
}

/// Plaintext that becomes ciphertext before it is known to leave.
const PIECE_BYTES_MAX: usize = 64 << 10;
/// The longest record. RFC 5246, section 6.2.3, and its head.
const RECORD_BYTES_MAX: usize = (16 << 10) + 2048 + 5;

impl TlsSocket {
    /// Goes on where the handshake has ended. `out` is ciphertext that has still to leave.
    pub fn new(fd: OwnedFd, session: Session, out: Vec<u8>) -> Self {
        Self { fd, state: Mutex::new(State { session, out, owed: 0 }) }
    }

    pub(super) fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads once. The beginning of `buffer` gets the plaintext, its end had the ciphertext.
    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<Received> {
        let state = &mut *self.state();
        if state.session.has_ended() {
            return Ok(Received::End);
        }
        // A part of one record may have come before.
        let room = buffer.len().saturating_sub(RECORD_BYTES_MAX) / 2;
        let (plain, cipher) = buffer.split_at_mut(buffer.len() - room);
        let count = match receive(&self.fd, cipher)? {
            Received::Bytes(count) | Received::More(count) => count,
            other => return Ok(other),
        };
        let mut filled = 0;
        let mut is_too_much = false;
        let mut fill = |piece: &[u8]| match plain.get_mut(filled..filled + piece.len()) {
            Some(room) => {
                room.copy_from_slice(piece);
                filled += piece.len();
            }
            None => is_too_much = true,
        };
        let received = state.session.receive(&mut cipher[..count], &mut fill, &mut state.out);
        // What TLS answers, or the alert. If it cannot leave, the next read says so.
        let _ = state.send(&self.fd);
        received.map_err(io::Error::other)?;
        if is_too_much {
            return Err(io::Error::other(TlsError::TooLong));
        }
        let ended = state.session.has_ended();
        Ok(if ended || count == room { Received::More(filled) } else { Received::Bytes(filled) })
    }

    /// Writes until there is no room; returns how much of the plaintext has left.
    pub(super) fn write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let state = &mut *self.state();
        let total: usize = pieces.iter().map(|piece| piece.len()).sum();
        let mut written = 0;
        while state.send(&self.fd)? {
            written += std::mem::take(&mut state.owed);
            debug_assert!(written <= total, "what was not written comes again");
            if written >= total {
                return Ok(total);
            }
            state.encrypt(pieces, written).map_err(io::Error::other)?;
        }
        Ok(written)
    }

    /// Plaintext that must be the beginning of the next write: it is ciphertext already.
    pub(super) fn owed(&self) -> usize {
        self.state().owed
    }

    /// Says that nothing more comes, if there is room for it; all else has left.
    pub(super) fn finish(&self) {
        let state = &mut *self.state();
        // Of a session or a socket that is broken nobody needs to be told.
        if state.session.finish(&mut state.out).is_ok() {
            let _ = state.send(&self.fd);
        }
    }
}

impl Drop for TlsSocket {
    /// A peer that has ended in order is answered so. One that was cut, or is, is told nothing: what
    /// has not left would seem to be all.
    fn drop(&mut self) {
        let (ended, idle) = {
            let state = self.state();
            (state.session.has_ended(), state.owed == 0)
        };
        if ended && idle {
            self.finish();
        }
    }
}

impl State {
    /// Writes the ciphertext that waits; true if none is left.
    fn send(&mut self, fd: &OwnedFd) -> io::Result<bool> {
        if self.out.is_empty() {
            return Ok(true);
        }
        let sent = send(fd, &self.out)?;
        if sent < self.out.len() {
            self.out.drain(..sent);
            return Ok(false);
        }
        self.out = Vec::new();
        Ok(true)
    }

    /// Makes ciphertext of the next part of `pieces`, behind their first `at` bytes.
    fn encrypt(&mut self, pieces: &[IoSlice<'_>], mut at: usize) -> Result<(), TlsError> {
        for piece in pieces {
            let from = at.min(piece.len());
            at -= from;
            let room = PIECE_BYTES_MAX - self.owed;
            let part = &piece[from..piece.len().min(from + room)];
            if !part.is_empty() {
                self.session.encrypt(part, &mut self.out)?;
                self.owed += part.len();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    use bytes::Bytes;

    use super::super::{Outbox, Transport};
    use super::*;
    use crate::tls::testing::friends;

    #[test]
    fn what_waits_leaves_in_order_through_a_narrow_socket() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        theirs.set_nonblocking(true).unwrap();
        let (mut client, server) = friends(1000);
        let transport = Transport::Tls(Box::new(TlsSocket::new(ours.into(), server, Vec::new())));
        let (mut outbox, mut expected) = (Outbox::default(), Vec::new());
        for number in 0..600_usize {
            let piece = vec![u8::try_from(number % 251).unwrap(); number * 7];
            expected.extend_from_slice(&piece);
            outbox.push_shared(Bytes::from(piece));
        }
        let (mut got, mut stalls, mut buffer) = (Vec::new(), 0, vec![0; 30_000]);
        let mut decrypt = |cipher: &mut [u8]| {
            client.receive(cipher, &mut |plain| got.extend_from_slice(plain), &mut Vec::new())
        };
        while !outbox.flush(&transport).unwrap() {
            stalls += 1;
            assert!(!outbox.is_empty(), "what has not left is in the queue");
            let count = theirs.read(&mut buffer).unwrap();
            decrypt(&mut buffer[..count]).unwrap();
        }
        transport.finish();
        drop(transport);
        theirs.set_nonblocking(false).unwrap();
        let mut rest = Vec::new();
        theirs.read_to_end(&mut rest).unwrap();
        decrypt(&mut rest).unwrap();
        assert!(stalls > 10, "the socket took all at once: nothing was tested");
        assert!(got == expected, "bytes were lost, doubled or out of order");
        assert!(client.has_ended());
    }

    #[test]
    fn an_idle_socket_holds_no_buffer() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (mut client, server) = friends(1000);
        let socket = TlsSocket::new(ours.into(), server, Vec::new());
        let mut cipher = Vec::new();
        client.encrypt(&[7; 40_000], &mut cipher).unwrap();
        let theirs = OwnedFd::from(theirs);
        assert_eq!(send(&theirs, &cipher).unwrap(), cipher.len());
        let (mut buffer, mut filled) = (vec![0; 64 << 10], 0);
        while filled < 40_000 {
            match socket.read(&mut buffer).unwrap() {
                Received::Bytes(count) | Received::More(count) => filled += count,
                other => panic!("{other:?}"),
            }
        }
        socket.write(&[IoSlice::new(&[7; 1000])]).unwrap();
        let state = socket.state();
        assert_eq!((state.out.capacity(), state.owed), (0, 0));
        drop(state);
    }
}
