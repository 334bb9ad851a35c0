//! The life of an instance: the entry, from `create` to `destroy`, and its table.
//!
//! Each callback enters the author's code through `Link::guarded` and comes back without a panic.

use std::ffi::{CStr, c_char, c_void};
use std::ptr::null_mut;
use std::time::Duration;

use switchboard_abi::*;

use super::host::{Link, size_of_u32};
use super::read::{self, known};
use super::session;
use crate::endpoint::{Drain, Endpoint};
use crate::panics;
use crate::setup::{Host, Setup};

/// The value of the exported symbol. `id`, `version` and `build` end with a zero.
#[must_use]
pub const fn entry<E: Endpoint>(
    flags: u64,
    id: &'static [u8],
    version: &'static [u8],
    build: &'static [u8],
) -> sb_entry {
    sb_entry {
        size: size_of_u32::<sb_entry>(),
        abi_major: SB_ABI_MAJOR,
        abi_minor: SB_ABI_MINOR,
        flags,
        id: c_text(id),
        version: c_text(version),
        build: c_text(build),
        create: Some(create::<E>),
    }
}

const fn c_text(text: &'static [u8]) -> *const c_char {
    match CStr::from_bytes_with_nul(text) {
        Ok(text) => text.as_ptr(),
        Err(_) => panic!("a zero within id, version or build"),
    }
}

/// What `sb_plugin.self` points to.
pub(super) struct Instance<E> {
    table: sb_plugin,
    topic_events: sb_topic_events,
    pub(super) endpoint: E,
    pub(super) link: &'static Link,
}

impl Link {
    /// Runs the author's code. `None`: it panicked, which is in the log now.
    pub(super) fn guarded<T>(
        &self,
        callback: &str,
        uid: Option<u64>,
        call: impl FnOnce() -> T,
    ) -> Option<T> {
        panics::catch(call)
            .map_err(|said| {
                self.note(SB_LOG_ERROR, uid, &format!("panic in {callback}: {said}"));
            })
            .ok()
    }

    /// A line in the log about a connection, or about the instance.
    pub(super) fn note(&self, level: u32, uid: Option<u64>, text: &str) {
        match uid {
            Some(uid) => self.log(level, "", &format!("connection {uid}: {text}")),
            None => self.log(level, "", text),
        }
    }
}

/// # Safety
/// For every callback, here and in `session`: the host ensures what `plugin.h` says about it. So `plugin` came from
/// `create::<E>` and is not destroyed, `session` came from `open::<E>` for this connection and has
/// not been through `closed`, and calls for one connection do not overlap.
pub(super) unsafe fn instance<'a, E: Endpoint>(plugin: *mut sb_plugin) -> &'a Instance<E> {
    // SAFETY: by the contract above. The instance is only ever borrowed shared until `destroy`.
    unsafe { &*(*plugin).this.cast::<Instance<E>>() }
}

unsafe extern "C" fn create<E: Endpoint>(
    host: *const sb_host,
    config: *const sb_config,
    out: *mut *mut sb_plugin,
    error: *mut sb_sink,
) -> sb_status {
    // SAFETY: the host's table begins with its size.
    let major = unsafe { known!(host, sb_host, abi_major) };
    if major != Some(SB_ABI_MAJOR) {
        // SAFETY: the host's sink.
        unsafe { complain(error, "the plugin speaks ABI 1, the host does not") };
        return SB_E_UNSUPPORTED;
    }
    // SAFETY: the host's table, which lives as long as the process.
    let link = unsafe { Link::to(host) };
    // SAFETY: the conf lives until `destroy`.
    let Ok((route, name, settings)) = (unsafe { read::config(config) }) else {
        // SAFETY: the host's sink.
        unsafe { complain(error, "the conf is not UTF-8") };
        return SB_E_INVALID;
    };
    let setup = Setup { host: Host(link), route, name, settings };
    match panics::catch(|| E::create(&setup)) {
        Ok(Ok(endpoint)) => {
            // SAFETY: the host's place for the table.
            unsafe { *out = instantiate(endpoint, link) };
            SB_OK
        }
        Ok(Err(why)) => {
            // SAFETY: the host's sink.
            unsafe { complain(error, &why.to_string()) };
            why.status()
        }
        Err(said) => {
            // SAFETY: the host's sink.
            unsafe { complain(error, &format!("panic in create: {said}")) };
            SB_E_PANIC
        }
    }
}

fn instantiate<E: Endpoint>(endpoint: E, link: &'static Link) -> *mut sb_plugin {
    let table = sb_plugin {
        size: size_of_u32::<sb_plugin>(),
        flags: 0,
        this: null_mut(),
        start: Some(start::<E>),
        open: Some(session::open::<E>),
        message: Some(session::message::<E>),
        writable: Some(session::writable::<E>),
        closed: Some(session::closed::<E>),
        export_state: None,
        drain: Some(drain::<E>),
        stop: Some(stop::<E>),
        destroy: Some(destroy::<E>),
        extension: Some(extension::<E>),
    };
    let topic_events = sb_topic_events {
        size: size_of_u32::<sb_topic_events>(),
        reserved: 0,
        subscribed: Some(session::subscribed::<E>),
    };
    let instance = Box::into_raw(Box::new(Instance { table, topic_events, endpoint, link }));
    // SAFETY: it was made just now, and nobody else knows it.
    unsafe {
        (*instance).table.this = instance.cast();
        &raw mut (*instance).table
    }
}

/// # Safety
/// The caller ensures that `sink` is NULL or the host's.
unsafe fn complain(sink: *mut sb_sink, text: &str) {
    if sink.is_null() {
        return;
    }
    // SAFETY: a sink begins with its size.
    if let Some(write) = unsafe { known!(sink, sb_sink, write) }.flatten() {
        // SAFETY: the host's own sink, and a text that lives until it returns.
        unsafe { write(sink, sb_bytes::new(text.as_bytes())) };
    }
}

unsafe extern "C" fn start<E: Endpoint>(plugin: *mut sb_plugin) -> sb_status {
    // SAFETY: see `instance`.
    let instance = unsafe { instance::<E>(plugin) };
    match instance.link.guarded("start", None, || instance.endpoint.start()) {
        Some(Ok(())) => SB_OK,
        Some(Err(why)) => {
            instance.link.note(SB_LOG_ERROR, None, &format!("start failed: {why}"));
            why.status()
        }
        None => SB_E_PANIC,
    }
}

unsafe extern "C" fn drain<E: Endpoint>(plugin: *mut sb_plugin, why: u32, deadline_ms: u64) {
    // SAFETY: see `instance`.
    let instance = unsafe { instance::<E>(plugin) };
    let why = Drain::from_number(why);
    let deadline = (deadline_ms > 0).then(|| Duration::from_millis(deadline_ms));
    instance.link.guarded("drain", None, || instance.endpoint.drain(why, deadline));
}

unsafe extern "C" fn stop<E: Endpoint>(plugin: *mut sb_plugin) -> sb_status {
    // SAFETY: see `instance`.
    let instance = unsafe { instance::<E>(plugin) };
    match instance.link.guarded("stop", None, || instance.endpoint.stop()) {
        Some(()) => SB_OK,
        None => SB_E_PANIC,
    }
}

unsafe extern "C" fn destroy<E: Endpoint>(plugin: *mut sb_plugin) {
    // SAFETY: see `instance`; this is the last call for the instance, so it is ours.
    let instance = unsafe { Box::from_raw((*plugin).this.cast::<Instance<E>>()) };
    let link = instance.link;
    link.guarded("drop of the endpoint", None, || drop(instance));
}

unsafe extern "C" fn extension<E: Endpoint>(
    plugin: *mut sb_plugin,
    id: *const c_char,
) -> *const c_void {
    // SAFETY: see `instance`; `id` is a string with its terminating zero.
    let (instance, id) = unsafe { (instance::<E>(plugin), CStr::from_ptr(id)) };
    if id == SB_TOPICS_ID {
        return (&raw const instance.topic_events).cast();
    }
    std::ptr::null()
}
