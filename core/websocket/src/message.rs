//! The payloads that cannot be returned where they lie, gathered as they come.
//! Which frame may follow which is not decided here, but in the [`Decoder`](crate::Decoder).

use crate::ProtocolError;
use crate::frame::OpCode;
use crate::utf8::Utf8;

/// What a message carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// UTF-8.
    Text,
    /// Any bytes.
    Binary,
}

impl From<Kind> for OpCode {
    /// The opcode of the message's first frame.
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Text,
            Kind::Binary => Self::Binary,
        }
    }
}

/// The message whose fragments are coming, and behind it, when one comes in pieces between them,
/// the payload of a control frame.
///
/// A payload that is finished stays where it is, so that it can be lent out, until `settle`.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// The open message, then what is finished or belongs to a control frame.
    bytes: Vec<u8>,
    /// Invariant: `message_len <= bytes.len()`, and zero unless a message is open.
    message_len: usize,
    /// The open message's.
    kind: Option<Kind>,
    utf8: Utf8,
}

impl Gathered {
    /// True if no message has begun, and nothing is lent out.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.kind.is_none() && self.bytes.is_empty()
    }

    /// The kind of the message that has begun and is not finished.
    pub(crate) fn open_kind(&self) -> Option<Kind> {
        self.kind
    }

    /// How much of the open message has come.
    pub(crate) fn message_len(&self) -> usize {
        self.message_len
    }

    /// What has come of the open message.
    pub(crate) fn message(&self) -> &[u8] {
        &self.bytes[..self.message_len]
    }

    /// Takes an unmasked part of a message, which is open from then on. With `rest` it is known
    /// that so many bytes follow, and are the last.
    pub(crate) fn push_message(
        &mut self,
        kind: Kind,
        part: &[u8],
        rest: Option<usize>,
        limit: usize,
    ) -> Result<(), ProtocolError> {
        // The header was measured too, but the limit may have been lowered since then.
        if part.len() > limit.saturating_sub(self.message_len) {
            return Err(ProtocolError::MessageTooBig { limit });
        }
        if kind == Kind::Text {
            self.utf8.push(part).map_err(|_| ProtocolError::TextNotUtf8)?;
        }
        self.push(part, rest);
        self.message_len = self.bytes.len();
        self.kind = Some(kind);
        Ok(())
    }

    /// The open message is whole, and all that was gathered.
    pub(crate) fn finish_message(&mut self) -> Result<(), ProtocolError> {
        if !self.utf8.is_complete() {
            return Err(ProtocolError::TextNotUtf8);
        }
        self.message_len = 0;
        self.kind = None;
        Ok(())
    }

    /// Takes an unmasked part of a control frame's payload, of which `rest` bytes will follow.
    pub(crate) fn push_control(&mut self, part: &[u8], rest: usize) {
        self.push(part, Some(rest));
    }

    /// What was gathered and does not belong to an open message: the payload just finished.
    pub(crate) fn finished(&self) -> &[u8] {
        &self.bytes[self.message_len..]
    }

    /// Forgets what is finished.
    pub(crate) fn settle(&mut self) {
        self.bytes.truncate(self.message_len);
        if self.bytes.is_empty() && self.bytes.capacity() > KEPT_BYTES_MAX {
            self.bytes = Vec::new();
        }
    }

    /// Holds nothing if there is nothing to hold: it may take long until more comes.
    pub(crate) fn rest(&mut self) {
        if self.bytes.is_empty() {
            self.bytes = Vec::new();
        }
    }

    /// The heap memory that is held.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Makes room for at most twice of what has come, whatever was declared, so that time is
    /// linear and a peer must send what it makes us hold. Where the end is near, for no more.
    fn push(&mut self, part: &[u8], rest: Option<usize>) {
        let len = self.bytes.len() + part.len();
        if len > self.bytes.capacity() {
            let to_come = rest.map_or(len, |rest| rest.min(len));
            self.bytes.reserve_exact(part.len() + to_come);
        }
        self.bytes.extend_from_slice(part);
    }
}

/// What is kept from one message to the next of the same input, to spare the allocator.
const KEPT_BYTES_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::utf8::tests::VALIDATED;

    #[test]
    fn many_fragments_cost_what_their_bytes_cost() {
        // Characters of 3 bytes, so that the fragments of 64 cut through most of them.
        let (count, size) = (65_536, 64);
        let text = "€".repeat(count * size / 3);
        let mut gathered = Gathered::default();
        let (mut growths, mut capacity) = (0, 0);
        let validated_before = VALIDATED.get();

        for fragment in text.as_bytes().chunks(size) {
            gathered.push_message(Kind::Text, fragment, None, text.len()).unwrap();
            growths += usize::from(gathered.capacity() != capacity);
            capacity = gathered.capacity();
            assert!(capacity <= 2 * gathered.message_len());
        }

        gathered.finish_message().unwrap();
        assert_eq!(gathered.finished(), text.as_bytes());
        let validated = VALIDATED.get() - validated_before;
        assert!(validated <= text.len() + 4 * count, "{validated} bytes validated");
        assert!(growths <= 20, "{growths} growths");
    }

    #[test]
    fn a_payload_whose_end_is_near_takes_no_more_than_it_needs() {
        let mut gathered = Gathered::default();
        gathered.push_message(Kind::Binary, &[0; 1000], Some(24), 1024).unwrap();
        assert_eq!(gathered.capacity(), 1024);
    }

    #[test]
    fn little_is_kept_for_the_next_message_and_nothing_at_rest() {
        for (size, kept) in [(KEPT_BYTES_MAX, KEPT_BYTES_MAX), (KEPT_BYTES_MAX + 1, 0)] {
            let mut gathered = Gathered::default();
            gathered.push_message(Kind::Binary, &vec![0; size], Some(0), size).unwrap();
            gathered.finish_message().unwrap();
            assert_eq!(gathered.finished().len(), size);
            gathered.settle();
            assert_eq!(gathered.capacity(), kept);
            gathered.rest();
            assert_eq!(gathered.capacity(), 0);
        }
    }
}
