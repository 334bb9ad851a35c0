//! Frames of features that carry a connection from one instance to another, or out of the host.

use super::body::{Body, put_frame};
use crate::tlv::{fields, number, once, put_bytes, put_number, text};
use crate::{FrameError, FrameType, Header, Tag, flags};

/// What a successor needs to know, and an acknowledgement, in one step: STATE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct State<'a> {
    /// Of which connection.
    pub stream: u32,
    /// Answers EXPORT; the stream rests until CLOSE or UNEXPORT.
    pub last: bool,
    /// The state contains the effect of all messages up to this one.
    pub acked: u64,
    /// Name of its format: `example.chat/3`.
    pub format: &'a str,
    /// The state.
    pub state: &'a [u8],
}

impl<'a> State<'a> {
    pub(super) fn parse(header: &Header, mut body: Body<'a>) -> Result<Self, FrameError> {
        let acked = body.u64()?;
        let (mut format, mut state) = (None, None);
        fields(body.rest(), |tag, value| match tag {
            Tag::STATE_FORMAT => once(&mut format, tag, text(value)),
            Tag::STATE => once(&mut state, tag, Some(value)),
            _ => Ok(false),
        })?;
        Ok(Self {
            stream: header.stream,
            last: header.flags & flags::FINAL != 0,
            acked,
            format: format.unwrap_or_default(),
            state: state.unwrap_or_default(),
        })
    }

    /// Appends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut header = Header::new(FrameType::State, self.stream);
        header.flags = if self.last { flags::FINAL } else { 0 };
        put_frame(out, header, |out| {
            out.extend_from_slice(&self.acked.to_le_bytes());
            put_bytes(out, Tag::STATE_FORMAT, self.format.as_bytes());
            put_bytes(out, Tag::STATE, self.state);
        });
    }
}

/// The client's socket itself, which comes beside the frame: HANDOFF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Handoff<'a> {
    /// Of which connection; the stream is over.
    pub stream: u32,
    /// Its name for life.
    pub conn_uid: u64,
    /// What was agreed with the client.
    pub subprotocol: &'a str,
    /// The value of `Sec-WebSocket-Extensions` in the response.
    pub extensions: &'a str,
    /// Bytes that were read from the socket and not used.
    pub unread: &'a [u8],
}

impl<'a> Handoff<'a> {
    pub(super) fn parse(header: &Header, body: Body<'a>) -> Result<Self, FrameError> {
        let (mut uid, mut subprotocol, mut extensions, mut unread) = (None, None, None, None);
        fields(body.rest(), |tag, value| match tag {
            Tag::CONN_UID => once(&mut uid, tag, number(value)),
            Tag::SUBPROTOCOL => once(&mut subprotocol, tag, text(value)),
            Tag::EXTENSIONS => once(&mut extensions, tag, text(value)),
            Tag::UNREAD => once(&mut unread, tag, Some(value)),
            _ => Ok(false),
        })?;
        Ok(Self {
            stream: header.stream,
            conn_uid: uid.ok_or(FrameError::TlvMissing(Tag::CONN_UID))?,
            subprotocol: subprotocol.unwrap_or_default(),
            extensions: extensions.unwrap_or_default(),
            unread: unread.unwrap_or_default(),
        })
    }

    /// Appends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_frame(out, Header::new(FrameType::Handoff, self.stream), |out| {
            put_number(out, Tag::CONN_UID, self.conn_uid);
            put_bytes(out, Tag::SUBPROTOCOL, self.subprotocol.as_bytes());
            put_bytes(out, Tag::EXTENSIONS, self.extensions.as_bytes());
            put_bytes(out, Tag::UNREAD, self.unread);
        });
    }
}
