//! The library at work, zlib-rs, behind what this crate needs of it.
//! It knows deflate streams and windows, but neither messages nor frames.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Inflate, InflateFlush, Status};

use super::history::tail;
use super::{WindowBits, short};
use crate::ProtocolError;

/// Compressors and decompressors for any number of connections, one message at a time.
///
/// It keeps nothing of a message when that is finished, so one is enough for a thread. What it
/// needs it allocates when it is first needed, and keeps: about 48 KB to inflate, 16 KB between
/// inflating and the message, 150 to 280 KB for each size of window to deflate, and at most 64 KB
/// of what was deflated.
///
/// Messages that have begun and are not finished hold a decompressor each, of 48 KB, lent by the
/// engine; it lends at most [`lent_max`](Self::with_lent_max) at a time. Beyond, the compressed
/// bytes of such messages are kept until the last has come, as many as came.
pub struct Engine {
    /// By the window's bits, from 9.
    deflate: [Option<Box<Deflate>>; 7],
    /// Not lent.
    idle: Option<Inflate>,
    /// Lent for longer than a call.
    lent: Arc<AtomicUsize>,
    lent_max: usize,
    /// Where output goes before it has a place.
    out: Vec<u8>,
    pub(super) counts: Counts,
}

/// What an [`Engine`] has done: payload bytes before and behind compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Bytes of messages that were sent compressed, before it.
    pub deflated_from: u64,
    /// What they became.
    pub deflated_to: u64,
    /// Bytes of messages that it did not make smaller, and that were sent as they were.
    pub not_deflated: u64,
    /// Compressed bytes that came.
    pub inflated_from: u64,
    /// What they became.
    pub inflated_to: u64,
}

impl Engine {
    /// An engine that lends at most this many decompressors to messages that are not finished. The
    /// default is 64, which is 3 MB.
    pub fn with_lent_max(lent_max: usize) -> Self {
        Self {
            deflate: Default::default(),
            idle: None,
            lent: Arc::default(),
            lent_max,
            out: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// What it has done so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Deflates a message that may refer to `history`, and returns it without the last four bytes,
    /// which are always the same; or `None` if that would not make it shorter, or longer by less
    /// than `slack`. To be followed by [`tidy`](Self::tidy).
    pub(super) fn deflate(
        &mut self,
        window_bits: WindowBits,
        history: &[u8],
        payload: &[u8],
        slack: usize,
    ) -> Option<&[u8]> {
        let deflated = self.deflate_to_out(window_bits, history, payload, slack);
        match deflated {
            Some(len) => {
                self.counts.deflated_from += payload.len() as u64;
                self.counts.deflated_to += len as u64;
            }
            None => self.counts.not_deflated += payload.len() as u64,
        }
        deflated.map(|len| &self.out[..len])
    }

    fn deflate_to_out(
        &mut self,
        window_bits: WindowBits,
        history: &[u8],
        payload: &[u8],
        slack: usize,
    ) -> Option<usize> {
        if history.is_empty() && payload.len() <= short::BYTES_MAX {
            if self.out.len() < short::OUT_BYTES {
                self.out.resize(short::OUT_BYTES, 0);
            }
            let written = short::deflate(payload, window_bits.bytes(), &mut self.out);
            return (written < payload.len() + slack).then_some(written);
        }
        // For windows of 2^8 bytes there is the compressor of 2^9: it reaches back by 262 bytes
        // less than its window, so 250 bytes. The tests measure that.
        let bits = window_bits.get().max(9);
        let deflate = self.deflate[usize::from(bits - 9)].get_or_insert_with(|| {
            let window_bits = -i32::from(bits); // negative: no header
            Box::new(Deflate::new_with_config(DeflateConfig {
                level: LEVEL,
                window_bits,
                mem_level: MEMORY_LEVEL,
                ..DeflateConfig::default()
            }))
        });
        deflate.reset();
        let level = if payload.len() <= short::BYTES_MAX { LEVEL_SMALL } else { LEVEL };
        deflate.set_level(level).ok()?;
        if !history.is_empty() {
            deflate.set_dictionary(tail(history, window_bits.bytes())).ok()?;
        }
        // If this is not enough, the message would not become shorter.
        let enough = payload.len() + slack + END.len();
        loop {
            let (read, written) = (deflate.total_in() as usize, deflate.total_out() as usize);
            if written == self.out.len().min(enough) {
                if written == enough {
                    empty(deflate);
                    return None;
                }
                let len = (2 * self.out.len()).max(enough / 4).max(1024);
                self.out.resize(len.min(enough).max(self.out.len()), 0);
            }
            let end = self.out.len().min(enough);
            let out = &mut self.out[written..end];
            deflate.compress(&payload[read..], out, DeflateFlush::SyncFlush).ok()?;
            let written = deflate.total_out() as usize;
            // With room left, all has been written.
            if written < end {
                debug_assert!(self.out[..written].ends_with(&END));
                return Some(written - END.len());
            }
        }
    }

    /// What was deflated has found its place.
    pub(super) fn tidy(&mut self) {
        if self.out.len() > OUT_KEPT_MAX {
            self.out = Vec::new();
        }
    }

    /// A decompressor for one message that may refer to `history`.
    pub(super) fn begin(&mut self, history: &[u8]) -> Stream {
        let inflate = self.idle.take().unwrap_or_else(|| Inflate::new(false, 15));
        let mut stream = Stream { inflate, is_ended: false, _lent: None };
        stream.reset([history, &[]]);
        stream
    }

    /// The stream is to be held for longer than this call, by a message whose end has not come.
    /// False if too many are.
    pub(super) fn may_lend(&self) -> bool {
        self.lent.load(Ordering::Relaxed) < self.lent_max
    }

    /// Notes that the stream is held until it is dropped or given back.
    pub(super) fn lend(&self, stream: &mut Stream) {
        stream._lent.get_or_insert_with(|| Lent::new(&self.lent));
    }

    /// Takes a stream back whose message is finished.
    pub(super) fn give_back(&mut self, stream: Stream) {
        self.idle = Some(stream.inflate);
    }

    /// Inflates `input` in pieces, each handed to `sink`, and none longer than it has room for.
    pub(super) fn inflate<S: Sink>(
        &mut self,
        stream: &mut Stream,
        mut input: &[u8],
        sink: &mut S,
    ) -> Result<(), ProtocolError> {
        self.counts.inflated_from += input.len() as u64;
        if self.out.len() < PIECE_BYTES {
            self.out.resize(PIECE_BYTES, 0);
        }
        loop {
            if stream.is_ended {
                if input.is_empty() {
                    return Ok(());
                }
                stream.reset(sink.window());
            }
            let room = sink.room().min(PIECE_BYTES);
            let piece = &mut self.out[..room];
            let (read, written) = (stream.inflate.total_in(), stream.inflate.total_out());
            let status = stream.inflate.decompress(input, piece, InflateFlush::NoFlush);
            let read = (stream.inflate.total_in() - read) as usize;
            let written = (stream.inflate.total_out() - written) as usize;
            self.counts.inflated_to += written as u64;
            // Also what came out before a fault: which of two faults is told must not depend on
            // how the bytes were cut.
            sink.take(&piece[..written])?;
            let status = status.map_err(|_| ProtocolError::DeflateInvalid)?;
            input = &input[read..];
            stream.is_ended = status == Status::StreamEnd;
            if !stream.is_ended {
                if input.is_empty() && written < room {
                    return Ok(());
                }
                if read == 0 && written == 0 {
                    return Err(ProtocolError::DeflateInvalid);
                }
            }
        }
    }

    /// The message's last byte has come: what is left out at its end is put there, and must
    /// complete it.
    pub(super) fn finish<S: Sink>(
        &mut self,
        stream: &mut Stream,
        sink: &mut S,
    ) -> Result<(), ProtocolError> {
        if !stream.is_ended {
            let counts = self.counts;
            self.inflate(stream, &[END.as_slice(), &FINAL_BLOCK].concat(), sink)?;
            self.counts.inflated_from = counts.inflated_from;
        }
        if stream.is_ended { Ok(()) } else { Err(ProtocolError::DeflateInvalid) }
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self::with_lent_max(64)
    }
}

/// Takes out what a compressor still holds of a message that is given up. Its reset drops that, but
/// not the place in its buffer where it began (zlib-rs 0.6.8): one such message after the other would
/// move that on, until the buffer has no room and the library panics.
fn empty(deflate: &mut Deflate) {
    let mut rest = [0; 1024];
    loop {
        let before = deflate.total_out();
        // It is an error to ask when there is nothing left.
        let asked = deflate.compress(&[], &mut rest, DeflateFlush::SyncFlush);
        if asked.is_err() || deflate.total_out() - before < rest.len() as u64 {
            return;
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("counts", &self.counts).finish_non_exhaustive()
    }
}

/// Where inflated bytes go.
pub(super) trait Sink {
    /// How many bytes may come at once. Not zero: the byte that is too many must show.
    fn room(&self) -> usize;
    /// Takes bytes, or says what is wrong with them.
    fn take(&mut self, piece: &[u8]) -> Result<(), ProtocolError>;
    /// What further bytes may refer to, in two parts.
    fn window(&self) -> [&[u8]; 2];
}

/// The decompression of one message.
pub(super) struct Stream {
    inflate: Inflate,
    /// A block was the last of its stream. RFC 7692, section 7.2.3.4: more may follow in the same
    /// message.
    is_ended: bool,
    _lent: Option<Lent>,
}

impl Stream {
    fn reset(&mut self, window: [&[u8]; 2]) {
        self.inflate.reset(false);
        for part in window.into_iter().filter(|part| !part.is_empty()) {
            // Cannot fail without a header.
            let _ = self.inflate.set_dictionary(tail(part, WindowBits::MAX.bytes()));
        }
        self.is_ended = false;
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("is_ended", &self.is_ended).finish_non_exhaustive()
    }
}

/// One of those that are lent.
struct Lent(Arc<AtomicUsize>);

impl Lent {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The end of an empty block without compression, which a sender leaves out and a receiver puts
/// back. RFC 7692, section 7.2.1.
const END: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// An empty block that is the last: the library says that it has seen it only if what came before
/// was complete.
const FINAL_BLOCK: [u8; 5] = [0x01, 0x00, 0x00, 0xff, 0xff];

/// How hard the compressor tries, from 1 to 9.
const LEVEL: i32 = 3;

/// The same for messages of at most [`short::BYTES_MAX`] bytes: codes of their own, which 1 does not
/// make, take longer than the message and gain a twentieth of it.
const LEVEL_SMALL: i32 = 1;

/// How many symbols the compressor gathers for a block: 2^11. It clears the room for them with
/// each, so the default of 2^14 costs a small message more than its compression.
const MEMORY_LEVEL: i32 = 5;

/// How much is inflated at once.
const PIECE_BYTES: usize = 16 * 1024;

/// How much output is kept for the next message.
const OUT_KEPT_MAX: usize = 64 * 1024;
