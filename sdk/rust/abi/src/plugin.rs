//! `plugin.h`.

use crate::{CString, Opaque};

pub const SB_ABI_MAJOR: u16 = 1;
pub const SB_ABI_MINOR: u16 = 0;

pub type sb_status = i32;
pub const SB_OK: sb_status = 0;
pub const SB_PRESSURE: sb_status = 1;
pub const SB_DEFERRED: sb_status = 2;
pub const SB_E_AGAIN: sb_status = -1;
pub const SB_E_CLOSED: sb_status = -2;
pub const SB_E_TOO_BIG: sb_status = -3;
pub const SB_E_INVALID: sb_status = -4;
pub const SB_E_DENIED: sb_status = -5;
pub const SB_E_NOMEM: sb_status = -6;
pub const SB_E_UNSUPPORTED: sb_status = -7;
pub const SB_E_BUSY: sb_status = -8;
pub const SB_E_PANIC: sb_status = -9;
pub const SB_E_TIMEOUT: sb_status = -10;
pub const SB_E_FAILED: sb_status = -11;

pub type sb_conn = u64;

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sb_bytes {
    pub ptr: *const u8,
    pub len: usize,
}

impl sb_bytes {
    /// No bytes.
    pub const EMPTY: Self = Self { ptr: core::ptr::null(), len: 0 };

    /// Borrows `bytes`; the result is valid as long as they are.
    #[must_use]
    pub const fn new(bytes: &[u8]) -> Self {
        Self { ptr: bytes.as_ptr(), len: bytes.len() }
    }

    /// The bytes.
    ///
    /// # Safety
    /// Whoever made the value ensures that `ptr` is NULL with `len` 0, or points to `len` readable
    /// bytes that nobody changes while `'a` lasts.
    #[must_use]
    #[allow(unsafe_code)]
    pub const unsafe fn as_slice<'a>(self) -> &'a [u8] {
        if self.len == 0 || self.ptr.is_null() {
            return &[];
        }
        // SAFETY: by the contract above.
        unsafe { core::slice::from_raw_parts(self.ptr, self.len) }
    }
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sb_pair {
    pub name: sb_bytes,
    pub value: sb_bytes,
}

/// Opaque: only ever behind a pointer.
#[repr(C)]
pub struct sb_buf {
    _opaque: [u8; 0],
}

#[repr(C)]
pub struct sb_sink {
    pub size: u32,
    pub reserved: u32,
    pub ctx: Opaque,
    pub write: Option<unsafe extern "C" fn(sink: *mut sb_sink, piece: sb_bytes) -> sb_status>,
}

pub const SB_TEXT: u32 = 1;
pub const SB_BINARY: u32 = 2;

pub const SB_LOG_ERROR: u32 = 1;
pub const SB_LOG_WARN: u32 = 2;
pub const SB_LOG_INFO: u32 = 3;
pub const SB_LOG_DEBUG: u32 = 4;
pub const SB_LOG_TRACE: u32 = 5;

pub const SB_OPEN_RESUMED: u32 = 1;
pub const SB_OPEN_TLS: u32 = 2;

#[repr(C)]
#[derive(Debug)]
pub struct sb_open {
    pub size: u32,
    pub flags: u32,
    pub conn_uid: u64,
    pub method: sb_bytes,
    pub scheme: sb_bytes,
    pub authority: sb_bytes,
    pub target: sb_bytes,
    pub route: sb_bytes,
    pub path: sb_bytes,
    pub query: sb_bytes,
    pub peer: sb_bytes,
    pub local: sb_bytes,
    pub subprotocol: sb_bytes,
    pub subprotocols: *const sb_bytes,
    pub n_subprotocols: usize,
    pub headers: *const sb_pair,
    pub n_headers: usize,
    pub state: sb_bytes,
    pub state_format: sb_bytes,
    pub acked: u64,
}

pub const SB_MESSAGE_REPLAY: u32 = 1;

#[repr(C)]
#[derive(Debug)]
pub struct sb_message {
    pub size: u32,
    pub kind: u32,
    pub seq: u64,
    pub data: sb_bytes,
    pub buf: *mut sb_buf,
    pub flags: u32,
    pub reserved: u32,
}

pub const SB_WHY_CLIENT: u32 = 1;
pub const SB_WHY_LOCAL: u32 = 2;
pub const SB_WHY_IDLE: u32 = 3;
pub const SB_WHY_SLOW: u32 = 4;
pub const SB_WHY_SHUTDOWN: u32 = 5;
pub const SB_WHY_MIGRATED: u32 = 6;
pub const SB_WHY_FAULT: u32 = 7;
pub const SB_WHY_ERROR: u32 = 8;

pub const SB_DRAIN_NONE: u32 = 0;
pub const SB_DRAIN_SHUTDOWN: u32 = 1;
pub const SB_DRAIN_UPGRADE: u32 = 2;
pub const SB_DRAIN_OVERLOAD: u32 = 3;

#[repr(C)]
#[derive(Debug)]
pub struct sb_closed {
    pub size: u32,
    pub why: u32,
    pub code: u16,
    pub reserved: u16,
    pub reserved2: u32,
    pub reason: sb_bytes,
}

#[repr(C)]
#[derive(Debug)]
pub struct sb_config {
    pub size: u32,
    pub reserved: u32,
    pub route: sb_bytes,
    pub name: sb_bytes,
    pub settings: *const sb_pair,
    pub n_settings: usize,
}

#[repr(C)]
#[derive(Debug)]
pub struct sb_accept {
    pub size: u32,
    pub flags: u32,
    pub subprotocol: sb_bytes,
    pub headers: *const sb_pair,
    pub n_headers: usize,
}

#[repr(C)]
#[derive(Debug)]
pub struct sb_reject {
    pub size: u32,
    pub status: u16,
    pub reserved: u16,
    pub headers: *const sb_pair,
    pub n_headers: usize,
    pub body: sb_bytes,
}

#[repr(C)]
pub struct sb_host {
    pub size: u32,
    pub abi_major: u16,
    pub abi_minor: u16,
    pub ctx: Opaque,
    pub name: CString,
    pub version: CString,
    pub accept: Option<
        unsafe extern "C" fn(
            host: *const sb_host,
            conn: sb_conn,
            how: *const sb_accept,
        ) -> sb_status,
    >,
    pub reject: Option<
        unsafe extern "C" fn(
            host: *const sb_host,
            conn: sb_conn,
            how: *const sb_reject,
        ) -> sb_status,
    >,
    pub send: Option<
        unsafe extern "C" fn(
            host: *const sb_host,
            conn: sb_conn,
            kind: u32,
            data: sb_bytes,
        ) -> sb_status,
    >,
    pub send_buf: Option<
        unsafe extern "C" fn(
            host: *const sb_host,
            conn: sb_conn,
            kind: u32,
            buf: *mut sb_buf,
        ) -> sb_status,
    >,
    pub close: Option<
        unsafe extern "C" fn(
            host: *const sb_host,
            conn: sb_conn,
            code: u16,
            reason: sb_bytes,
        ) -> sb_status,
    >,
    pub ack:
        Option<unsafe extern "C" fn(host: *const sb_host, conn: sb_conn, seq: u64) -> sb_status>,
    pub retain: Option<
        unsafe extern "C" fn(host: *const sb_host, message: *const sb_message) -> *mut sb_buf,
    >,
    pub buf_new: Option<unsafe extern "C" fn(host: *const sb_host, len: usize) -> *mut sb_buf>,
    pub buf_data: Option<unsafe extern "C" fn(buf: *mut sb_buf, len: *mut usize) -> *mut u8>,
    pub buf_ref: Option<unsafe extern "C" fn(buf: *mut sb_buf)>,
    pub buf_unref: Option<unsafe extern "C" fn(buf: *mut sb_buf)>,
    pub log: Option<
        unsafe extern "C" fn(host: *const sb_host, level: u32, target: sb_bytes, text: sb_bytes),
    >,
    pub extension:
        Option<unsafe extern "C" fn(host: *const sb_host, id: CString) -> *const core::ffi::c_void>,
}

#[repr(C)]
pub struct sb_plugin {
    pub size: u32,
    pub flags: u32,
    pub this: Opaque,
    pub start: Option<unsafe extern "C" fn(plugin: *mut sb_plugin) -> sb_status>,
    pub open: Option<
        unsafe extern "C" fn(
            plugin: *mut sb_plugin,
            conn: sb_conn,
            request: *const sb_open,
            session: *mut Opaque,
        ) -> sb_status,
    >,
    pub message: Option<
        unsafe extern "C" fn(
            plugin: *mut sb_plugin,
            conn: sb_conn,
            session: Opaque,
            message: *const sb_message,
        ) -> sb_status,
    >,
    pub writable:
        Option<unsafe extern "C" fn(plugin: *mut sb_plugin, conn: sb_conn, session: Opaque)>,
    pub closed: Option<
        unsafe extern "C" fn(
            plugin: *mut sb_plugin,
            conn: sb_conn,
            session: Opaque,
            end: *const sb_closed,
        ),
    >,
    pub export_state: Option<
        unsafe extern "C" fn(
            plugin: *mut sb_plugin,
            conn: sb_conn,
            session: Opaque,
            format: *mut sb_sink,
            blob: *mut sb_sink,
        ) -> sb_status,
    >,
    pub drain: Option<unsafe extern "C" fn(plugin: *mut sb_plugin, why: u32, deadline_ms: u64)>,
    pub stop: Option<unsafe extern "C" fn(plugin: *mut sb_plugin) -> sb_status>,
    pub destroy: Option<unsafe extern "C" fn(plugin: *mut sb_plugin)>,
    pub extension: Option<
        unsafe extern "C" fn(plugin: *mut sb_plugin, id: CString) -> *const core::ffi::c_void,
    >,
}

pub const SB_ENTRY_NEVER_BLOCKS: u64 = 1;

#[repr(C)]
pub struct sb_entry {
    pub size: u32,
    pub abi_major: u16,
    pub abi_minor: u16,
    pub flags: u64,
    pub id: CString,
    pub version: CString,
    pub build: CString,
    pub create: Option<
        unsafe extern "C" fn(
            host: *const sb_host,
            config: *const sb_config,
            out: *mut *mut sb_plugin,
            error: *mut sb_sink,
        ) -> sb_status,
    >,
}

// SAFETY: an entry is constant data of a library that stays mapped; its strings and its function
// may be used from every thread.
#[allow(unsafe_code)]
unsafe impl Sync for sb_entry {}

pub const SB_ENTRY_SYMBOL: &str = "switchboard_entry_v1";
pub const SB_NOTE_SECTION: &str = ".note.switchboard";
pub const SB_NOTE_NAME: &str = "SWBD";
pub const SB_NOTE_TYPE: u32 = 1;

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sb_note_head {
    pub abi_major: u16,
    pub abi_minor: u16,
    pub flags: u32,
}
