//! Tagged values, the bodies of cold frames: `u16 tag, u16 tflags, u32 len, bytes`.

mod items;

pub use items::{Item, Items, Member, Message, Pair, Retained};

use crate::FrameError;

/// Bit of `tflags`: a reader that does not know the tag must not go on.
pub const CRITICAL: u16 = 1;
/// Bytes before each value.
pub const TLV_HEADER_BYTES: usize = 8;

macro_rules! tags {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)*) => {
        /// What a value is. One list for all frames.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub struct Tag(pub u16);

        impl Tag {
            $($(#[$doc])* pub const $name: Self = Self($number);)*

            /// Its name in the specification, or "unknown".
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                    _ => "unknown",
                }
            }
        }
    };
}

tags! {
    /// Text: who it is.
    NAME = 1,
    /// Text: its version.
    VERSION = 2,
    /// Text: what was built from what.
    BUILD = 3,
    /// Text, many: `name/N`.
    FEATURE = 4,
    /// Bytes: proves that it may connect.
    TOKEN = 5,
    /// Text: prefix of the conf section.
    ENDPOINT = 6,
    /// u64: the endpoint's generation.
    GENERATION = 7,
    /// Pair, many: a line of the conf.
    SETTING = 8,
    /// Text for a person.
    TEXT = 9,
    /// Text: which part of the program logs.
    PART = 10,
    /// Pair, many: a field of a log line.
    FIELD = 11,
    /// u64: names the client's connection for its whole life.
    CONN_UID = 16,
    /// Text: `GET`.
    METHOD = 17,
    /// Text: `ws` or `wss`.
    SCHEME = 18,
    /// Text: the Host header.
    AUTHORITY = 19,
    /// Text: path and query as sent.
    TARGET = 20,
    /// Text: prefix of the conf section.
    ROUTE = 21,
    /// Text: decoded path below the prefix.
    PATH = 22,
    /// Text: what follows `?`, as sent.
    QUERY = 23,
    /// Text: address of the client.
    PEER = 24,
    /// Text: address that it came to.
    LOCAL = 25,
    /// Text: the choice.
    SUBPROTOCOL = 26,
    /// Text, many: what the client offers.
    OFFERED = 27,
    /// Pair, many.
    HEADER = 28,
    /// Bytes: body of a refusal.
    BODY = 29,
    /// Text: name of the state's format.
    STATE_FORMAT = 32,
    /// Bytes.
    STATE = 33,
    /// u64: messages up to this one were acknowledged.
    ACKED = 34,
    /// u64: messages that were sent to the client after the state was given.
    SENT = 35,
    /// Bytes: unique among the members of a topic.
    KEY = 40,
    /// Bytes: the endpoint's words about a member.
    METADATA = 41,
    /// Message: published when the member joins.
    JOINED = 42,
    /// Message: published when it has gone.
    LEFT = 43,
    /// Member, many.
    MEMBER = 44,
    /// Retained message or a fragment of one, many.
    RETAINED = 45,
    /// Text: the extensions that were agreed with the client.
    EXTENSIONS = 48,
    /// Bytes that were read from the client's socket and not used.
    UNREAD = 49,
}

/// One tagged value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tlv<'a> {
    pub(crate) tag: Tag,
    pub(crate) critical: bool,
    pub(crate) value: &'a [u8],
}

/// The tagged values in the rest of a body.
pub(crate) struct Tlvs<'a> {
    rest: &'a [u8],
}

impl<'a> Tlvs<'a> {
    pub(crate) fn new(area: &'a [u8]) -> Self {
        Self { rest: area }
    }

    fn one(&mut self) -> Result<Tlv<'a>, FrameError> {
        let (head, rest) =
            self.rest.split_first_chunk::<TLV_HEADER_BYTES>().ok_or(FrameError::TlvCutShort)?;
        let tflags = u16::from_le_bytes([head[2], head[3]]);
        let len = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        if tflags & !CRITICAL != 0 {
            return Err(FrameError::TlvFlags(tflags));
        }
        let (value, rest) = rest.split_at_checked(len as usize).ok_or(FrameError::TlvCutShort)?;
        self.rest = rest;
        let tag = Tag(u16::from_le_bytes([head[0], head[1]]));
        Ok(Tlv { tag, critical: tflags & CRITICAL != 0, value })
    }
}

impl<'a> Iterator for Tlvs<'a> {
    type Item = Result<Tlv<'a>, FrameError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let tlv = self.one();
        if tlv.is_err() {
            self.rest = &[];
        }
        Some(tlv)
    }
}

/// Walks over the values of a frame. `take` says whether it knows the tag in this frame.
pub(crate) fn fields<'a>(
    area: &'a [u8],
    mut take: impl FnMut(Tag, &'a [u8]) -> Result<bool, FrameError>,
) -> Result<(), FrameError> {
    for tlv in Tlvs::new(area) {
        let Tlv { tag, critical, value } = tlv?;
        if !take(tag, value)? && critical {
            return Err(FrameError::TlvCritical(tag.0));
        }
    }
    Ok(())
}

/// Notes a value that may stand once.
pub(crate) fn once<T>(
    slot: &mut Option<T>,
    tag: Tag,
    value: Option<T>,
) -> Result<bool, FrameError> {
    let value = value.ok_or(FrameError::TlvValue(tag))?;
    match slot.replace(value) {
        None => Ok(true),
        Some(_) => Err(FrameError::TlvTwice(tag)),
    }
}

/// Checks a value that may stand many times, and is read again when it is used.
pub(crate) fn many<'a, T: Item<'a>>(tag: Tag, value: &'a [u8]) -> Result<bool, FrameError> {
    T::read(value).map(|_| true).ok_or(FrameError::TlvValue(tag))
}

/// Reads text.
pub(crate) fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok()
}

/// Reads a number of eight bytes.
pub(crate) fn number(value: &[u8]) -> Option<u64> {
    value.try_into().ok().map(u64::from_le_bytes)
}

/// Appends a tag and what `write` appends.
pub(crate) fn put_tlv(out: &mut Vec<u8>, tag: Tag, write: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(&tag.0.to_le_bytes());
    out.extend_from_slice(&[0; 6]);
    let start = out.len();
    write(out);
    let len = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    out[start - 4..start].copy_from_slice(&len.to_le_bytes());
}

/// Appends bytes, unless there are none.
pub(crate) fn put_bytes(out: &mut Vec<u8>, tag: Tag, bytes: &[u8]) {
    if !bytes.is_empty() {
        put_tlv(out, tag, |out| out.extend_from_slice(bytes));
    }
}

/// Appends a number.
pub(crate) fn put_number(out: &mut Vec<u8>, tag: Tag, number: u64) {
    put_tlv(out, tag, |out| out.extend_from_slice(&number.to_le_bytes()));
}
