//! Frames of stream 0: who is there, and how it goes on.

use super::body::{Body, put_frame, put_u32};
use crate::tlv::{fields, many, number, once, put_bytes, put_number, text};
use crate::{
    DrainReason, ErrorCode, FRAME_BYTES_MAX_CEILING, FRAME_BYTES_MAX_DEFAULT,
    FRAME_BYTES_MAX_FLOOR, FrameError, FrameType, Header, Items, LogLevel, Pair, Tag, UNCOUNTED,
    VERSION, flags,
};

/// What a HELLO begins with.
const MAGIC: [u8; 4] = *b"SWBD";

/// The endpoint's first frame: HELLO.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Hello<'a> {
    /// The oldest version of the protocol that it speaks.
    pub version_min: u16,
    /// The newest.
    pub version_max: u16,
    /// The longest body that it takes.
    pub frame_bytes_max: u32,
    /// The most streams that it takes at a time.
    pub streams_max: u32,
    /// What the host may send on each stream before it is given more.
    pub stream_bytes: u32,
    /// The same in messages.
    pub stream_messages: u32,
    /// What the host may send on the link.
    pub link_bytes: u32,
    /// Silence after which a side asks whether the other is there; 0: never.
    pub heartbeat_ms: u32,
    /// Links that it would like; 0 and 1 are one.
    pub lanes: u16,
    /// It does not count what it sends and wants no windows.
    pub uncounted: bool,
    /// Who it is.
    pub name: &'a str,
    /// Its version.
    pub version: &'a str,
    /// What was built from what.
    pub build: &'a str,
    /// `name/N`, those that it would use.
    pub features: Items<'a, &'a str>,
    /// Proves that it may connect, where that is asked for.
    pub token: &'a [u8],
}

impl<'a> Hello<'a> {
    /// Version 1, default limits, nothing counted in what the host sends, no heartbeat.
    pub fn simple() -> Self {
        Self {
            version_min: VERSION,
            version_max: VERSION,
            frame_bytes_max: FRAME_BYTES_MAX_DEFAULT,
            streams_max: u32::MAX,
            stream_bytes: UNCOUNTED,
            stream_messages: UNCOUNTED,
            link_bytes: UNCOUNTED,
            ..Self::default()
        }
    }

    pub(super) fn parse(header: &Header, mut body: Body<'a>) -> Result<Self, FrameError> {
        if body.array()? != MAGIC {
            return Err(FrameError::Magic);
        }
        let mut hello = Self {
            version_min: body.u16()?,
            version_max: body.u16()?,
            frame_bytes_max: body.u32()?,
            streams_max: body.u32()?,
            stream_bytes: body.u32()?,
            stream_messages: body.u32()?,
            link_bytes: body.u32()?,
            heartbeat_ms: body.u32()?,
            lanes: body.u16()?,
            uncounted: header.flags & flags::UNCOUNTED != 0,
            ..Self::default()
        };
        let windows = [hello.stream_bytes, hello.stream_messages, hello.link_bytes];
        let reserved = body.u16()?;
        if reserved != 0 || hello.version_min > hello.version_max || windows.contains(&0) {
            return Err(body.wrong_value());
        }
        if !is_frame_limit(hello.frame_bytes_max) || hello.streams_max == 0 {
            return Err(body.wrong_value());
        }
        let area = body.rest();
        let (mut name, mut version, mut build, mut token) = (None, None, None, None);
        fields(area, |tag, value| match tag {
            Tag::NAME => once(&mut name, tag, text(value)),
            Tag::VERSION => once(&mut version, tag, text(value)),
            Tag::BUILD => once(&mut build, tag, text(value)),
            Tag::TOKEN => once(&mut token, tag, Some(value)),
            Tag::FEATURE => many::<&str>(tag, value),
            _ => Ok(false),
        })?;
        hello.name = name.unwrap_or_default();
        hello.version = version.unwrap_or_default();
        hello.build = build.unwrap_or_default();
        hello.token = token.unwrap_or_default();
        hello.features = Items::wire(Tag::FEATURE, area);
        Ok(hello)
    }

    /// Appends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut header = Header::new(FrameType::Hello, 0);
        header.flags = if self.uncounted { flags::UNCOUNTED } else { 0 };
        put_frame(out, header, |out| {
            out.extend_from_slice(&MAGIC);
            out.extend_from_slice(&self.version_min.to_le_bytes());
            out.extend_from_slice(&self.version_max.to_le_bytes());
            put_u32(out, self.frame_bytes_max);
            put_u32(out, self.streams_max);
            put_u32(out, self.stream_bytes);
            put_u32(out, self.stream_messages);
            put_u32(out, self.link_bytes);
            put_u32(out, self.heartbeat_ms);
            put_u32(out, self.lanes.into());
            put_bytes(out, Tag::NAME, self.name.as_bytes());
            put_bytes(out, Tag::VERSION, self.version.as_bytes());
            put_bytes(out, Tag::BUILD, self.build.as_bytes());
            self.features.put(out, Tag::FEATURE);
            put_bytes(out, Tag::TOKEN, self.token);
        });
    }
}

/// The host's answer: HELLO_OK.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct HelloOk<'a> {
    /// The version that both speak from here on.
    pub version: u16,
    /// Links that the endpoint gets, with this one; 0 and 1 are one.
    pub lanes: u16,
    /// The longest body that the host takes.
    pub frame_bytes_max: u32,
    /// The most streams that it opens at a time.
    pub streams_max: u32,
    /// The longest message, in both directions.
    pub message_bytes_max: u32,
    /// What the endpoint may send on each stream before it is given more.
    pub stream_bytes: u32,
    /// The same in messages.
    pub stream_messages: u32,
    /// What the endpoint may send on the link.
    pub link_bytes: u32,
    /// What holds for both sides; 0: no heartbeat.
    pub heartbeat_ms: u32,
    /// Those of the endpoint's that the host has too.
    pub features: Items<'a, &'a str>,
    /// Prefix of the conf section.
    pub endpoint: &'a str,
    /// Rises with each instance of the endpoint.
    pub generation: u64,
    /// `switchboard`.
    pub name: &'a str,
    /// The host's version.
    pub host_version: &'a str,
    /// Lines of the conf that are meant for the endpoint.
    pub settings: Items<'a, Pair<'a>>,
}

impl<'a> HelloOk<'a> {
    /// Version 1, default limits, nothing counted in what the endpoint sends, no heartbeat.
    pub fn simple() -> Self {
        Self {
            version: VERSION,
            lanes: 1,
            frame_bytes_max: FRAME_BYTES_MAX_DEFAULT,
            streams_max: u32::MAX,
            message_bytes_max: 1 << 20,
            stream_bytes: UNCOUNTED,
            stream_messages: UNCOUNTED,
            link_bytes: UNCOUNTED,
            ..Self::default()
        }
    }

    pub(super) fn parse(mut body: Body<'a>) -> Result<Self, FrameError> {
        let mut ok = Self {
            version: body.u16()?,
            lanes: body.u16()?,
            frame_bytes_max: body.u32()?,
            streams_max: body.u32()?,
            message_bytes_max: body.u32()?,
            stream_bytes: body.u32()?,
            stream_messages: body.u32()?,
            link_bytes: body.u32()?,
            heartbeat_ms: body.u32()?,
            ..Self::default()
        };
        let windows = [ok.stream_bytes, ok.stream_messages, ok.link_bytes];
        if windows.contains(&0) || !is_frame_limit(ok.frame_bytes_max) {
            return Err(body.wrong_value());
        }
        let area = body.rest();
        let (mut endpoint, mut generation, mut name, mut version) = (None, None, None, None);
        fields(area, |tag, value| match tag {
            Tag::ENDPOINT => once(&mut endpoint, tag, text(value)),
            Tag::GENERATION => once(&mut generation, tag, number(value)),
            Tag::NAME => once(&mut name, tag, text(value)),
            Tag::VERSION => once(&mut version, tag, text(value)),
            Tag::FEATURE => many::<&str>(tag, value),
            Tag::SETTING => many::<Pair<'_>>(tag, value),
            _ => Ok(false),
        })?;
        ok.endpoint = endpoint.unwrap_or_default();
        ok.generation = generation.unwrap_or_default();
        ok.name = name.unwrap_or_default();
        ok.host_version = version.unwrap_or_default();
        ok.features = Items::wire(Tag::FEATURE, area);
        ok.settings = Items::wire(Tag::SETTING, area);
        Ok(ok)
    }

    /// Appends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_frame(out, Header::new(FrameType::HelloOk, 0), |out| {
            out.extend_from_slice(&self.version.to_le_bytes());
            out.extend_from_slice(&self.lanes.to_le_bytes());
            put_u32(out, self.frame_bytes_max);
            put_u32(out, self.streams_max);
            put_u32(out, self.message_bytes_max);
            put_u32(out, self.stream_bytes);
            put_u32(out, self.stream_messages);
            put_u32(out, self.link_bytes);
            put_u32(out, self.heartbeat_ms);
            put_bytes(out, Tag::NAME, self.name.as_bytes());
            put_bytes(out, Tag::VERSION, self.host_version.as_bytes());
            self.features.put(out, Tag::FEATURE);
            put_bytes(out, Tag::ENDPOINT, self.endpoint.as_bytes());
            if self.generation != 0 {
                put_number(out, Tag::GENERATION, self.generation);
            }
            self.settings.put(out, Tag::SETTING);
        });
    }
}

/// Whether the endpoint takes new streams: READY.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready<'a> {
    /// It does.
    pub ready: bool,
    /// A word for a person.
    pub text: &'a str,
}

impl<'a> Ready<'a> {
    pub(super) fn parse(header: &Header, body: Body<'a>) -> Result<Self, FrameError> {
        let ready = match header.aux {
            0 => true,
            1 => false,
            aux => return Err(FrameError::Aux { kind: FrameType::Ready, aux }),
        };
        Ok(Self { ready, text: only_text(body.rest())? })
    }

    /// Appends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut header = Header::new(FrameType::Ready, 0);
        header.aux = u16::from(!self.ready);
        put_frame(out, header, |out| put_bytes(out, Tag::TEXT, self.text.as_bytes()));
    }
}

/// No new streams: DRAIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drain<'a> {
    /// Why.
    pub reason: DrainReason,
    /// Until when the streams there are should have ended; 0: no hurry.
    pub deadline_ms: u32,
    /// Why, for a person.
    pub text: &'a str,
}

impl<'a> Drain<'a> {
    pub(super) fn parse(header: &Header, mut body: Body<'a>) -> Result<Self, FrameError> {
        let deadline_ms = body.u32()?;
        Ok(Self { reason: DrainReason(header.aux), deadline_ms, text: only_text(body.rest())? })
    }

    /// Appends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut header = Header::new(FrameType::Drain, 0);
        header.aux = self.reason.0;
        put_frame(out, header, |out| {
            put_u32(out, self.deadline_ms);
            put_bytes(out, Tag::TEXT, self.text.as_bytes());
        });
    }
}

/// The sender's last frame: GOAWAY.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GoAway<'a> {
    /// Why.
    pub code: ErrorCode,
    /// The highest stream that its sender has seen; those above were not touched.
    pub last_stream: u32,
    /// Why, in a sentence.
    pub text: &'a str,
}

impl<'a> GoAway<'a> {
    pub(super) fn parse(header: &Header, mut body: Body<'a>) -> Result<Self, FrameError> {
        let last_stream = body.u32()?;
        Ok(Self { code: ErrorCode(header.aux), last_stream, text: only_text(body.rest())? })
    }

    /// Appends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut header = Header::new(FrameType::GoAway, 0);
        header.aux = self.code.0;
        put_frame(out, header, |out| {
            put_u32(out, self.last_stream);
            put_bytes(out, Tag::TEXT, self.text.as_bytes());
        });
    }
}

/// A line for the host's log: LOG.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Log<'a> {
    /// How grave it is.
    pub level: LogLevel,
    /// Which part of the program says it.
    pub part: &'a str,
    /// What it says.
    pub text: &'a str,
    /// And with which details.
    pub fields: Items<'a, Pair<'a>>,
}

impl<'a> Log<'a> {
    pub(super) fn parse(header: &Header, body: Body<'a>) -> Result<Self, FrameError> {
        let area = body.rest();
        let (mut part, mut line) = (None, None);
        fields(area, |tag, value| match tag {
            Tag::PART => once(&mut part, tag, text(value)),
            Tag::TEXT => once(&mut line, tag, text(value)),
            Tag::FIELD => many::<Pair<'_>>(tag, value),
            _ => Ok(false),
        })?;
        Ok(Self {
            level: LogLevel(header.aux),
            part: part.unwrap_or_default(),
            text: line.unwrap_or_default(),
            fields: Items::wire(Tag::FIELD, area),
        })
    }

    /// Appends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut header = Header::new(FrameType::Log, 0);
        header.aux = self.level.0;
        put_frame(out, header, |out| {
            put_bytes(out, Tag::PART, self.part.as_bytes());
            put_bytes(out, Tag::TEXT, self.text.as_bytes());
            self.fields.put(out, Tag::FIELD);
        });
    }
}

fn is_frame_limit(bytes: u32) -> bool {
    (FRAME_BYTES_MAX_FLOOR..=FRAME_BYTES_MAX_CEILING).contains(&bytes)
}

/// The TEXT of a frame that has no other value.
pub(super) fn only_text(area: &[u8]) -> Result<&str, FrameError> {
    let mut found = None;
    fields(area, |tag, value| match tag {
        Tag::TEXT => once(&mut found, tag, text(value)),
        _ => Ok(false),
    })?;
    Ok(found.unwrap_or_default())
}
