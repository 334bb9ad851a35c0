//! Bytes to typed frames and back.

mod body;
mod link;
mod state;
mod stream;
mod topic;

pub use link::{Drain, GoAway, Hello, HelloOk, Log, Ready};
pub use state::{Handoff, State};
pub use stream::{Accept, Close, CreditFrame, Data, Open, Reject, Reset, Resumed};
pub use topic::{Multicast, Publish, Streams, Subscribe, Subscribed, Topic};

use body::{Body, put_frame, put_u32};

use crate::{FrameError, FrameType, HEADER_BYTES, Header, ParseError, Place, Side};

/// What a reader holds frames against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Who writes what is read.
    pub from: Side,
    /// The longest body, as this side has announced it.
    pub frame_bytes_max: u32,
}

impl Limits {
    /// What `from` writes, with the default for the length of a body.
    pub const fn new(from: Side) -> Self {
        Self { from, frame_bytes_max: crate::FRAME_BYTES_MAX_DEFAULT }
    }
}

/// One frame; text and bytes lie where they were read.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Frame<'a> {
    /// The endpoint's first frame.
    Hello(Hello<'a>),
    /// The host's answer.
    HelloOk(HelloOk<'a>),
    /// The endpoint takes new streams, or does not.
    Ready(Ready<'a>),
    /// To be answered by a PONG with the same bytes.
    Ping([u8; 8]),
    /// The answer to a PING.
    Pong([u8; 8]),
    /// No new streams.
    Drain(Drain<'a>),
    /// The sender's last frame.
    GoAway(GoAway<'a>),
    /// A line for the host's log.
    Log(Log<'a>),
    /// The number of a further link, which comes beside the frame.
    Lane(u16),
    /// A client wants in.
    Open(Open<'a>),
    /// It may come in.
    Accept(Accept<'a>),
    /// It may not.
    Reject(Reject<'a>),
    /// A message, or a fragment of one.
    Data(Data<'a>),
    /// More may be sent.
    Credit(CreditFrame),
    /// Messages are done with.
    Ack {
        /// Of which connection.
        stream: u32,
        /// All up to this number.
        upto: u64,
    },
    /// From the host: the end. From the endpoint: end it, please.
    Close(Close<'a>),
    /// The endpoint's last word on a stream.
    Closed {
        /// Which.
        stream: u32,
    },
    /// The end at once.
    Reset(Reset<'a>),
    /// What a successor needs to know.
    State(State<'a>),
    /// Give your state and stop.
    Export {
        /// Which connection.
        stream: u32,
        /// How long the answer may take.
        deadline_ms: u32,
    },
    /// Go on after all.
    Unexport {
        /// Which connection.
        stream: u32,
    },
    /// One message for many streams.
    Multicast(Multicast<'a>),
    /// The client's socket itself.
    Handoff(Handoff<'a>),
    /// A number for a topic's name.
    Topic(Topic<'a>),
    /// Makes a connection a member.
    Subscribe(Subscribe<'a>),
    /// Ends that.
    Unsubscribe {
        /// Which connection.
        stream: u32,
        /// Of what.
        topic: u32,
    },
    /// A message for all members of a topic.
    Publish(Publish<'a>),
    /// What a subscription came to.
    Subscribed(Subscribed<'a>),
    /// The snapshot is answered; deliveries may begin.
    Deliver {
        /// To which connection.
        stream: u32,
        /// Of what.
        topic: u32,
    },
    /// A type from 0x80 on that this version does not know; there is nothing to do.
    Skipped(Header),
}

/// Reads the frame at the start of `bytes`, and says how many bytes it took; `None` if it is not
/// complete. Nothing is copied or allocated, and an incomplete frame costs a look at its header.
///
/// # Errors
/// The frame is none, or breaks a rule that can be seen without knowing what came before. Where
/// [`ParseError::answer`] is a RESET, the reader may go on behind [`Header::frame_bytes`].
pub fn parse<'a>(
    bytes: &'a [u8],
    limits: &Limits,
) -> Result<Option<(Frame<'a>, usize)>, ParseError> {
    let Some(header) = Header::parse(bytes) else { return Ok(None) };
    let fault = |error| ParseError { header, error };
    let kind = check(&header, limits).map_err(fault)?;
    let Some(body) = bytes.get(HEADER_BYTES..header.frame_bytes()) else { return Ok(None) };
    let frame = match kind {
        Some(kind) => read(kind, &header, body, limits.from).map_err(fault)?,
        None => Frame::Skipped(header),
    };
    Ok(Some((frame, header.frame_bytes())))
}

/// What is wrong with a header alone; it is said before the body has come.
fn check(header: &Header, limits: &Limits) -> Result<Option<FrameType>, FrameError> {
    let Some(kind) = FrameType::new(header.kind) else {
        return match header.kind {
            crate::SKIPPABLE_TYPE_MIN.. => check_len(header, limits).map(|()| None),
            unknown => Err(FrameError::UnknownType(unknown)),
        };
    };
    if !kind.is_from(limits.from) {
        return Err(FrameError::WrongSide(kind));
    }
    let fits = match kind.place() {
        Place::Link => header.stream == 0,
        Place::Stream => header.stream != 0,
        Place::Both => true,
    };
    if !fits {
        return Err(FrameError::WrongStream(kind));
    }
    check_len(header, limits)?;
    Ok(Some(kind))
}

fn check_len(header: &Header, limits: &Limits) -> Result<(), FrameError> {
    let (len, limit) = (header.len, limits.frame_bytes_max);
    if len > limit { Err(FrameError::FrameTooBig { len, limit }) } else { Ok(()) }
}

fn read<'a>(
    kind: FrameType,
    header: &Header,
    bytes: &'a [u8],
    from: Side,
) -> Result<Frame<'a>, FrameError> {
    let (stream, mut body) = (header.stream, Body::new(kind, bytes));
    if header.flags & !kind.flags(from) != 0 {
        return Err(FrameError::Flags { kind, flags: header.flags });
    }
    if header.aux != 0 && !kind.has_aux() {
        return Err(FrameError::Aux { kind, aux: header.aux });
    }
    if header.seq != 0 && !kind.has_seq() {
        return Err(FrameError::Seq(kind));
    }
    Ok(match kind {
        FrameType::Hello => Frame::Hello(Hello::parse(header, body)?),
        FrameType::HelloOk => Frame::HelloOk(HelloOk::parse(body)?),
        FrameType::Ready => Frame::Ready(Ready::parse(header, body)?),
        FrameType::Ping => {
            let opaque = body.array()?;
            body.end().map(|()| Frame::Ping(opaque))?
        }
        FrameType::Pong => {
            let opaque = body.array()?;
            body.end().map(|()| Frame::Pong(opaque))?
        }
        FrameType::Drain => Frame::Drain(Drain::parse(header, body)?),
        FrameType::GoAway => Frame::GoAway(GoAway::parse(header, body)?),
        FrameType::Log => Frame::Log(Log::parse(header, body)?),
        FrameType::Lane if header.aux == 0 => return Err(FrameError::Aux { kind, aux: 0 }),
        FrameType::Lane => body.end().map(|()| Frame::Lane(header.aux))?,
        FrameType::Open => Frame::Open(Open::parse(header, body)?),
        FrameType::Accept => Frame::Accept(Accept::parse(header, body)?),
        FrameType::Reject => Frame::Reject(Reject::parse(header, body)?),
        FrameType::Data => Frame::Data(Data::parse(header, body)?),
        FrameType::Credit => Frame::Credit(CreditFrame::parse(header, body)?),
        FrameType::Ack => {
            let upto = body.u64()?;
            body.end().map(|()| Frame::Ack { stream, upto })?
        }
        FrameType::Close => Frame::Close(Close::parse(header, body, from)?),
        FrameType::Closed => body.end().map(|()| Frame::Closed { stream })?,
        FrameType::Reset => Frame::Reset(Reset::parse(header, body)?),
        FrameType::State => Frame::State(State::parse(header, body)?),
        FrameType::Export => {
            let deadline_ms = body.u32()?;
            body.end().map(|()| Frame::Export { stream, deadline_ms })?
        }
        FrameType::Unexport => body.end().map(|()| Frame::Unexport { stream })?,
        FrameType::Multicast => Frame::Multicast(Multicast::parse(header, body)?),
        FrameType::Handoff => Frame::Handoff(Handoff::parse(header, body)?),
        FrameType::Topic => Frame::Topic(Topic::parse(body)?),
        FrameType::Subscribe => Frame::Subscribe(Subscribe::parse(header, body)?),
        FrameType::Unsubscribe => {
            let topic = body.u32()?;
            body.end().map(|()| Frame::Unsubscribe { stream, topic })?
        }
        FrameType::Publish => Frame::Publish(Publish::parse(header, body)?),
        FrameType::Subscribed => Frame::Subscribed(Subscribed::parse(header, body)?),
        FrameType::Deliver => {
            let topic = body.u32()?;
            body.end().map(|()| Frame::Deliver { stream, topic })?
        }
    })
}

impl Frame<'_> {
    /// Its type; `None` if it was skipped.
    pub fn kind(&self) -> Option<FrameType> {
        Some(match self {
            Self::Hello(_) => FrameType::Hello,
            Self::HelloOk(_) => FrameType::HelloOk,
            Self::Ready(_) => FrameType::Ready,
            Self::Ping(_) => FrameType::Ping,
            Self::Pong(_) => FrameType::Pong,
            Self::Drain(_) => FrameType::Drain,
            Self::GoAway(_) => FrameType::GoAway,
            Self::Log(_) => FrameType::Log,
            Self::Lane(_) => FrameType::Lane,
            Self::Open(_) => FrameType::Open,
            Self::Accept(_) => FrameType::Accept,
            Self::Reject(_) => FrameType::Reject,
            Self::Data(_) => FrameType::Data,
            Self::Credit(_) => FrameType::Credit,
            Self::Ack { .. } => FrameType::Ack,
            Self::Close(_) => FrameType::Close,
            Self::Closed { .. } => FrameType::Closed,
            Self::Reset(_) => FrameType::Reset,
            Self::State(_) => FrameType::State,
            Self::Export { .. } => FrameType::Export,
            Self::Unexport { .. } => FrameType::Unexport,
            Self::Multicast(_) => FrameType::Multicast,
            Self::Handoff(_) => FrameType::Handoff,
            Self::Topic(_) => FrameType::Topic,
            Self::Subscribe(_) => FrameType::Subscribe,
            Self::Unsubscribe { .. } => FrameType::Unsubscribe,
            Self::Publish(_) => FrameType::Publish,
            Self::Subscribed(_) => FrameType::Subscribed,
            Self::Deliver { .. } => FrameType::Deliver,
            Self::Skipped(_) => return None,
        })
    }

    /// The stream on which it stands; 0 is the link.
    pub fn stream(&self) -> u32 {
        match self {
            Self::Open(frame) => frame.stream,
            Self::Accept(frame) => frame.stream,
            Self::Reject(frame) => frame.stream,
            Self::Data(frame) => frame.stream,
            Self::Credit(frame) => frame.stream,
            Self::Close(frame) => frame.stream,
            Self::Reset(frame) => frame.stream,
            Self::State(frame) => frame.stream,
            Self::Handoff(frame) => frame.stream,
            Self::Subscribe(frame) => frame.stream,
            Self::Subscribed(frame) => frame.stream,
            Self::Skipped(header) => header.stream,
            Self::Ack { stream, .. }
            | Self::Closed { stream }
            | Self::Export { stream, .. }
            | Self::Unexport { stream }
            | Self::Unsubscribe { stream, .. }
            | Self::Deliver { stream, .. } => *stream,
            _ => 0,
        }
    }
}

/// Appends a frame. Whether it may be sent now, and whether its body is within what the other side
/// takes, is the caller's to know. A skipped frame is not written.
pub fn encode_frame(out: &mut Vec<u8>, frame: &Frame<'_>) {
    match *frame {
        Frame::Hello(frame) => frame.encode(out),
        Frame::HelloOk(frame) => frame.encode(out),
        Frame::Ready(frame) => frame.encode(out),
        Frame::Ping(opaque) => {
            put_frame(out, Header::new(FrameType::Ping, 0), |out| out.extend_from_slice(&opaque));
        }
        Frame::Pong(opaque) => {
            put_frame(out, Header::new(FrameType::Pong, 0), |out| out.extend_from_slice(&opaque));
        }
        Frame::Drain(frame) => frame.encode(out),
        Frame::GoAway(frame) => frame.encode(out),
        Frame::Log(frame) => frame.encode(out),
        Frame::Lane(lane) => {
            put_frame(out, Header { aux: lane, ..Header::new(FrameType::Lane, 0) }, |_| {});
        }
        Frame::Open(frame) => frame.encode(out),
        Frame::Accept(frame) => frame.encode(out),
        Frame::Reject(frame) => frame.encode(out),
        Frame::Data(frame) => frame.encode(out),
        Frame::Credit(frame) => frame.encode(out),
        Frame::Ack { stream, upto } => {
            let header = Header::new(FrameType::Ack, stream);
            put_frame(out, header, |out| out.extend_from_slice(&upto.to_le_bytes()));
        }
        Frame::Close(frame) => frame.encode(out),
        Frame::Closed { stream } => put_frame(out, Header::new(FrameType::Closed, stream), |_| {}),
        Frame::Reset(frame) => frame.encode(out),
        Frame::State(frame) => frame.encode(out),
        Frame::Export { stream, deadline_ms } => {
            let header = Header::new(FrameType::Export, stream);
            put_frame(out, header, |out| put_u32(out, deadline_ms));
        }
        Frame::Unexport { stream } => {
            put_frame(out, Header::new(FrameType::Unexport, stream), |_| {});
        }
        Frame::Multicast(frame) => frame.encode(out),
        Frame::Handoff(frame) => frame.encode(out),
        Frame::Topic(frame) => frame.encode(out),
        Frame::Subscribe(frame) => frame.encode(out),
        Frame::Unsubscribe { stream, topic } => {
            let header = Header::new(FrameType::Unsubscribe, stream);
            put_frame(out, header, |out| put_u32(out, topic));
        }
        Frame::Publish(frame) => frame.encode(out),
        Frame::Subscribed(frame) => frame.encode(out),
        Frame::Deliver { stream, topic } => {
            let header = Header::new(FrameType::Deliver, stream);
            put_frame(out, header, |out| put_u32(out, topic));
        }
        Frame::Skipped(_) => {}
    }
}
