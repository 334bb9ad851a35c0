//! What a peer can do wrong, one variant for each rule of RFC 6455 and RFC 7692, and what it is
//! told.
//! A normal close is no error: it is [`Event::Close`](crate::Event::Close).

use thiserror::Error;

use crate::CloseCode;

/// A rule of RFC 6455 that the peer broke, or a limit that it went over.
///
/// Whatever the variant, the connection cannot go on, because nobody knows any more where the next
/// frame begins: send a Close frame with [`close_code`](Self::close_code) and end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// Section 5.2: opcodes 3 to 7 and 11 to 15 have no meaning yet.
    #[error("opcode {0:#x} is reserved")]
    ReservedOpcode(u8),
    /// Section 5.2: RSV1 to RSV3 are zero unless an extension was agreed on that defines them.
    #[error("a reserved bit is set, and no extension allows it")]
    ReservedBits,
    /// Section 5.2: a length is written in as few bytes as it takes.
    #[error("the payload length is not written in its shortest form")]
    LengthNotMinimal,
    /// Section 5.2: the top bit of a 64-bit length is zero.
    #[error("the payload length has its top bit set")]
    LengthTopBit,
    /// Section 5.1: a client masks every frame.
    #[error("a frame from the client is not masked")]
    Unmasked,
    /// Section 5.1: a server masks no frame.
    #[error("a frame from the server is masked")]
    Masked,
    /// Section 5.4: a continuation belongs to a message that was begun and is not finished.
    #[error("a continuation frame without a message to continue")]
    ContinuationWithoutStart,
    /// Section 5.4: the fragments of one message are not mixed with those of another.
    #[error("a new message begins inside an unfinished one")]
    MessageInsideMessage,
    /// Section 5.5: control frames are never fragmented.
    #[error("a control frame is fragmented")]
    ControlFragmented,
    /// Section 5.5: a control frame carries at most 125 bytes.
    #[error("a control frame is longer than 125 bytes")]
    ControlTooLong,
    /// Section 5.5.1: the payload of a Close frame is empty or begins with a code of two bytes.
    #[error("a close frame with half a code")]
    CloseCodeCutShort,
    /// Section 7.4: this code is reserved, or may not appear on the wire.
    #[error("close code {0} may not be sent")]
    CloseCodeInvalid(u16),
    /// Section 5.5.1: the reason of a Close frame is UTF-8.
    #[error("the reason of a close frame is not UTF-8")]
    CloseReasonNotUtf8,
    /// Section 8.1: the payload of a text message, all its fragments together, is UTF-8.
    #[error("a text message is not UTF-8")]
    TextNotUtf8,
    /// RFC 7692, section 7.2.2: a compressed message is deflate blocks, and complete.
    #[error("a compressed message cannot be inflated")]
    DeflateInvalid,
    /// Section 10.4: a frame declares more than [`Limits::frame_bytes_max`](crate::Limits).
    #[error("a frame is longer than {limit} bytes")]
    FrameTooBig {
        /// The limit that held when the frame's header came.
        limit: usize,
    },
    /// Section 10.4: a message is, or will be, over [`Limits::message_bytes_max`](crate::Limits).
    #[error("a message is longer than {limit} bytes")]
    MessageTooBig {
        /// The limit that held when it was crossed.
        limit: usize,
    },
}

impl ProtocolError {
    /// What the peer is told. RFC 6455, section 7.4.1.
    pub fn close_code(&self) -> CloseCode {
        match self {
            Self::TextNotUtf8 | Self::CloseReasonNotUtf8 | Self::DeflateInvalid => {
                CloseCode::INVALID_PAYLOAD
            }
            Self::FrameTooBig { .. } | Self::MessageTooBig { .. } => CloseCode::TOO_BIG,
            Self::ReservedOpcode(_)
            | Self::ReservedBits
            | Self::LengthNotMinimal
            | Self::LengthTopBit
            | Self::Unmasked
            | Self::Masked
            | Self::ContinuationWithoutStart
            | Self::MessageInsideMessage
            | Self::ControlFragmented
            | Self::ControlTooLong
            | Self::CloseCodeCutShort
            | Self::CloseCodeInvalid(_) => CloseCode::PROTOCOL,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_1002_1007_or_1009() {
        assert_eq!(ProtocolError::Unmasked.close_code().get(), 1002);
        assert_eq!(ProtocolError::CloseCodeInvalid(1005).close_code().get(), 1002);
        assert_eq!(ProtocolError::TextNotUtf8.close_code().get(), 1007);
        assert_eq!(ProtocolError::CloseReasonNotUtf8.close_code().get(), 1007);
        assert_eq!(ProtocolError::DeflateInvalid.close_code().get(), 1007);
        assert_eq!(ProtocolError::FrameTooBig { limit: 1 }.close_code().get(), 1009);
        assert_eq!(ProtocolError::MessageTooBig { limit: 1 }.close_code().get(), 1009);
    }

    #[test]
    fn an_error_reads_as_a_sentence() {
        assert_eq!(ProtocolError::ReservedOpcode(0xb).to_string(), "opcode 0xb is reserved");
        assert_eq!(
            ProtocolError::MessageTooBig { limit: 16 }.to_string(),
            "a message is longer than 16 bytes"
        );
    }
}
