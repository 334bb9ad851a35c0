//! Messages of stream 0, PUBLISH and MCAST: put together, and the second kind delivered.

use std::sync::Arc;

use bytes::Bytes;
use switchboard_protocol::{FrameError, FrameType, Multicast, Side, Take};
use switchboard_websocket::{Kind, is_utf8};

use super::About;
use super::answers::Refused;
use super::incoming::Fault;
use super::link::{Inner, Link};
use crate::shard::{Charge, Owner, Payload};

/// A message that goes on in the next frame. At most one of a link.
pub(super) struct Unfinished {
    pub(super) to: To,
    pub(super) text: bool,
    pub(super) payload: Vec<u8>,
    /// What it holds of the endpoint's budget. As there is one of a link, it is counted and never
    /// refused.
    charge: Charge,
}

/// For whom a message of stream 0 is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum To {
    Topic { topic: u32, except: u32, retain: bool },
    Streams(Vec<u32>),
}

impl To {
    /// True if a further fragment that names `next` goes on with this one.
    fn goes_on_with(&self, next: &Self) -> bool {
        match (self, next) {
            (Self::Streams(_), Self::Streams(more)) => more.is_empty(),
            (begun, next) => begun == next,
        }
    }
}

impl Inner {
    /// Takes a fragment; the message, if it is whole with it.
    pub(super) fn gather(
        &mut self,
        to: To,
        text: bool,
        more: bool,
        payload: &[u8],
        message_bytes_max: usize,
        owner: &Arc<Owner>,
    ) -> Result<Option<Unfinished>, Fault> {
        let mut whole = match self.unfinished.take() {
            Some(begun) if begun.text == text && begun.to.goes_on_with(&to) => begun,
            Some(_) => return Err(FrameError::FragmentMismatch.into()),
            None => Unfinished { to, text, payload: Vec::new(), charge: Charge::new(owner) },
        };
        if whole.payload.len() + payload.len() > message_bytes_max {
            return Err(FrameError::MessageTooBig { limit: message_bytes_max }.into());
        }
        whole.payload.extend_from_slice(payload);
        if more {
            whole.charge.set(whole.payload.len());
            self.unfinished = Some(whole);
            return Ok(None);
        }
        if text && !is_utf8(&whole.payload) {
            return Err(FrameError::MessageNotUtf8.into());
        }
        Ok(Some(whole))
    }
}

impl Link {
    /// One message for many streams: MCAST.
    pub(super) fn multicast(
        &self,
        multicast: &Multicast<'_>,
        inner: &mut Inner,
    ) -> Result<(), Fault> {
        let Multicast { text, more, payload, .. } = *multicast;
        let to = To::Streams(multicast.streams.iter().collect());
        let About { message_bytes_max, owner, .. } = &*self.about;
        let whole = inner.gather(to, text, more, payload, *message_bytes_max, owner)?;
        let Some(Unfinished { to: To::Streams(streams), payload, .. }) = whole else {
            return Ok(());
        };
        let kind = if text { Kind::Text } else { Kind::Binary };
        let payload = Bytes::from(payload);
        for stream in streams {
            match self.deliver_one(stream, kind, &payload, inner) {
                Ok(()) => {}
                Err(Some(Refused(code, text))) => self.reset_from_here(inner, stream, code, &text),
                Err(None) => {
                    inner.ids.check_dead(stream)?;
                    inner.late.count(inner.last_heard)?;
                }
            }
        }
        Ok(())
    }

    /// As a DATA on this stream would; `None` if there is no such stream.
    fn deliver_one(
        &self,
        stream: u32,
        kind: Kind,
        payload: &Bytes,
        inner: &mut Inner,
    ) -> Result<(), Option<Refused>> {
        let Inner { streams, out, .. } = inner;
        let Some(row) = streams.get_mut(&stream) else { return Err(None) };
        let refused = |error: FrameError| Some(error.into());
        let (_, take) = row.state.step(Side::Endpoint, FrameType::Multicast).map_err(refused)?;
        if take == Take::Ignore {
            return Ok(());
        }
        row.incoming.count_other().map_err(refused)?;
        row.grant.received(payload.len(), true).map_err(refused)?;
        self.pass_on(stream, row, kind, Payload::Shared(payload.clone()), out);
        Ok(())
    }
}
