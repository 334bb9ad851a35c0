//! Frames of one connection.

use super::body::{Body, put_frame, put_u32};
use super::link::only_text;
use crate::tlv::{fields, many, number, once, put_bytes, put_number, text};
use crate::{
    CLOSE_REASON_BYTES_MAX, ErrorCode, FrameError, FrameType, Header, Items, Pair, Side, Tag, Why,
    flags, is_close_code, is_reject_status,
};

/// A client that wants in: OPEN. The fields are those of `sb_open` in plugin.h.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Open<'a> {
    /// Its number on this link.
    pub stream: u32,
    /// The client came over TLS.
    pub tls: bool,
    /// Names the client's connection for its whole life, on whichever link.
    pub conn_uid: u64,
    /// `GET`.
    pub method: &'a str,
    /// `ws` or `wss`.
    pub scheme: &'a str,
    /// The Host header.
    pub authority: &'a str,
    /// Path and query as sent.
    pub target: &'a str,
    /// The prefix of the conf section.
    pub route: &'a str,
    /// The decoded path below the prefix: empty or `/...`.
    pub path: &'a str,
    /// What follows `?`, as sent.
    pub query: &'a str,
    /// Address of the client.
    pub peer: &'a str,
    /// Address that it came to.
    pub local: &'a str,
    /// The host's choice, empty if none.
    pub subprotocol: &'a str,
    /// What the client offers, in its order.
    pub offered: Items<'a, &'a str>,
    /// Names in lower case.
    pub headers: Items<'a, Pair<'a>>,
    /// If it continues a connection of another instance.
    pub resumed: Option<Resumed<'a>>,
}

/// Where a resumed connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Resumed<'a> {
    /// Name of the state's format; empty if no state was given.
    pub format: &'a str,
    /// The last state.
    pub state: &'a [u8],
    /// Messages up to this one were acknowledged; the next that comes has the next number.
    pub acked: u64,
    /// Messages that were sent to the client after that state.
    pub sent: u64,
}

impl<'a> Open<'a> {
    pub(super) fn parse(header: &Header, body: Body<'a>) -> Result<Self, FrameError> {
        let area = body.rest();
        let (mut uid, mut method, mut scheme, mut authority) = (None, None, None, None);
        let (mut target, mut route, mut path, mut query) = (None, None, None, None);
        let (mut peer, mut local, mut subprotocol) = (None, None, None);
        let (mut format, mut state, mut acked, mut sent) = (None, None, None, None);
        fields(area, |tag, value| match tag {
            Tag::CONN_UID => once(&mut uid, tag, number(value)),
            Tag::METHOD => once(&mut method, tag, text(value)),
            Tag::SCHEME => once(&mut scheme, tag, text(value)),
            Tag::AUTHORITY => once(&mut authority, tag, text(value)),
            Tag::TARGET => once(&mut target, tag, text(value)),
            Tag::ROUTE => once(&mut route, tag, text(value)),
            Tag::PATH => once(&mut path, tag, text(value)),
            Tag::QUERY => once(&mut query, tag, text(value)),
            Tag::PEER => once(&mut peer, tag, text(value)),
            Tag::LOCAL => once(&mut local, tag, text(value)),
            Tag::SUBPROTOCOL => once(&mut subprotocol, tag, text(value)),
            Tag::OFFERED => many::<&str>(tag, value),
            Tag::HEADER => many::<Pair<'_>>(tag, value),
            Tag::STATE_FORMAT => once(&mut format, tag, text(value)),
            Tag::STATE => once(&mut state, tag, Some(value)),
            Tag::ACKED => once(&mut acked, tag, number(value)),
            Tag::SENT => once(&mut sent, tag, number(value)),
            _ => Ok(false),
        })?;
        let resumed = (header.flags & flags::RESUMED != 0).then(|| Resumed {
            format: format.unwrap_or_default(),
            state: state.unwrap_or_default(),
            acked: acked.unwrap_or_default(),
            sent: sent.unwrap_or_default(),
        });
        Ok(Self {
            stream: header.stream,
            tls: header.flags & flags::TLS != 0,
            conn_uid: uid.ok_or(FrameError::TlvMissing(Tag::CONN_UID))?,
            method: method.unwrap_or_default(),
            scheme: scheme.unwrap_or_default(),
            authority: authority.unwrap_or_default(),
            target: target.unwrap_or_default(),
            route: route.unwrap_or_default(),
            path: path.unwrap_or_default(),
            query: query.unwrap_or_default(),
            peer: peer.unwrap_or_default(),
            local: local.unwrap_or_default(),
            subprotocol: subprotocol.unwrap_or_default(),
            offered: Items::wire(Tag::OFFERED, area),
            headers: Items::wire(Tag::HEADER, area),
            resumed,
        })
    }

    /// Appends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut header = Header::new(FrameType::Open, self.stream);
        let resumed = if self.resumed.is_some() { flags::RESUMED } else { 0 };
        header.flags = resumed | if self.tls { flags::TLS } else { 0 };
        put_frame(out, header, |out| {
            put_number(out, Tag::CONN_UID, self.conn_uid);
            put_bytes(out, Tag::METHOD, self.method.as_bytes());
            put_bytes(out, Tag::SCHEME, self.scheme.as_bytes());
            put_bytes(out, Tag::AUTHORITY, self.authority.as_bytes());
            put_bytes(out, Tag::TARGET, self.target.as_bytes());
            put_bytes(out, Tag::ROUTE, self.route.as_bytes());
            put_bytes(out, Tag::PATH, self.path.as_bytes());
            put_bytes(out, Tag::QUERY, self.query.as_bytes());
            put_bytes(out, Tag::PEER, self.peer.as_bytes());
            put_bytes(out, Tag::LOCAL, self.local.as_bytes());
            put_bytes(out, Tag::SUBPROTOCOL, self.subprotocol.as_bytes());
            self.offered.put(out, Tag::OFFERED);
            self.headers.put(out, Tag::HEADER);
            if let Some(resumed) = &self.resumed {
                put_bytes(out, Tag::STATE_FORMAT, resumed.format.as_bytes());
                put_bytes(out, Tag::STATE, resumed.state);
                put_number(out, Tag::ACKED, resumed.acked);
                put_number(out, Tag::SENT, resumed.sent);
            }
        });
    }
}

/// The client may come in: ACCEPT.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Accept<'a> {
    /// Which.
    pub stream: u32,
    /// One that the client offers; empty: the host's choice stands.
    pub subprotocol: &'a str,
    /// More headers of the 101 response.
    pub headers: Items<'a, Pair<'a>>,
}

impl<'a> Accept<'a> {
    pub(super) fn parse(header: &Header, body: Body<'a>) -> Result<Self, FrameError> {
        let area = body.rest();
        let mut subprotocol = None;
        fields(area, |tag, value| match tag {
            Tag::SUBPROTOCOL => once(&mut subprotocol, tag, text(value)),
            Tag::HEADER => many::<Pair<'_>>(tag, value),
            _ => Ok(false),
        })?;
        Ok(Self {
            stream: header.stream,
            subprotocol: subprotocol.unwrap_or_default(),
            headers: Items::wire(Tag::HEADER, area),
        })
    }

    /// Appends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_frame(out, Header::new(FrameType::Accept, self.stream), |out| {
            put_bytes(out, Tag::SUBPROTOCOL, self.subprotocol.as_bytes());
            self.headers.put(out, Tag::HEADER);
        });
    }
}

/// The client may not come in: REJECT.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Reject<'a> {
    /// Which.
    pub stream: u32,
    /// HTTP status, 400 to 599.
    pub status: u16,
    /// More headers of the response.
    pub headers: Items<'a, Pair<'a>>,
    /// Text for a person.
    pub body: &'a str,
}

impl<'a> Reject<'a> {
    pub(super) fn parse(header: &Header, body: Body<'a>) -> Result<Self, FrameError> {
        if !is_reject_status(header.aux) {
            return Err(FrameError::Aux { kind: FrameType::Reject, aux: header.aux });
        }
        let area = body.rest();
        let mut content = None;
        fields(area, |tag, value| match tag {
            Tag::BODY => once(&mut content, tag, text(value)),
            Tag::HEADER => many::<Pair<'_>>(tag, value),
            _ => Ok(false),
        })?;
        Ok(Self {
            stream: header.stream,
            status: header.aux,
            headers: Items::wire(Tag::HEADER, area),
            body: content.unwrap_or_default(),
        })
    }

    /// Appends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut header = Header::new(FrameType::Reject, self.stream);
        header.aux = self.status;
        put_frame(out, header, |out| {
            self.headers.put(out, Tag::HEADER);
            put_bytes(out, Tag::BODY, self.body.as_bytes());
        });
    }
}

/// A message, or a fragment of one: DATA. Fragments are put together by [`Assembly`](crate::Assembly).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Data<'a> {
    /// Which connection.
    pub stream: u32,
    /// Low 32 bits of the message's number, on its first frame; 0 on others, and if the endpoint
    /// does not number.
    pub seq: u32,
    /// Text or binary.
    pub text: bool,
    /// The message goes on in the next DATA of this stream.
    pub more: bool,
    /// Was delivered before, to an instance that ended.
    pub replay: bool,
    /// The bytes; of text they are UTF-8 only when the message is whole.
    pub payload: &'a [u8],
}

impl<'a> Data<'a> {
    pub(super) fn parse(header: &Header, body: Body<'a>) -> Result<Self, FrameError> {
        let data = Self {
            stream: header.stream,
            seq: header.seq,
            text: header.flags & flags::TEXT != 0,
            more: header.flags & flags::MORE != 0,
            replay: header.flags & flags::REPLAY != 0,
            payload: body.rest(),
        };
        if data.more && data.payload.is_empty() {
            return Err(FrameError::FragmentEmpty);
        }
        Ok(data)
    }

    /// The header that stands before the payload.
    pub fn header(&self) -> Header {
        Header {
            len: u32::try_from(self.payload.len()).unwrap_or(u32::MAX),
            kind: FrameType::Data as u8,
            flags: if self.text { flags::TEXT } else { 0 }
                | if self.more { flags::MORE } else { 0 }
                | if self.replay { flags::REPLAY } else { 0 },
            aux: 0,
            stream: self.stream,
            seq: self.seq,
        }
    }

    /// Appends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.header().to_bytes());
        out.extend_from_slice(self.payload);
    }
}

/// More may be sent: CREDIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CreditFrame {
    /// On which stream; 0: on the link.
    pub stream: u32,
    /// Bytes more; [`UNCOUNTED`](crate::UNCOUNTED): they are not counted any more.
    pub bytes: u32,
    /// Messages more; 0 on the link.
    pub messages: u32,
}

impl CreditFrame {
    pub(super) fn parse(header: &Header, mut body: Body<'_>) -> Result<Self, FrameError> {
        let credit = Self { stream: header.stream, bytes: body.u32()?, messages: body.u32()? };
        if credit.stream == 0 && credit.messages != 0 {
            return Err(body.wrong_value());
        }
        body.end().map(|()| credit)
    }

    /// Appends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_frame(out, Header::new(FrameType::Credit, self.stream), |out| {
            put_u32(out, self.bytes);
            put_u32(out, self.messages);
        });
    }
}

/// The end: CLOSE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Close<'a> {
    /// Of which stream.
    pub stream: u32,
    /// From the endpoint one that may be sent to a client; from the host also 1005 and 1006.
    pub code: u16,
    /// Whose doing it is; from the endpoint [`Why::NONE`].
    pub why: Why,
    /// At most 123 bytes.
    pub reason: &'a str,
}

impl<'a> Close<'a> {
    pub(super) fn parse(
        header: &Header,
        mut body: Body<'a>,
        from: Side,
    ) -> Result<Self, FrameError> {
        let allowed = match from {
            Side::Endpoint => is_close_code(header.aux),
            Side::Host => matches!(header.aux, 1000..=4999),
        };
        if !allowed {
            return Err(FrameError::Aux { kind: FrameType::Close, aux: header.aux });
        }
        let why = Why(body.u32()?);
        if from == Side::Endpoint && why != Why::NONE {
            return Err(body.wrong_value());
        }
        let reason = body.text()?;
        if reason.len() > CLOSE_REASON_BYTES_MAX {
            return Err(FrameError::BodyLength(FrameType::Close));
        }
        Ok(Self { stream: header.stream, code: header.aux, why, reason })
    }

    /// Appends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut header = Header::new(FrameType::Close, self.stream);
        header.aux = self.code;
        put_frame(out, header, |out| {
            put_u32(out, self.why.0);
            out.extend_from_slice(self.reason.as_bytes());
        });
    }
}

/// The end at once: RESET.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reset<'a> {
    /// Of which stream.
    pub stream: u32,
    /// Why.
    pub code: ErrorCode,
    /// Why, in a sentence.
    pub text: &'a str,
}

impl<'a> Reset<'a> {
    pub(super) fn parse(header: &Header, body: Body<'a>) -> Result<Self, FrameError> {
        let text = only_text(body.rest())?;
        Ok(Self { stream: header.stream, code: ErrorCode(header.aux), text })
    }

    /// Appends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut header = Header::new(FrameType::Reset, self.stream);
        header.aux = self.code.0;
        put_frame(out, header, |out| put_bytes(out, Tag::TEXT, self.text.as_bytes()));
    }
}
