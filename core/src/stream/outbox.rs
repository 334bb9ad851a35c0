//! What could not leave at once. A connection has one only while something waits.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::Bytes;

use super::Transport;

/// Encoded frames in the order in which they leave.
#[derive(Debug, Default)]
pub struct Outbox {
    chunks: VecDeque<Bytes>,
    /// Small frames, gathered behind the chunks.
    tail: Vec<u8>,
    /// Bytes of the first piece that have left. Invariant: less than its length.
    gone: usize,
    /// Bytes that wait. Invariant: sum of the pieces less `gone`.
    waiting: usize,
}

/// Pieces given to one write.
const PIECES: usize = 16;
/// A shared piece shorter than this is copied to the tail: a reference would cost more.
const SHARED_BYTES_MIN: usize = 512;

impl Outbox {
    /// Bytes that wait.
    pub fn len(&self) -> usize {
        self.waiting
    }

    /// True if nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Copies `bytes` behind what waits.
    pub fn push(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
        self.waiting += bytes.len();
    }

    /// Lets `write` append to what waits.
    pub fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.tail.len();
        write(&mut self.tail);
        self.waiting += self.tail.len() - before;
    }

    /// Puts a shared piece behind what waits, without a copy if it is long.
    pub fn push_shared(&mut self, bytes: Bytes) {
        if bytes.len() < SHARED_BYTES_MIN {
            return self.push(&bytes);
        }
        self.seal();
        self.waiting += bytes.len();
        self.chunks.push_back(bytes);
    }

    /// Keeps the first `len` bytes of what waits, and drops the others.
    pub fn truncate(&mut self, len: usize) {
        if len >= self.waiting {
            return;
        }
        let mut left = self.gone + len;
        let mut kept = 0;
        for chunk in &mut self.chunks {
            if left == 0 {
                break;
            }
            chunk.truncate(left);
            left -= chunk.len();
            kept += 1;
        }
        self.chunks.truncate(kept);
        self.chunks.shrink_to_fit();
        self.tail.truncate(left);
        self.tail.shrink_to_fit();
        self.waiting = len;
    }

    /// Writes what the transport takes; true if nothing waits any more.
    ///
    /// # Errors
    /// The connection is broken.
    pub fn flush(&mut self, transport: &Transport) -> io::Result<bool> {
        while self.waiting > 0 {
            let mut pieces = [IoSlice::new(&[]); PIECES];
            let mut count = 0;
            let tail = (!self.tail.is_empty()).then_some(self.tail.as_slice());
            for piece in self.chunks.iter().map(|chunk| &chunk[..]).chain(tail).take(PIECES) {
                let from = if count == 0 { self.gone } else { 0 };
                pieces[count] = IoSlice::new(&piece[from..]);
                count += 1;
            }
            let offered: usize = pieces[..count].iter().map(|piece| piece.len()).sum();
            let written = transport.write_vectored(&pieces[..count])?;
            self.advance(written);
            if written < offered {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn advance(&mut self, written: usize) {
        self.waiting -= written;
        self.gone += written;
        while let Some(first) = self.chunks.front() {
            if self.gone < first.len() {
                return;
            }
            self.gone -= first.len();
            self.chunks.pop_front();
        }
        if self.gone == self.tail.len() {
            self.tail.clear();
            self.gone = 0;
        } else if self.gone > self.tail.len() / 2 {
            self.tail.drain(..self.gone);
            self.gone = 0;
        }
    }

    /// Makes the tail a chunk, so that something can follow it.
    fn seal(&mut self) {
        if !self.tail.is_empty() {
            self.chunks.push_back(Bytes::from(std::mem::take(&mut self.tail)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn pieces_leave_in_order_through_a_narrow_socket() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        theirs.set_nonblocking(true).unwrap();
        let transport = Transport::Unix(ours.into());
        let mut outbox = Outbox::default();
        let mut expected = Vec::new();
        for number in 0..2000_usize {
            let piece = vec![u8::try_from(number % 251).unwrap(); number % 1500];
            expected.extend_from_slice(&piece);
            match number % 3 {
                0 => outbox.push(&piece),
                1 => outbox.push_shared(Bytes::from(piece)),
                _ => outbox.push_with(|out| out.extend_from_slice(&piece)),
            }
        }
        assert_eq!(outbox.len(), expected.len());
        let mut got = Vec::new();
        let mut buffer = vec![0; 30_000];
        let mut stalls = 0;
        while !outbox.flush(&transport).unwrap() {
            stalls += 1;
            let count = theirs.read(&mut buffer).unwrap();
            got.extend_from_slice(&buffer[..count]);
        }
        drop(transport);
        theirs.set_nonblocking(false).unwrap();
        theirs.read_to_end(&mut got).unwrap();
        assert!(stalls > 10, "the socket took all at once: nothing was tested");
        assert!(got == expected, "bytes were lost, doubled or out of order");
        assert!(outbox.is_empty());
    }

    #[test]
    fn what_is_cut_off_is_the_end() {
        for gone in [0, 3, 700, 1300] {
            for len in [0, 1, 250, 699, 700, 1300, 2000] {
                let mut outbox = Outbox::default();
                outbox.push(&[1; 700]);
                outbox.push_shared(Bytes::from(vec![2; 600]));
                outbox.push(&[3; 700]);
                let all = [vec![1; 700], vec![2; 600], vec![3; 700]].concat();
                outbox.advance(gone);
                outbox.truncate(len);
                outbox.push(&[4; 10]);
                let kept = &all[gone..all.len().min(gone + len)];
                let (ours, mut theirs) = UnixStream::pair().unwrap();
                let transport = Transport::Unix(ours.into());
                assert_eq!(outbox.len(), kept.len() + 10, "{gone} {len}");
                assert!(outbox.flush(&transport).unwrap());
                drop(transport);
                let mut got = Vec::new();
                theirs.read_to_end(&mut got).unwrap();
                assert_eq!(got, [kept, &[4; 10]].concat(), "{gone} {len}");
            }
        }
    }
}
