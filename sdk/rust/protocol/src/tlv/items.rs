//! Values with a shape of their own, and lists of them that are read where they lie.

use std::fmt;
use std::marker::PhantomData;

use super::{Tag, Tlv, Tlvs, put_tlv};

/// A name and a value: a header, a setting, a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair<'a> {
    /// UTF-8; of a header in lower case.
    pub name: &'a str,
    /// Any bytes.
    pub value: &'a [u8],
}

/// Text or binary, and the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// Text if true. Whether it is UTF-8 is not checked here.
    pub text: bool,
    /// The payload.
    pub payload: &'a [u8],
}

/// One member of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member<'a> {
    /// Of the connection.
    pub conn_uid: u64,
    /// May be empty.
    pub key: &'a [u8],
    /// May be empty.
    pub metadata: &'a [u8],
}

/// One retained message of a topic, or a fragment of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retained<'a> {
    /// Its number in the topic.
    pub seq: u64,
    /// It goes on in the next one, which has the same number.
    pub more: bool,
    /// The message or the fragment.
    pub message: Message<'a>,
}

/// What may stand many times in a frame.
pub trait Item<'a>: Copy + PartialEq + fmt::Debug {
    /// Reads one value; `None` if it is malformed.
    fn read(value: &'a [u8]) -> Option<Self>;
    /// Appends it.
    fn write(&self, out: &mut Vec<u8>);
}

impl<'a> Item<'a> for &'a str {
    fn read(value: &'a [u8]) -> Option<Self> {
        std::str::from_utf8(value).ok()
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
}

impl<'a> Item<'a> for Pair<'a> {
    fn read(value: &'a [u8]) -> Option<Self> {
        let (name, value) = split_short(value)?;
        Some(Self { name: std::str::from_utf8(name).ok()?, value })
    }

    fn write(&self, out: &mut Vec<u8>) {
        put_short(out, self.name.as_bytes());
        out.extend_from_slice(self.value);
    }
}

impl<'a> Item<'a> for Message<'a> {
    fn read(value: &'a [u8]) -> Option<Self> {
        let (&kind, payload) = value.split_first()?;
        Some(Self { text: read_kind(kind)?, payload })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.push(kind(self.text));
        out.extend_from_slice(self.payload);
    }
}

impl<'a> Item<'a> for Member<'a> {
    fn read(value: &'a [u8]) -> Option<Self> {
        let (uid, rest) = value.split_first_chunk()?;
        let (key, metadata) = split_short(rest)?;
        Some(Self { conn_uid: u64::from_le_bytes(*uid), key, metadata })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.conn_uid.to_le_bytes());
        put_short(out, self.key);
        out.extend_from_slice(self.metadata);
    }
}

impl<'a> Item<'a> for Retained<'a> {
    fn read(value: &'a [u8]) -> Option<Self> {
        let (seq, rest) = value.split_first_chunk()?;
        let (&[kind, more @ (0 | 1)], payload) = rest.split_first_chunk()? else { return None };
        let message = Message { text: read_kind(kind)?, payload };
        Some(Self { seq: u64::from_le_bytes(*seq), more: more == 1, message })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.seq.to_le_bytes());
        out.extend_from_slice(&[kind(self.message.text), u8::from(self.more)]);
        out.extend_from_slice(self.message.payload);
    }
}

fn kind(text: bool) -> u8 {
    if text { 1 } else { 2 }
}

fn read_kind(kind: u8) -> Option<bool> {
    match kind {
        1 => Some(true),
        2 => Some(false),
        _ => None,
    }
}

/// `u16 len, bytes`, and what follows.
fn split_short(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = value.split_first_chunk()?;
    rest.split_at_checked(u16::from_le_bytes(*len).into())
}

/// What is longer than its length field can say is cut off.
fn put_short(out: &mut Vec<u8>, bytes: &[u8]) {
    let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&bytes[..len.into()]);
}

/// Values of one tag: those of a frame that was read, or a slice that is to be written.
#[derive(Clone, Copy)]
pub struct Items<'a, T> {
    source: Source<'a, T>,
}

#[derive(Clone, Copy)]
enum Source<'a, T> {
    /// Invariant: every value of the tag in `area` was read once without a fault.
    Wire {
        tag: Tag,
        area: &'a [u8],
        item: PhantomData<T>,
    },
    Slice(&'a [T]),
}

impl<'a, T: Item<'a>> Items<'a, T> {
    pub(crate) fn wire(tag: Tag, area: &'a [u8]) -> Self {
        Self { source: Source::Wire { tag, area, item: PhantomData } }
    }

    /// The values in their order.
    pub fn iter(&self) -> impl Iterator<Item = T> + use<'a, T> {
        let (area, wanted, slice) = match self.source {
            Source::Wire { tag, area, .. } => (area, tag, &[][..]),
            Source::Slice(slice) => (&[][..], Tag(0), slice),
        };
        let of_tag = move |tlv: Tlv<'a>| (tlv.tag == wanted).then(|| T::read(tlv.value)).flatten();
        Tlvs::new(area).map_while(Result::ok).filter_map(of_tag).chain(slice.iter().copied())
    }

    pub(crate) fn put(&self, out: &mut Vec<u8>, tag: Tag) {
        for item in self.iter() {
            put_tlv(out, tag, |out| item.write(out));
        }
    }
}

impl<T> Default for Items<'_, T> {
    fn default() -> Self {
        Self { source: Source::Slice(&[]) }
    }
}

impl<'a, T> From<&'a [T]> for Items<'a, T> {
    fn from(slice: &'a [T]) -> Self {
        Self { source: Source::Slice(slice) }
    }
}

impl<'a, T, const N: usize> From<&'a [T; N]> for Items<'a, T> {
    fn from(slice: &'a [T; N]) -> Self {
        Self { source: Source::Slice(slice) }
    }
}

impl<'a, T: Item<'a>> PartialEq for Items<'a, T> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<'a, T: Item<'a>> fmt::Debug for Items<'a, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
