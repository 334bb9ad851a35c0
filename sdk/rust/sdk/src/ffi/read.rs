//! Structs of the host, turned into what an author sees.

use std::str::Utf8Error;

use switchboard_abi::*;

use crate::error::SendError;
use crate::message::{Body, Message};
use crate::request::{Closed, Request, Why};
use crate::topics::{Member, Retained, Snapshot};

/// The field at `offset` if the writer of `*table` knew of it: `SB_HAS` of the header.
///
/// # Safety
/// The caller ensures that `table` points to a struct that begins with its `uint32_t size`, of
/// which `size` bytes are readable, and that `offset` is that of the field that `_type` names.
pub(super) unsafe fn field<T, F: Copy>(
    table: *const T,
    offset: usize,
    _type: fn(&T) -> F,
) -> Option<F> {
    // SAFETY: each struct of the contract begins with its size.
    let size = unsafe { table.cast::<u32>().read() } as usize;
    if offset + size_of::<F>() > size {
        return None;
    }
    // SAFETY: the field lies within the `size` bytes; the struct is aligned, so the field is.
    Some(unsafe { table.cast::<u8>().add(offset).cast::<F>().read() })
}

/// `known!(pointer, sb_open, path)` is `Some(path)` if the writer knew of it.
macro_rules! known {
    ($table:expr, $type:ident, $field:ident) => {
        $crate::ffi::read::field($table, std::mem::offset_of!($type, $field), |table: &$type| {
            table.$field
        })
    };
}
pub(super) use known;

/// `len` values at `ptr`, which may be NULL if there are none.
///
/// # Safety
/// The caller ensures that `ptr` is NULL or points to `len` values that nobody changes during `'a`.
unsafe fn slice<'a, T>(ptr: *const T, len: usize) -> &'a [T] {
    if ptr.is_null() || len == 0 {
        return &[];
    }
    // SAFETY: by the contract above.
    unsafe { std::slice::from_raw_parts(ptr, len) }
}

/// # Safety
/// As for [`sb_bytes::as_slice`].
unsafe fn text<'a>(bytes: sb_bytes) -> Result<&'a str, Utf8Error> {
    // SAFETY: by the contract above.
    std::str::from_utf8(unsafe { bytes.as_slice() })
}

/// Names and values. Those of a field that the writer did not know are none.
///
/// # Safety
/// The caller ensures that the pairs and what they point to are readable and unchanged during `'a`.
unsafe fn pairs<'a>(
    pairs: Option<*const sb_pair>,
    len: Option<usize>,
) -> Result<Vec<(&'a str, &'a [u8])>, Utf8Error> {
    let (Some(pairs), Some(len)) = (pairs, len) else { return Ok(Vec::new()) };
    // SAFETY: by the contract above.
    let pairs = unsafe { slice(pairs, len) };
    // SAFETY: by the contract above.
    pairs.iter().map(|pair| unsafe { Ok((text(pair.name)?, pair.value.as_slice())) }).collect()
}

/// # Safety
/// The caller ensures that `open` and what it points to are readable and unchanged during `'a`.
pub(super) unsafe fn request<'a>(open: *const sb_open) -> Result<Request<'a>, Utf8Error> {
    macro_rules! text {
        ($field:ident) => {
            text(known!(open, sb_open, $field).unwrap_or(sb_bytes::EMPTY))?
        };
    }
    // SAFETY: by the contract above; every field is read only if the writer knew of it.
    unsafe {
        let offered = known!(open, sb_open, subprotocols);
        let offered_len = known!(open, sb_open, n_subprotocols).unwrap_or(0);
        let offered = slice(offered.unwrap_or(std::ptr::null()), offered_len);
        Ok(Request {
            conn_uid: known!(open, sb_open, conn_uid).unwrap_or(0),
            method: text!(method),
            scheme: text!(scheme),
            authority: text!(authority),
            target: text!(target),
            route: text!(route),
            path: text!(path),
            query: text!(query),
            peer: text!(peer),
            local: text!(local),
            subprotocol: text!(subprotocol),
            subprotocols: offered.iter().map(|name| text(*name)).collect::<Result<_, _>>()?,
            headers: pairs(known!(open, sb_open, headers), known!(open, sb_open, n_headers))?,
            tls: known!(open, sb_open, flags).unwrap_or(0) & SB_OPEN_TLS != 0,
        })
    }
}

/// The connection's name in logs; 0 if the host tells none.
///
/// # Safety
/// As for [`request`].
pub(super) unsafe fn conn_uid(open: *const sb_open) -> u64 {
    // SAFETY: by the contract above.
    unsafe { known!(open, sb_open, conn_uid) }.unwrap_or(0)
}

/// `None`: a kind that this SDK does not know, or a host that breaks its promise.
///
/// # Safety
/// The caller ensures that `message` and what it points to are readable and unchanged during `'a`,
/// and that the data of a text is valid UTF-8, as the header promises.
pub(super) unsafe fn message<'a>(message: *const sb_message) -> Option<Message<'a>> {
    // SAFETY: by the contract above.
    let (kind, seq, data, flags) = unsafe {
        (
            known!(message, sb_message, kind)?,
            known!(message, sb_message, seq)?,
            known!(message, sb_message, data)?.as_slice(),
            known!(message, sb_message, flags).unwrap_or(0),
        )
    };
    let body = match kind {
        SB_TEXT => {
            if cfg!(debug_assertions) && std::str::from_utf8(data).is_err() {
                return None; // no panic may leave a callback
            }
            // SAFETY: plugin.h: "Text is always valid UTF-8: the host has checked what a client
            // sent".
            Body::Text(unsafe { std::str::from_utf8_unchecked(data) })
        }
        SB_BINARY => Body::Binary(data),
        _ => return None,
    };
    Some(Message { body, seq, replay: flags & SB_MESSAGE_REPLAY != 0 })
}

/// # Safety
/// The caller ensures that `end` and what it points to are readable and unchanged during `'a`.
pub(super) unsafe fn closed<'a>(end: *const sb_closed) -> Closed<'a> {
    // SAFETY: by the contract above.
    unsafe {
        let reason = known!(end, sb_closed, reason).unwrap_or(sb_bytes::EMPTY);
        Closed {
            why: Why::from_number(known!(end, sb_closed, why).unwrap_or(0)),
            code: known!(end, sb_closed, code).unwrap_or(1006),
            reason: text(reason).unwrap_or(""),
        }
    }
}

/// Route, name and settings.
///
/// # Safety
/// The caller ensures that `config` and what it points to are readable during the call.
#[allow(clippy::type_complexity)]
pub(super) unsafe fn config(
    config: *const sb_config,
) -> Result<(String, String, Vec<(String, String)>), Utf8Error> {
    // SAFETY: by the contract above.
    unsafe {
        let route = text(known!(config, sb_config, route).unwrap_or(sb_bytes::EMPTY))?;
        let name = text(known!(config, sb_config, name).unwrap_or(sb_bytes::EMPTY))?;
        let settings =
            pairs(known!(config, sb_config, settings), known!(config, sb_config, n_settings))?;
        let settings = settings
            .into_iter()
            .map(|(key, value)| Ok((key.to_owned(), std::str::from_utf8(value)?.to_owned())))
            .collect::<Result<_, _>>()?;
        Ok((route.to_owned(), name.to_owned(), settings))
    }
}

/// # Safety
/// The caller ensures that `topic` and what it points to are readable and unchanged during `'a`.
pub(super) unsafe fn snapshot<'a>(topic: *const sb_topic_snapshot) -> Snapshot<'a> {
    macro_rules! list {
        ($list:ident, $len:ident) => {
            slice(
                known!(topic, sb_topic_snapshot, $list).unwrap_or(std::ptr::null()),
                known!(topic, sb_topic_snapshot, $len).unwrap_or(0),
            )
        };
    }
    // SAFETY: by the contract above.
    unsafe {
        let status = known!(topic, sb_topic_snapshot, status).unwrap_or(SB_E_FAILED);
        let key = known!(topic, sb_topic_snapshot, key).unwrap_or(sb_bytes::EMPTY);
        let name = known!(topic, sb_topic_snapshot, topic).unwrap_or(sb_bytes::EMPTY);
        Snapshot {
            result: SendError::check(status).map(drop),
            topic: text(name).unwrap_or(""),
            key: key.as_slice(),
            seq: known!(topic, sb_topic_snapshot, seq).unwrap_or(0),
            members: list!(members, n_members).iter().map(|known| member(known)).collect(),
            history: list!(history, n_history).iter().map(|known| retained(known)).collect(),
        }
    }
}

/// # Safety
/// As for [`snapshot`].
unsafe fn member<'a>(member: &sb_topic_member) -> Member<'a> {
    // SAFETY: by the contract above.
    let (key, metadata) = unsafe { (member.key.as_slice(), member.metadata.as_slice()) };
    Member { conn_uid: member.conn_uid, key, metadata }
}

/// # Safety
/// As for [`snapshot`].
unsafe fn retained<'a>(retained: &sb_topic_retained) -> Retained<'a> {
    // SAFETY: by the contract above.
    let data = unsafe { retained.message.data.as_slice() };
    let message = match std::str::from_utf8(data) {
        Ok(text) if retained.message.kind == SB_TEXT => Body::Text(text),
        _ => Body::Binary(data),
    };
    Retained { seq: retained.seq, message }
}
