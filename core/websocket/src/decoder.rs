//! The bytes of one direction of a connection, to messages.
//! It reads nothing from anywhere and answers nothing: Pongs and Close frames are the caller's.

use crate::ProtocolError;
use crate::close::CloseFrame;
use crate::deflate::{Agreed, Engine, Inflates, Inflation, Part, wire_bytes_max};
use crate::frame::{FrameHeader, OpCode, ShortHead};
use crate::mask::apply_mask;
use crate::message::{Gathered, Kind};
use crate::phase::{Content, Frame, Phase};
use crate::utf8;

/// Whose side we are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The peer is a client, and masks every frame.
    Server,
    /// The peer is a server, and masks none.
    Client,
}

/// How much a peer may send at once. Given at each call, so that it can change at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest message, all its fragments together, and inflated if it came compressed. On the
    /// wire a compressed one may be longer by an eighth and 64 bytes, and so may its frames.
    pub message_bytes_max: usize,
    /// The longest frame of a message. Control frames have their own limit, of 125 bytes.
    pub frame_bytes_max: usize,
}

impl Limits {
    /// The same, but nothing longer than `bytes`.
    pub fn at_most(self, bytes: usize) -> Self {
        Self {
            message_bytes_max: self.message_bytes_max.min(bytes),
            frame_bytes_max: self.frame_bytes_max.min(bytes),
        }
    }
}

/// What a peer said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A message, whole and unmasked.
    Message {
        /// Text or binary.
        kind: Kind,
        /// Of a text, already found to be UTF-8.
        payload: &'a [u8],
    },
    /// To be answered with a Pong of the same payload.
    Ping(&'a [u8]),
    /// A Ping was answered, or a Pong came unasked, which is allowed and means nothing.
    Pong(&'a [u8]),
    /// The peer will send no more. To be answered with a Close frame, if none was sent.
    Close(Option<CloseFrame<'a>>),
}

/// Takes the bytes of a connection as they come, in pieces of any size, and returns its
/// [`Event`]s.
///
/// Between messages it holds no memory but its own few bytes; and, if compression with context
/// takeover was agreed on, the window.
#[derive(Debug)]
pub struct Decoder {
    role: Role,
    /// Whether RSV1 has a meaning, and which.
    inflates: Inflates,
    phase: Phase,
    gathered: Gathered,
    inflation: Option<Box<Inflation>>,
}

impl Decoder {
    /// A decoder for what comes after the handshake.
    pub fn new(role: Role) -> Self {
        let (phase, gathered) = (Phase::BOUNDARY, Gathered::default());
        Self { role, inflates: Inflates::Never, phase, gathered, inflation: None }
    }

    /// A decoder for what comes after a handshake that agreed on permessage-deflate. Its messages
    /// are inflated, and its errors those of what they inflate to.
    pub fn with_deflate(role: Role, agreed: &Agreed) -> Self {
        Self { inflates: Inflates::new(role, agreed), ..Self::new(role) }
    }

    /// Takes bytes from `input[*at..]`, advances `*at`, and returns the next event, or `None` when
    /// all input is used up and more is needed.
    ///
    /// A message that lies whole and unfragmented in `input` is unmasked in place and returned as
    /// a slice of it; any other is gathered in the decoder as it comes. Masked bytes that were
    /// taken are left unmasked in `input`.
    ///
    /// After an error each later call returns the same error. After a Close frame nothing more is
    /// parsed: later calls use up all input and return `None`.
    ///
    /// Of a decoder [`with_deflate`](Self::with_deflate) the first compressed message brings an
    /// [`Engine`] that it then keeps. Where there are many connections, use
    /// [`next_in`](Self::next_in).
    ///
    /// # Panics
    ///
    /// If `*at` is beyond the end of `input`.
    #[inline]
    pub fn next<'a>(
        &'a mut self,
        limits: &Limits,
        input: &'a mut [u8],
        at: &mut usize,
    ) -> Result<Option<Event<'a>>, ProtocolError> {
        self.take(None, limits, input, at)
    }

    /// As [`next`](Self::next), but what is compressed is inflated by `engine`, which any number
    /// of decoders may share. It may be another one at each call.
    ///
    /// # Panics
    ///
    /// If `*at` is beyond the end of `input`.
    #[inline]
    pub fn next_in<'a>(
        &'a mut self,
        engine: &mut Engine,
        limits: &Limits,
        input: &'a mut [u8],
        at: &mut usize,
    ) -> Result<Option<Event<'a>>, ProtocolError> {
        self.take(Some(engine), limits, input, at)
    }

    #[inline(always)] // for `take_short`
    fn take<'a>(
        &'a mut self,
        engine: Option<&mut Engine>,
        limits: &Limits,
        input: &'a mut [u8],
        at: &mut usize,
    ) -> Result<Option<Event<'a>>, ProtocolError> {
        if let Some((kind, start)) = self.take_short(limits, input, at) {
            return Ok(Some(Event::Message { kind, payload: &input[start..*at] }));
        }
        self.advance(engine, limits, input, at)
    }

    /// What most input begins with, without a detour: a client's message below 64 KiB, neither
    /// fragmented nor compressed, that lies there whole. Tells of what kind it is and where its
    /// payload begins, which ends at `*at`. All else is left to [`step`](Self::step), untouched,
    /// and so is whatever breaks a rule.
    #[inline(always)] // the way of nearly every message
    fn take_short(
        &self,
        limits: &Limits,
        input: &mut [u8],
        at: &mut usize,
    ) -> Option<(Kind, usize)> {
        if self.role != Role::Server || !self.phase.is_boundary() || !self.gathered.is_empty() {
            return None;
        }
        let (head, used) = ShortHead::parse(input.get(*at..)?)?;
        let start = *at + used;
        let payload = input.get_mut(start..start + head.payload_len)?;
        if head.payload_len > limits.message_bytes_max.min(limits.frame_bytes_max) {
            return None;
        }
        apply_mask(payload, head.mask, 0);
        if head.is_text && utf8::validate(payload).is_err() {
            apply_mask(payload, head.mask, 0);
            return None;
        }
        *at = start + head.payload_len;
        Some((if head.is_text { Kind::Text } else { Kind::Binary }, start))
    }

    /// Apart, so that the short way is short.
    #[inline(never)]
    fn advance<'a>(
        &'a mut self,
        engine: Option<&mut Engine>,
        limits: &Limits,
        input: &'a mut [u8],
        at: &mut usize,
    ) -> Result<Option<Event<'a>>, ProtocolError> {
        self.settle();
        let (content, place) = match self.step(engine, limits, input, at) {
            Ok(Some(found)) => found,
            Ok(None) => {
                self.gathered.rest();
                return Ok(None);
            }
            Err(error) => {
                self.gathered = Gathered::default();
                self.inflation = None;
                self.phase = Phase::Failed(error);
                return Err(error);
            }
        };
        let payload = match place {
            Place::Input { start } => &input[start..*at],
            Place::Gathered => self.gathered.finished(),
        };
        Ok(Some(match content {
            Content::Message(kind) => Event::Message { kind, payload },
            Content::Ping => Event::Ping(payload),
            Content::Pong => Event::Pong(payload),
            // Found right in `step` already, where what it borrows could not be returned.
            Content::Close => Event::Close(CloseFrame::parse(payload)?),
        }))
    }

    /// Takes nothing more: what has come of a message is dropped with its memory, and all further
    /// input is used up, as behind a Close frame.
    pub fn close(&mut self) {
        self.phase = Phase::Closed;
        self.gathered = Gathered::default();
        self.inflation = None;
    }

    /// Whether the next byte would begin a message: neither a frame nor a message is unfinished.
    ///
    /// No heap memory is held then, once `next` has returned `None`, but that of a window.
    pub fn is_idle(&self) -> bool {
        match &self.phase {
            Phase::Header(partial) => partial.is_empty() && self.gathered.open_kind().is_none(),
            Phase::Closed => true,
            Phase::Payload(_) | Phase::Failed(_) => false,
        }
    }

    /// The heap memory that is held for a message, in bytes: at most twice of what has come of it,
    /// or the 4 KiB that are kept from one message to the next. Of a compressed one, twice of what
    /// it has become, and a decompressor's 48 KiB or twice of what has come.
    pub fn buffered_bytes(&self) -> usize {
        let inflation = self.inflation.as_ref().map_or(0, |inflation| inflation.buffered_bytes());
        self.gathered.capacity() + inflation
    }

    /// The heap memory of the window that the peer's messages may refer to: at most what was agreed
    /// on, and none without context takeover.
    pub fn window_bytes(&self) -> usize {
        self.inflation.as_ref().map_or(0, |inflation| inflation.window_bytes())
    }

    /// Goes on until there is something to return, and tells what, and where it is.
    fn step(
        &mut self,
        mut engine: Option<&mut Engine>,
        limits: &Limits,
        input: &mut [u8],
        at: &mut usize,
    ) -> Result<Option<(Content, Place)>, ProtocolError> {
        loop {
            match &mut self.phase {
                Phase::Header(partial) => {
                    let Some(header) = partial.read(input, at)? else { return Ok(None) };
                    let frame = self.admit(&header, limits)?;
                    if self.is_whole(&frame, input.len() - *at) {
                        let start = *at;
                        *at += frame.rest;
                        let payload = &mut input[start..*at];
                        apply_mask(payload, frame.mask, 0);
                        if frame.content == Content::Message(Kind::Text) {
                            utf8::validate(payload).map_err(|_| ProtocolError::TextNotUtf8)?;
                        }
                        if frame.content == Content::Close {
                            self.phase = phase_after_close(payload)?;
                        }
                        return Ok(Some((frame.content, Place::Input { start })));
                    }
                    self.phase = Phase::Payload(frame);
                }
                Phase::Payload(frame) => {
                    let part = frame.take(input, at);
                    let frame = *frame;
                    if self.gather(engine.as_deref_mut(), &frame, part, limits)? {
                        return Ok(Some((frame.content, Place::Gathered)));
                    }
                    if frame.rest > 0 {
                        return Ok(None);
                    }
                }
                Phase::Closed => {
                    *at = input.len();
                    return Ok(None);
                }
                Phase::Failed(error) => return Err(*error),
            }
        }
    }

    /// Holds the header against the rules that it does not show alone.
    fn admit(&self, header: &FrameHeader, limits: &Limits) -> Result<Frame, ProtocolError> {
        let content = match (header.opcode, self.gathered.open_kind()) {
            (OpCode::Text, None) => Content::Message(Kind::Text),
            (OpCode::Binary, None) => Content::Message(Kind::Binary),
            (OpCode::Continuation, Some(kind)) => Content::Message(kind),
            (OpCode::Continuation, None) => return Err(ProtocolError::ContinuationWithoutStart),
            (OpCode::Text | OpCode::Binary, Some(_)) => {
                return Err(ProtocolError::MessageInsideMessage);
            }
            (OpCode::Close, _) => Content::Close,
            (OpCode::Ping, _) => Content::Ping,
            (OpCode::Pong, _) => Content::Pong,
        };
        // RFC 7692, section 6: of a message's frames only the first can carry RSV1.
        let opens = matches!(header.opcode, OpCode::Text | OpCode::Binary);
        let rsv1_refused = header.rsv1 && !(opens && self.inflates != Inflates::Never);
        if rsv1_refused || header.rsv2 || header.rsv3 {
            return Err(ProtocolError::ReservedBits);
        }
        let mask = match (self.role, header.mask) {
            (Role::Server, Some(mask)) => mask,
            (Role::Client, None) => [0; 4],
            (Role::Server, None) => return Err(ProtocolError::Unmasked),
            (Role::Client, Some(_)) => return Err(ProtocolError::Masked),
        };
        let rest = usize::try_from(header.payload_len).unwrap_or(usize::MAX);
        let is_compressed = header.rsv1 || (!header.opcode.is_control() && self.is_inflating());
        match (header.opcode.is_control(), is_compressed) {
            (true, _) => {}
            (false, true) => self.measure_compressed(rest, limits)?,
            (false, false) => self.measure(rest, limits)?,
        }
        Ok(Frame { content, fin: header.fin, is_compressed, mask, rest })
    }

    /// Whether the open message is a compressed one.
    fn is_inflating(&self) -> bool {
        self.inflation.as_ref().is_some_and(|inflation| inflation.is_open())
    }

    /// Holds what a frame of a message declares against the limits, before any of it has come.
    fn measure(&self, declared: usize, limits: &Limits) -> Result<(), ProtocolError> {
        let Limits { message_bytes_max, frame_bytes_max } = *limits;
        if declared > frame_bytes_max {
            return Err(ProtocolError::FrameTooBig { limit: frame_bytes_max });
        }
        if declared > message_bytes_max.saturating_sub(self.gathered.message_len()) {
            return Err(ProtocolError::MessageTooBig { limit: message_bytes_max });
        }
        Ok(())
    }

    /// The same for a message that will be inflated, which is measured again as it comes out.
    #[cold]
    fn measure_compressed(&self, declared: usize, limits: &Limits) -> Result<(), ProtocolError> {
        let Limits { message_bytes_max, frame_bytes_max } = *limits;
        if declared > wire_bytes_max(frame_bytes_max) {
            return Err(ProtocolError::FrameTooBig { limit: frame_bytes_max });
        }
        let came = self.inflation.as_ref().map_or(0, |inflation| inflation.wire_len());
        if declared > wire_bytes_max(message_bytes_max).saturating_sub(came) {
            return Err(ProtocolError::MessageTooBig { limit: message_bytes_max });
        }
        Ok(())
    }

    /// Whether the frame can be returned where it lies: it is all there, and all there is.
    fn is_whole(&self, frame: &Frame, available: usize) -> bool {
        let is_part = matches!(frame.content, Content::Message(_))
            && (!frame.fin || frame.is_compressed || self.gathered.open_kind().is_some());
        !is_part && frame.rest <= available
    }

    /// Keeps a part of a payload that cannot be returned where it lies, and tells whether there is
    /// something to return now. Not inlined, because most messages never come here.
    #[inline(never)]
    fn gather(
        &mut self,
        engine: Option<&mut Engine>,
        frame: &Frame,
        part: &[u8],
        limits: &Limits,
    ) -> Result<bool, ProtocolError> {
        // A frame that is only announced costs nothing.
        if part.is_empty() && frame.rest > 0 {
            return Ok(false);
        }
        if let (Content::Message(kind), true) = (frame.content, frame.is_compressed) {
            let is_last = frame.fin && frame.rest == 0;
            let part = Part { kind, bytes: part, is_last, limit: limits.message_bytes_max };
            let inflation = self.inflation.get_or_insert_default();
            inflation.push(engine, &part, &mut self.gathered)?;
        } else if let Content::Message(kind) = frame.content {
            let rest = frame.fin.then_some(frame.rest);
            self.gathered.push_message(kind, part, rest, limits.message_bytes_max)?;
        } else {
            self.gathered.push_control(part, frame.rest);
        }
        if frame.rest > 0 {
            return Ok(false);
        }
        self.phase = Phase::BOUNDARY;
        match frame.content {
            Content::Message(_) if frame.fin => self.finish_message()?,
            Content::Close => self.phase = phase_after_close(self.gathered.finished())?,
            _ => {}
        }
        // Of a message the last frame, and every control frame.
        Ok(frame.fin)
    }

    fn finish_message(&mut self) -> Result<(), ProtocolError> {
        self.gathered.finish_message()?;
        if let Some(inflation) = self.inflation.as_mut().filter(|inflation| inflation.is_open()) {
            inflation.finish(self.inflates, self.gathered.finished());
            if inflation.is_needless() {
                self.inflation = None;
            }
        }
        Ok(())
    }

    /// Forgets what was lent out by the call before.
    fn settle(&mut self) {
        match self.phase {
            // What a Close frame leaves unfinished stays so.
            Phase::Closed => {
                self.gathered = Gathered::default();
                self.inflation = None;
            }
            _ if self.phase.is_in_control() => {}
            _ => self.gathered.settle(),
        }
    }
}

/// A Close frame's payload must be right; then nothing follows.
fn phase_after_close(payload: &[u8]) -> Result<Phase, ProtocolError> {
    CloseFrame::parse(payload)?;
    Ok(Phase::Closed)
}

/// Where a payload lies.
enum Place {
    /// In the input, up to where that is used up.
    Input { start: usize },
    /// At the end of what was gathered.
    Gathered,
}
