//! Frames for many connections at once: MCAST and topics.

use super::body::{Body, put_frame, put_u32};
use crate::tlv::{Item, fields, many, once, put_bytes, put_tlv};
use crate::{
    FrameError, FrameType, Header, Items, Member, Message, Retained, SubscribeStatus, Tag, flags,
};

/// One message to many streams, or a fragment of one: MCAST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Multicast<'a> {
    /// Text or binary.
    pub text: bool,
    /// The message goes on in the next MCAST.
    pub more: bool,
    /// For whom; in further fragments there is nobody.
    pub streams: Streams<'a>,
    /// The bytes.
    pub payload: &'a [u8],
}

/// Numbers of streams, four bytes each as on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Streams<'a>(&'a [[u8; 4]]);

impl<'a> Streams<'a> {
    /// Of numbers that are laid out for the wire: `number.to_le_bytes()`.
    pub const fn new(raw: &'a [[u8; 4]]) -> Self {
        Self(raw)
    }

    /// The numbers.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = u32> + use<'a> {
        self.0.iter().map(|raw| u32::from_le_bytes(*raw))
    }
}

impl<'a> Multicast<'a> {
    pub(super) fn parse(header: &Header, mut body: Body<'a>) -> Result<Self, FrameError> {
        let count = body.u32()? as usize;
        let (ids, []) = body.slice(count.saturating_mul(4))?.as_chunks() else {
            return Err(body.wrong_value());
        };
        let multicast = Self {
            text: header.flags & flags::TEXT != 0,
            more: header.flags & flags::MORE != 0,
            streams: Streams(ids),
            payload: body.rest(),
        };
        if multicast.more && multicast.payload.is_empty() {
            return Err(FrameError::FragmentEmpty);
        }
        Ok(multicast)
    }

    /// Appends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut header = Header::new(FrameType::Multicast, 0);
        header.flags = if self.text { flags::TEXT } else { 0 };
        header.flags |= if self.more { flags::MORE } else { 0 };
        put_frame(out, header, |out| {
            put_u32(out, u32::try_from(self.streams.0.len()).unwrap_or(u32::MAX));
            out.extend_from_slice(self.streams.0.as_flattened());
            out.extend_from_slice(self.payload);
        });
    }
}

/// A number for a topic's name on this link: TOPIC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Topic<'a> {
    /// Chosen by the endpoint, once on a link.
    pub topic: u32,
    /// 1 to 255 bytes; empty: the number is not used any more.
    pub name: &'a str,
}

impl<'a> Topic<'a> {
    pub(super) fn parse(mut body: Body<'a>) -> Result<Self, FrameError> {
        let topic = Self { topic: body.u32()?, name: body.text()? };
        if topic.name.len() > crate::TOPIC_BYTES_MAX {
            return Err(FrameError::BodyLength(FrameType::Topic));
        }
        Ok(topic)
    }

    /// Appends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_frame(out, Header::new(FrameType::Topic, 0), |out| {
            put_u32(out, self.topic);
            out.extend_from_slice(self.name.as_bytes());
        });
    }
}

/// Makes a connection a member: SUBSCRIBE. The fields are those of `sb_subscribe` in topics.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Subscribe<'a> {
    /// Which connection.
    pub stream: u32,
    /// Of what.
    pub topic: u32,
    /// Retained messages that the topic should keep.
    pub history_messages: u32,
    /// SUBSCRIBED is wanted with members and history, and deliveries wait for DELIVER.
    pub snapshot: bool,
    /// Unique among the members if not empty.
    pub key: &'a [u8],
    /// The endpoint's words about the member, at most 4 KiB.
    pub metadata: &'a [u8],
    /// Published to the others when it joins.
    pub joined: Option<Message<'a>>,
    /// Published when it has gone.
    pub left: Option<Message<'a>>,
}

impl<'a> Subscribe<'a> {
    pub(super) fn parse(header: &Header, mut body: Body<'a>) -> Result<Self, FrameError> {
        let (topic, history_messages) = (body.u32()?, body.u32()?);
        let (mut key, mut metadata, mut joined, mut left) = (None, None, None, None);
        fields(body.rest(), |tag, value| match tag {
            Tag::KEY => once(&mut key, tag, Some(value)),
            Tag::METADATA => once(&mut metadata, tag, Some(value)),
            Tag::JOINED => once(&mut joined, tag, Message::read(value)),
            Tag::LEFT => once(&mut left, tag, Message::read(value)),
            _ => Ok(false),
        })?;
        Ok(Self {
            stream: header.stream,
            topic,
            history_messages,
            snapshot: header.flags & flags::SNAPSHOT != 0,
            key: key.unwrap_or_default(),
            metadata: metadata.unwrap_or_default(),
            joined,
            left,
        })
    }

    /// Appends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut header = Header::new(FrameType::Subscribe, self.stream);
        header.flags = if self.snapshot { flags::SNAPSHOT } else { 0 };
        put_frame(out, header, |out| {
            put_u32(out, self.topic);
            put_u32(out, self.history_messages);
            put_bytes(out, Tag::KEY, self.key);
            put_bytes(out, Tag::METADATA, self.metadata);
            if let Some(message) = &self.joined {
                put_tlv(out, Tag::JOINED, |out| message.write(out));
            }
            if let Some(message) = &self.left {
                put_tlv(out, Tag::LEFT, |out| message.write(out));
            }
        });
    }
}

/// A message for all members of a topic, or a fragment of one: PUBLISH.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Publish<'a> {
    /// Where.
    pub topic: u32,
    /// A member that does not get it, or 0.
    pub except: u32,
    /// Text or binary.
    pub text: bool,
    /// The message goes on in the next PUBLISH.
    pub more: bool,
    /// Keep it in the topic's history.
    pub retain: bool,
    /// The bytes.
    pub payload: &'a [u8],
}

impl<'a> Publish<'a> {
    pub(super) fn parse(header: &Header, mut body: Body<'a>) -> Result<Self, FrameError> {
        let publish = Self {
            topic: body.u32()?,
            except: body.u32()?,
            text: header.flags & flags::TEXT != 0,
            more: header.flags & flags::MORE != 0,
            retain: header.flags & flags::RETAIN != 0,
            payload: body.rest(),
        };
        if publish.more && publish.payload.is_empty() {
            return Err(FrameError::FragmentEmpty);
        }
        Ok(publish)
    }

    /// Appends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut header = Header::new(FrameType::Publish, 0);
        header.flags = if self.text { flags::TEXT } else { 0 };
        header.flags |= if self.more { flags::MORE } else { 0 };
        header.flags |= if self.retain { flags::RETAIN } else { 0 };
        put_frame(out, header, |out| {
            put_u32(out, self.topic);
            put_u32(out, self.except);
            out.extend_from_slice(self.payload);
        });
    }
}

/// What a subscription came to, or a part of it: SUBSCRIBED. The fields are those of
/// `sb_topic_snapshot` in topics.h.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Subscribed<'a> {
    /// Whose.
    pub stream: u32,
    /// Of what.
    pub topic: u32,
    /// Whether it is a member.
    pub status: SubscribeStatus,
    /// Members and history go on in the next SUBSCRIBED of this stream and topic.
    pub more: bool,
    /// Number of the last event before the first delivery.
    pub seq: u64,
    /// The key that was asked for.
    pub key: &'a [u8],
    /// With this one, in the order of their joining.
    pub members: Items<'a, Member<'a>>,
    /// Oldest first.
    pub history: Items<'a, Retained<'a>>,
}

impl<'a> Subscribed<'a> {
    pub(super) fn parse(header: &Header, mut body: Body<'a>) -> Result<Self, FrameError> {
        let (topic, seq) = (body.u32()?, body.u64()?);
        let area = body.rest();
        let mut key = None;
        fields(area, |tag, value| match tag {
            Tag::KEY => once(&mut key, tag, Some(value)),
            Tag::MEMBER => many::<Member<'_>>(tag, value),
            Tag::RETAINED => many::<Retained<'_>>(tag, value),
            _ => Ok(false),
        })?;
        Ok(Self {
            stream: header.stream,
            topic,
            status: SubscribeStatus(header.aux),
            more: header.flags & flags::MORE != 0,
            seq,
            key: key.unwrap_or_default(),
            members: Items::wire(Tag::MEMBER, area),
            history: Items::wire(Tag::RETAINED, area),
        })
    }

    /// Appends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut header = Header::new(FrameType::Subscribed, self.stream);
        header.flags = if self.more { flags::MORE } else { 0 };
        header.aux = self.status.0;
        put_frame(out, header, |out| {
            put_u32(out, self.topic);
            out.extend_from_slice(&self.seq.to_le_bytes());
            put_bytes(out, Tag::KEY, self.key);
            self.members.put(out, Tag::MEMBER);
            self.history.put(out, Tag::RETAINED);
        });
    }
}
