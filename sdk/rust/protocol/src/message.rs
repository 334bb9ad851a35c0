//! Messages to fragments and back.

use std::borrow::Cow;

use crate::{Data, FrameError};

/// A writer splits messages here, so that one long message does not hold up the link.
pub const FRAGMENT_BYTES: usize = 64 << 10;

/// The frames of one message, each with its header to be had by [`Data::header`]. `number` is that
/// of the message in its stream and direction, counted from 1; 0 if it is not numbered.
pub fn fragments<'a>(
    stream: u32,
    number: u64,
    text: bool,
    payload: &'a [u8],
) -> impl Iterator<Item = Data<'a>> {
    let mut rest = Some(payload);
    let mut seq = low_half(number);
    std::iter::from_fn(move || {
        let all = rest?;
        let (part, after) = all.split_at(all.len().min(FRAGMENT_BYTES));
        rest = (!after.is_empty()).then_some(after);
        let data = Data { stream, seq, text, more: rest.is_some(), replay: false, payload: part };
        seq = 0;
        Some(data)
    })
}

/// Appends all frames of one message; see [`fragments`].
pub fn encode_message(out: &mut Vec<u8>, stream: u32, number: u64, text: bool, payload: &[u8]) {
    for data in fragments(stream, number, text, payload) {
        data.encode(out);
    }
}

fn low_half(number: u64) -> u32 {
    // Cast: the low half is what is wanted.
    number as u32
}

/// Puts the fragments of one stream and direction together. It holds memory only while a message is
/// incomplete, and never more than came.
#[derive(Debug, Default)]
pub struct Assembly {
    bytes: Vec<u8>,
    /// `text` and `replay` of the message that is incomplete.
    unfinished: Option<(bool, bool)>,
    messages: u64,
}

/// A whole message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole<'a> {
    /// From 1 in its stream and direction; it goes on across resumptions.
    pub number: u64,
    /// Text or binary. Whether text is UTF-8 is not checked here.
    pub text: bool,
    /// Was delivered before, to an instance that ended.
    pub replay: bool,
    /// Borrowed if the message came in one frame.
    pub payload: Cow<'a, [u8]>,
}

impl Assembly {
    /// Messages are counted on from this number: `acked` of a resumed stream.
    pub fn after(number: u64) -> Self {
        Self { messages: number, ..Self::default() }
    }

    /// Takes a frame, and gives the message if it is complete with it.
    ///
    /// # Errors
    /// The frame does not continue what came before, or the message is too long. The stream is to be
    /// reset.
    pub fn push<'a>(
        &mut self,
        data: &Data<'a>,
        message_bytes_max: usize,
    ) -> Result<Option<Whole<'a>>, FrameError> {
        if self.unfinished.is_none() {
            self.begin(data)?;
        } else if self.unfinished != Some((data.text, data.replay)) || data.seq != 0 {
            return Err(FrameError::FragmentMismatch);
        }
        if self.bytes.len() + data.payload.len() > message_bytes_max {
            return Err(FrameError::MessageTooBig { limit: message_bytes_max });
        }
        if data.more {
            self.unfinished = Some((data.text, data.replay));
            self.bytes.extend_from_slice(data.payload);
            return Ok(None);
        }
        let payload = match self.unfinished.take() {
            None => Cow::Borrowed(data.payload),
            Some(_) => {
                self.bytes.extend_from_slice(data.payload);
                Cow::Owned(std::mem::take(&mut self.bytes))
            }
        };
        let (number, text, replay) = (self.messages, data.text, data.replay);
        Ok(Some(Whole { number, text, replay, payload }))
    }

    /// Counts a message that reached the stream by MCAST.
    ///
    /// # Errors
    /// Another one is unfinished.
    pub fn count_other(&mut self) -> Result<u64, FrameError> {
        if self.unfinished.is_some() {
            return Err(FrameError::FragmentMismatch);
        }
        self.messages += 1;
        Ok(self.messages)
    }

    /// True if the next frame begins a message.
    pub fn is_idle(&self) -> bool {
        self.unfinished.is_none()
    }

    /// Bytes of the message that is incomplete.
    pub fn waiting_bytes(&self) -> usize {
        self.bytes.len()
    }

    fn begin(&mut self, data: &Data<'_>) -> Result<(), FrameError> {
        let expected = low_half(self.messages + 1);
        if data.seq != 0 && data.seq != expected {
            return Err(FrameError::Number { expected, found: data.seq });
        }
        self.messages += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(seq: u32, more: bool, payload: &[u8]) -> Data<'_> {
        Data { stream: 1, seq, text: true, more, replay: false, payload }
    }

    #[test]
    fn a_message_is_split_at_64_kib() {
        for (len, frames) in [(0, 1), (1, 1), (65_536, 1), (65_537, 2), (131_072, 2)] {
            let payload = vec![7; len];
            let parts: Vec<_> = fragments(1, 9, false, &payload).collect();
            assert_eq!(parts.len(), frames, "{len} bytes");
            assert!(parts.iter().rev().skip(1).all(|part| part.more && !part.payload.is_empty()));
            assert!(!parts[frames - 1].more);
            assert_eq!(parts[0].seq, 9);
            assert!(parts[1..].iter().all(|part| part.seq == 0));
        }
    }

    #[test]
    fn fragments_become_the_message_again() -> Result<(), FrameError> {
        let payload: Vec<u8> = (0..200_000_u32).map(|at| at as u8).collect();
        let mut assembly = Assembly::default();
        let mut whole = None;
        for data in fragments(1, 1, false, &payload) {
            assert!(whole.is_none());
            whole = assembly.push(&data, payload.len())?;
        }
        assert_eq!(whole.map(|whole| whole.payload.into_owned()), Some(payload));
        assert_eq!((assembly.is_idle(), assembly.waiting_bytes()), (true, 0));
        Ok(())
    }

    #[test]
    fn the_limit_is_that_of_the_message_not_of_the_frame() {
        let mut assembly = Assembly::default();
        assert_eq!(assembly.push(&frame(1, true, b"abc"), 5), Ok(None));
        let refused = Err(FrameError::MessageTooBig { limit: 5 });
        assert_eq!(assembly.push(&frame(0, false, b"def"), 5), refused);
    }

    #[test]
    fn a_fragment_has_the_flags_of_the_first_and_no_number() {
        let mut assembly = Assembly::default();
        assert_eq!(assembly.push(&frame(1, true, b"a"), 5), Ok(None));
        let mismatch = Err(FrameError::FragmentMismatch);
        assert_eq!(assembly.push(&Data { text: false, ..frame(0, false, b"b") }, 5), mismatch);
        assert_eq!(assembly.push(&frame(2, false, b"b"), 5), mismatch);
        assert_eq!(assembly.count_other(), Err(FrameError::FragmentMismatch));
    }

    #[test]
    fn numbers_are_checked_if_there_are_any() {
        let mut assembly = Assembly::after(u64::from(u32::MAX));
        assert!(matches!(assembly.push(&frame(0, false, b""), 5), Ok(Some(Whole { number, .. }))
            if number == 1 << 32));
        assert_eq!(assembly.count_other(), Ok((1 << 32) + 1));
        let wrong = Err(FrameError::Number { expected: 2, found: 3 });
        assert_eq!(assembly.push(&frame(3, false, b""), 5), wrong);
        assert!(assembly.push(&frame(2, false, b""), 5).is_ok());
    }
}
