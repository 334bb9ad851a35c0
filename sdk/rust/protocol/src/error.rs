//! What the other side can do wrong, one variant for each rule, and what it is told.

use thiserror::Error;

use crate::{ErrorCode, FrameType, Header, StreamState, Tag};

/// A rule that the other side broke, or a limit that it went over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A type below 0x80 that this version does not have.
    #[error("frame type {0:#04x} is unknown")]
    UnknownType(u8),
    /// A body over the limit that this side announced.
    #[error("a frame of {len} bytes, the limit is {limit}")]
    FrameTooBig {
        /// What its header says.
        len: u32,
        /// What was announced.
        limit: u32,
    },
    /// The other side may not send this.
    #[error("{} may not be sent by this side", .0.name())]
    WrongSide(FrameType),
    /// A frame for a stream on stream 0, or the other way round.
    #[error("{} does not belong on this stream", .0.name())]
    WrongStream(FrameType),
    /// A bit of `flags` that has no meaning here.
    #[error("{} with flags {flags:#04x}", kind.name())]
    Flags {
        /// Of the frame.
        kind: FrameType,
        /// As they came.
        flags: u8,
    },
    /// `aux` has a value without a meaning.
    #[error("{} with aux {aux}", kind.name())]
    Aux {
        /// Of the frame.
        kind: FrameType,
        /// As it came.
        aux: u16,
    },
    /// `seq` where there is no number.
    #[error("{} with a sequence number", .0.name())]
    Seq(FrameType),
    /// The body is shorter or longer than its type allows.
    #[error("{} with a body of the wrong length", .0.name())]
    BodyLength(FrameType),
    /// A field of the body has a value that it may not have.
    #[error("{} with a value that is not allowed", .0.name())]
    BodyValue(FrameType),
    /// HELLO does not begin with `SWBD`.
    #[error("HELLO does not begin with SWBD: this is another protocol")]
    Magic,
    /// Text in a body is not UTF-8.
    #[error("{} with text that is not UTF-8", .0.name())]
    NotUtf8(FrameType),
    /// The values of a frame end in the middle of one.
    #[error("a tagged value is cut short")]
    TlvCutShort,
    /// A bit of `tflags` that has no meaning.
    #[error("a tagged value with flags {0:#06x}")]
    TlvFlags(u16),
    /// The tag is not known, and its sender says that it must be.
    #[error("tag {0} is unknown and critical")]
    TlvCritical(u16),
    /// A value that may stand once stands twice.
    #[error("{} stands twice", .0.name())]
    TlvTwice(Tag),
    /// A value without which the frame means nothing.
    #[error("{} is missing", .0.name())]
    TlvMissing(Tag),
    /// The value is not what its tag says.
    #[error("{} is malformed", .0.name())]
    TlvValue(Tag),
    /// A frame that has no place in this state of the stream.
    #[error("{} on a stream that is {}", kind.name(), state.name())]
    WrongState {
        /// Of the frame.
        kind: FrameType,
        /// Of the stream, when it came.
        state: StreamState,
    },
    /// A frame that has no place in this state of the link.
    #[error("{} does not come now", .0.name())]
    WrongTime(FrameType),
    /// A stream that was never opened.
    #[error("stream {0} was never opened")]
    NeverOpened(u32),
    /// OPEN with a number that is not above all before it.
    #[error("stream {0} is opened with a number that is not new")]
    NotNew(u32),
    /// A frame of a feature that was not agreed.
    #[error("{} belongs to a feature that was not agreed", .0.name())]
    NotAgreed(FrameType),
    /// A message began without credit on its stream.
    #[error("a message without credit")]
    Flow,
    /// A frame came without credit on the link.
    #[error("a frame without credit on the link")]
    LinkFlow,
    /// More of something than its limit allows: topics, PINGs.
    #[error("too many {}", .0.name())]
    TooMany(FrameType),
    /// A message over the limit.
    #[error("a message is longer than {limit} bytes")]
    MessageTooBig {
        /// The limit that held.
        limit: usize,
    },
    /// A further fragment has other flags than the first, or a number.
    #[error("a fragment does not fit the one before it")]
    FragmentMismatch,
    /// A fragment that is not the last has no bytes.
    #[error("an empty fragment that is not the last")]
    FragmentEmpty,
    /// A message with a number that is not the next.
    #[error("message number {found}, {expected} was to come")]
    Number {
        /// The low 32 bits of the next number.
        expected: u32,
        /// What came.
        found: u32,
    },
    /// A text message is not UTF-8.
    #[error("a text message is not UTF-8")]
    MessageNotUtf8,
    /// A topic's number that stands for no name.
    #[error("topic {0} has no name")]
    TopicUnknown(u32),
    /// A topic's number that stands for a name already.
    #[error("topic {0} has a name already")]
    TopicTaken(u32),
    /// An acknowledgement of a message that was never delivered.
    #[error("message {0} was never delivered")]
    NeverDelivered(u64),
}

/// What a fault can cost.
enum Costs {
    /// The stream on which it happened; the link if it happened on stream 0.
    Stream,
    /// The link, because nothing that follows can be trusted.
    Link,
}

impl FrameError {
    /// The code of the GOAWAY if the link ends for it.
    pub fn goaway_code(&self) -> ErrorCode {
        self.answer().1
    }

    /// The code of the RESET if it costs a stream only; `None` if the link has to end.
    pub fn reset_code(&self) -> Option<ErrorCode> {
        match self.answer() {
            (Costs::Stream, code) => Some(code),
            (Costs::Link, _) => None,
        }
    }

    fn answer(&self) -> (Costs, ErrorCode) {
        match self {
            Self::FrameTooBig { .. } => (Costs::Link, ErrorCode::TOO_BIG),
            Self::UnknownType(_)
            | Self::WrongSide(_)
            | Self::WrongStream(_)
            | Self::Magic
            | Self::WrongTime(_)
            | Self::NeverOpened(_)
            | Self::NotNew(_) => (Costs::Link, ErrorCode::PROTOCOL),
            Self::LinkFlow => (Costs::Link, ErrorCode::FLOW),
            Self::TooMany(_) => (Costs::Link, ErrorCode::LIMIT),
            Self::NotAgreed(_) => (Costs::Link, ErrorCode::UNSUPPORTED),
            Self::TlvCritical(_) => (Costs::Stream, ErrorCode::UNSUPPORTED),
            Self::Flow => (Costs::Stream, ErrorCode::FLOW),
            Self::MessageTooBig { .. } => (Costs::Stream, ErrorCode::TOO_BIG),
            Self::MessageNotUtf8 => (Costs::Stream, ErrorCode::BAD_TEXT),
            Self::Flags { .. }
            | Self::Aux { .. }
            | Self::Seq(_)
            | Self::BodyLength(_)
            | Self::BodyValue(_)
            | Self::NotUtf8(_)
            | Self::TlvCutShort
            | Self::TlvFlags(_)
            | Self::TlvTwice(_)
            | Self::TlvMissing(_)
            | Self::TlvValue(_)
            | Self::WrongState { .. }
            | Self::FragmentMismatch
            | Self::FragmentEmpty
            | Self::Number { .. }
            | Self::TopicUnknown(_)
            | Self::TopicTaken(_)
            | Self::NeverDelivered(_) => (Costs::Stream, ErrorCode::PROTOCOL),
        }
    }
}

/// A frame that cannot be taken, with its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{error}")]
pub struct ParseError {
    /// As it came.
    pub header: Header,
    /// What is wrong.
    pub error: FrameError,
}

/// What the other side is told of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The link ends.
    GoAway(ErrorCode),
    /// This stream ends, if it is not gone already; the reader goes on behind the frame.
    Reset(u32, ErrorCode),
}

impl ParseError {
    /// What the other side is told.
    pub fn answer(&self) -> Answer {
        match self.error.reset_code() {
            Some(code) if self.header.stream != 0 => Answer::Reset(self.header.stream, code),
            _ => Answer::GoAway(self.error.goaway_code()),
        }
    }
}
