//! What an instance may call: the functions of `sb_host`.
//!
//! None blocks, none calls back, none lets a panic out. What a plugin passes is checked here, at the
//! border; behind it are only types that cannot be wrong.

use std::ffi::{CStr, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use switchboard_abi as abi;
use switchboard_abi::{
    sb_accept, sb_buf, sb_bytes, sb_config, sb_conn, sb_host, sb_message, sb_pair, sb_reject,
    sb_status,
};
use switchboard_websocket::{CloseCode, Kind, handshake, is_utf8};

use super::buffer::BufferRef;
use super::size;
use super::topics::TOPICS;
use crate::endpoint::is_fit_for_response;
use crate::shard::{Accept, Answer, Bound, ConnId, Mail, Owner, Payload, Reject, Sent, Shards};

/// What the host knows of an instance when that calls. Never freed.
pub(super) struct Context {
    pub(super) host: sb_host,
    pub(super) config: sb_config,
    /// The plugin's id, for the log.
    pub(super) id: String,
    /// The section's prefix, for the log.
    route: String,
    pub(super) owner: Arc<Owner>,
    pub(super) shards: Arc<Shards>,
    /// What `config` borrows.
    _settings: Vec<sb_pair>,
}

/// What an instance is told of its section.
pub(super) struct Told<'a> {
    /// The prefix.
    pub(super) route: &'a str,
    /// NAME of `<plugin NAME>`.
    pub(super) name: &'a str,
    /// `<config>`.
    pub(super) config: &'a [(String, String)],
}

/// A longer message is refused at once.
const MESSAGE_BYTES_MAX: usize = 1 << 30;

static NAME: &CStr = c"switchboard";
static VERSION: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => c"",
    };

impl Context {
    pub(super) fn leak(
        id: &str,
        owner: &Arc<Owner>,
        told: &Told<'_>,
        shards: &Arc<Shards>,
    ) -> &'static Self {
        let leaked = |text: &str| sb_bytes::new(Box::leak(text.as_bytes().into()));
        let pair =
            |(key, value): &(String, String)| sb_pair { name: leaked(key), value: leaked(value) };
        let settings: Vec<_> = told.config.iter().map(pair).collect();
        let config = sb_config {
            size: size::<sb_config>(),
            reserved: 0,
            route: leaked(told.route),
            name: leaked(told.name),
            settings: settings.as_ptr(),
            n_settings: settings.len(),
        };
        let context = Box::leak(Box::new(Self {
            host: table(),
            config,
            id: id.to_owned(),
            route: told.route.to_owned(),
            owner: Arc::clone(owner),
            shards: Arc::clone(shards),
            _settings: settings,
        }));
        context.host.ctx = (&raw mut *context).cast();
        context
    }
}

fn table() -> sb_host {
    sb_host {
        size: size::<sb_host>(),
        abi_major: abi::SB_ABI_MAJOR,
        abi_minor: abi::SB_ABI_MINOR,
        ctx: std::ptr::null_mut(),
        name: NAME.as_ptr(),
        version: VERSION.as_ptr(),
        accept: Some(accept),
        reject: Some(reject),
        send: Some(send),
        send_buf: Some(send_buf),
        close: Some(close),
        ack: Some(ack),
        retain: Some(retain),
        buf_new: Some(buf_new),
        buf_data: Some(buf_data),
        buf_ref: Some(buf_ref),
        buf_unref: Some(buf_unref),
        log: Some(log),
        extension: Some(extension),
    }
}

/// Runs a host function for the instance that `host` belongs to.
///
/// # Safety
/// The plugin ensures that `host` is NULL or the table that it was given.
pub(super) unsafe fn serve(
    host: *const sb_host,
    function: impl FnOnce(&'static Context) -> Result<sb_status, sb_status>,
) -> sb_status {
    if host.is_null() {
        return abi::SB_E_INVALID;
    }
    // SAFETY: the table and its context are never freed.
    let context: &'static Context = unsafe { &*(*host).ctx.cast::<Context>() };
    catch_unwind(AssertUnwindSafe(|| function(context).unwrap_or_else(|status| status)))
        .unwrap_or(abi::SB_E_FAILED)
}

unsafe extern "C" fn accept(
    host: *const sb_host,
    conn: sb_conn,
    how: *const sb_accept,
) -> sb_status {
    // SAFETY: the plugin vouches for `host`.
    unsafe {
        serve(host, |context| {
            let mut accept = Accept::default();
            // SAFETY: the plugin vouches for `how`, borrowed for the call.
            if let Some(how) = how.as_ref() {
                if (how.size as usize) < size_of::<sb_accept>() || how.flags != 0 {
                    return Err(abi::SB_E_UNSUPPORTED);
                }
                // SAFETY: as above.
                let subprotocol = utf8(how.subprotocol)?;
                if !subprotocol.is_empty() {
                    if !handshake::is_token(subprotocol) {
                        return Err(abi::SB_E_INVALID);
                    }
                    accept.subprotocol = Some(subprotocol.to_owned());
                }
                // SAFETY: as above.
                accept.headers = headers(how.headers, how.n_headers)?;
            }
            answer(context, conn, Answer::Accept(accept))
        })
    }
}

unsafe extern "C" fn reject(
    host: *const sb_host,
    conn: sb_conn,
    how: *const sb_reject,
) -> sb_status {
    // SAFETY: the plugin vouches for `host`.
    unsafe {
        serve(host, |context| {
            // SAFETY: the plugin vouches for `how`, borrowed for the call.
            let how = how.as_ref().ok_or(abi::SB_E_INVALID)?;
            if (how.size as usize) < size_of::<sb_reject>() || !(400..600).contains(&how.status) {
                return Err(abi::SB_E_INVALID);
            }
            // SAFETY: as above.
            let headers = headers(how.headers, how.n_headers)?;
            // SAFETY: as above.
            let body = utf8(how.body)?.as_bytes().to_vec();
            answer(context, conn, Answer::Reject(Reject { status: how.status, headers, body }))
        })
    }
}

fn answer(context: &Context, conn: sb_conn, answer: Answer) -> Result<sb_status, sb_status> {
    let conn = ConnId::from_raw(conn);
    context.shards.answer(conn, context.owner.number, answer).map_err(status)?;
    Ok(abi::SB_OK)
}

unsafe extern "C" fn send(
    host: *const sb_host,
    conn: sb_conn,
    kind: u32,
    data: sb_bytes,
) -> sb_status {
    // SAFETY: the plugin vouches for `host` and `data`.
    unsafe {
        serve(host, |context| {
            // SAFETY: as above.
            let data = data.as_slice();
            let kind = message_kind(kind, data)?;
            Ok(post(context, conn, kind, Payload::Borrowed(data)))
        })
    }
}

unsafe extern "C" fn send_buf(
    host: *const sb_host,
    conn: sb_conn,
    kind: u32,
    buf: *mut sb_buf,
) -> sb_status {
    // SAFETY: the plugin gives a reference up, also if this fails.
    let buffer = unsafe { BufferRef::from_raw(buf) };
    // SAFETY: the plugin vouches for `host`.
    unsafe {
        serve(host, |context| {
            let buffer = buffer.ok_or(abi::SB_E_INVALID)?;
            let kind = message_kind(kind, buffer.as_ref())?;
            Ok(post(context, conn, kind, Payload::Shared(buffer.into_bytes())))
        })
    }
}

fn post(context: &Context, conn: sb_conn, kind: Kind, payload: Payload<'_>) -> sb_status {
    let conn = ConnId::from_raw(conn);
    status(context.shards.send(conn, &context.owner, kind, payload, Bound::Marks))
}

unsafe extern "C" fn close(
    host: *const sb_host,
    conn: sb_conn,
    code: u16,
    reason: sb_bytes,
) -> sb_status {
    // SAFETY: the plugin vouches for `host` and `reason`.
    unsafe {
        serve(host, |context| {
            // SAFETY: as above.
            let reason = utf8(reason)?;
            let code = CloseCode::new(code).ok_or(abi::SB_E_INVALID)?;
            if reason.len() > 123 {
                return Err(abi::SB_E_INVALID);
            }
            let conn = ConnId::from_raw(conn);
            context
                .shards
                .close(conn, context.owner.number, code, reason.to_owned())
                .map_err(status)?;
            Ok(abi::SB_OK)
        })
    }
}

unsafe extern "C" fn ack(host: *const sb_host, conn: sb_conn, seq: u64) -> sb_status {
    // SAFETY: the plugin vouches for `host`.
    unsafe {
        serve(host, |context| {
            let conn = ConnId::from_raw(conn);
            context
                .shards
                .post(conn, context.owner.number, Mail::Ack(conn, seq))
                .map_err(status)?;
            Ok(abi::SB_OK)
        })
    }
}

unsafe extern "C" fn retain(_host: *const sb_host, message: *const sb_message) -> *mut sb_buf {
    // SAFETY: the plugin passes the message that it was called with, or NULL.
    let Some(message) = (unsafe { message.as_ref() }) else { return std::ptr::null_mut() };
    // SAFETY: valid during the callback, which is running.
    let copy = BufferRef::copy_of(unsafe { message.data.as_slice() });
    copy.map_or(std::ptr::null_mut(), BufferRef::into_raw)
}

unsafe extern "C" fn buf_new(_host: *const sb_host, len: usize) -> *mut sb_buf {
    let buffer = if len <= MESSAGE_BYTES_MAX { BufferRef::zeroed(len) } else { None };
    buffer.map_or(std::ptr::null_mut(), BufferRef::into_raw)
}

unsafe extern "C" fn buf_data(buf: *mut sb_buf, len: *mut usize) -> *mut u8 {
    // SAFETY: the plugin holds a reference; it is only borrowed here.
    let Some(buffer) = (unsafe { BufferRef::from_raw(buf) }) else {
        return std::ptr::null_mut();
    };
    let (data, count) = buffer.data();
    std::mem::forget(buffer);
    // SAFETY: the plugin vouches for `len`.
    if let Some(len) = unsafe { len.as_mut() } {
        *len = count;
    }
    data
}

unsafe extern "C" fn buf_ref(buf: *mut sb_buf) {
    // SAFETY: the plugin holds a reference; it keeps that one and gets another.
    if let Some(buffer) = unsafe { BufferRef::from_raw(buf) } {
        std::mem::forget(buffer.clone());
        std::mem::forget(buffer);
    }
}

unsafe extern "C" fn buf_unref(buf: *mut sb_buf) {
    // SAFETY: the plugin gives a reference up.
    drop(unsafe { BufferRef::from_raw(buf) });
}

unsafe extern "C" fn log(host: *const sb_host, level: u32, target: sb_bytes, text: sb_bytes) {
    // SAFETY: the plugin vouches for all three.
    let _ = unsafe {
        serve(host, |context| {
            // SAFETY: as above.
            let text = String::from_utf8_lossy(text.as_slice());
            // SAFETY: as above.
            let part = String::from_utf8_lossy(target.as_slice());
            let (route, id) = (&context.route, &context.id);
            let gap = if part.is_empty() { "" } else { " " };
            // A line of the log is one line, whatever the plugin writes.
            let text = text.trim_end().replace('\n', "\n    ");
            let line = format_args!("{route} {id}{gap}{part}: {text}");
            match level {
                abi::SB_LOG_ERROR => tracing::error!(target: "plugin", "{line}"),
                abi::SB_LOG_WARN => tracing::warn!(target: "plugin", "{line}"),
                abi::SB_LOG_INFO => tracing::info!(target: "plugin", "{line}"),
                abi::SB_LOG_DEBUG => tracing::debug!(target: "plugin", "{line}"),
                _ => tracing::trace!(target: "plugin", "{line}"),
            }
            Ok(abi::SB_OK)
        })
    };
}

unsafe extern "C" fn extension(_host: *const sb_host, id: *const c_char) -> *const c_void {
    if id.is_null() {
        return std::ptr::null();
    }
    // SAFETY: the plugin passes a C string.
    if unsafe { CStr::from_ptr(id) } == abi::SB_TOPICS_ID {
        (&raw const TOPICS).cast()
    } else {
        std::ptr::null()
    }
}

/// What a send came to, in the ABI's words.
pub(super) fn status(sent: Sent) -> sb_status {
    match sent {
        Sent::Taken => abi::SB_OK,
        Sent::Pressure => abi::SB_PRESSURE,
        Sent::Again => abi::SB_E_AGAIN,
        Sent::Closed => abi::SB_E_CLOSED,
        Sent::Denied => abi::SB_E_DENIED,
    }
}

/// The kind, if `data` is fit for it.
pub(super) fn message_kind(kind: u32, data: &[u8]) -> Result<Kind, sb_status> {
    if data.len() > MESSAGE_BYTES_MAX {
        return Err(abi::SB_E_TOO_BIG);
    }
    match kind {
        abi::SB_TEXT if is_utf8(data) => Ok(Kind::Text),
        abi::SB_BINARY => Ok(Kind::Binary),
        _ => Err(abi::SB_E_INVALID),
    }
}

/// # Safety
/// The plugin ensures that `bytes` is valid for the call.
pub(super) unsafe fn utf8<'a>(bytes: sb_bytes) -> Result<&'a str, sb_status> {
    // SAFETY: by the contract above.
    simdutf8::basic::from_utf8(unsafe { bytes.as_slice() }).map_err(|_| abi::SB_E_INVALID)
}

/// # Safety
/// The plugin ensures that `pairs` points to `count` pairs that are valid for the call.
unsafe fn headers(
    pairs: *const sb_pair,
    count: usize,
) -> Result<Vec<(String, Vec<u8>)>, sb_status> {
    if count == 0 {
        return Ok(Vec::new());
    }
    if pairs.is_null() || count > 256 {
        return Err(abi::SB_E_INVALID);
    }
    // SAFETY: by the contract above.
    let pairs = unsafe { std::slice::from_raw_parts(pairs, count) };
    let header = |pair: &sb_pair| {
        // SAFETY: by the contract above.
        let name = unsafe { utf8(pair.name) }?.to_ascii_lowercase();
        // SAFETY: by the contract above.
        let value = unsafe { pair.value.as_slice() };
        if !is_fit_for_response(&name, value) {
            return Err(abi::SB_E_INVALID);
        }
        Ok((name, value.to_vec()))
    };
    pairs.iter().map(header).collect()
}
