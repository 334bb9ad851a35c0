//! The plugin's table: each callback enters the author's code through one gate and comes back
//! without a panic.

use std::ffi::{CStr, c_char, c_void};
use std::mem::ManuallyDrop;
use std::ptr::null_mut;
use std::time::Duration;

use switchboard_abi::*;

use super::host::{Link, size_of_u32};
use super::parked::Session;
use super::read::{self, known};
use crate::conn::Conn;
use crate::endpoint::{Endpoint, Handled};
use crate::error::Error;
use crate::panics;
use crate::request::{Accept, Opened, Reject};
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
struct Instance<E> {
    table: sb_plugin,
    topic_events: sb_topic_events,
    endpoint: E,
    link: &'static Link,
}

/// What the host knows as `session`.
struct Slot<S> {
    session: S,
    conn: Conn,
    /// The client was not answered when `open` returned, and perhaps is not yet.
    late: bool,
    /// A panic may have left the session half changed: only `drop` may see it.
    poisoned: bool,
}

impl Link {
    /// Runs the author's code. `None`: it panicked, which is in the log now.
    fn guarded<T>(&self, callback: &str, uid: Option<u64>, call: impl FnOnce() -> T) -> Option<T> {
        panics::catch(call)
            .map_err(|said| {
                self.note(SB_LOG_ERROR, uid, &format!("panic in {callback}: {said}"));
            })
            .ok()
    }

    /// A line in the log about a connection, or about the instance.
    fn note(&self, level: u32, uid: Option<u64>, text: &str) {
        match uid {
            Some(uid) => self.log(level, "", &format!("connection {uid}: {text}")),
            None => self.log(level, "", text),
        }
    }
}

/// # Safety
/// For every callback below: the host ensures what `plugin.h` says about it. So `plugin` came from
/// `create::<E>` and is not destroyed, `session` came from `open::<E>` for this connection and has
/// not been through `closed`, and calls for one connection do not overlap.
unsafe fn instance<'a, E: Endpoint>(plugin: *mut sb_plugin) -> &'a Instance<E> {
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
    let link: &'static Link = Box::leak(Box::new(unsafe { Link::new(host) }));
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
        open: Some(open::<E>),
        message: Some(message::<E>),
        writable: Some(writable::<E>),
        closed: Some(closed::<E>),
        export_state: None,
        drain: Some(drain::<E>),
        stop: Some(stop::<E>),
        destroy: Some(destroy::<E>),
        extension: Some(extension::<E>),
    };
    let topic_events = sb_topic_events {
        size: size_of_u32::<sb_topic_events>(),
        reserved: 0,
        subscribed: Some(subscribed::<E>),
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

unsafe extern "C" fn open<E: Endpoint>(
    plugin: *mut sb_plugin,
    id: sb_conn,
    request: *const sb_open,
    session: *mut Opaque,
) -> sb_status {
    // SAFETY: see `instance`; `request` and `session` are the host's for the length of the call.
    let (instance, uid, request) = unsafe {
        *session = null_mut();
        (instance::<E>(plugin), read::conn_uid(request), read::request(request))
    };
    let link = instance.link;
    let Ok(request) = request else {
        return refuse(link, id, &Reject::new(400, "Bad request: not UTF-8"));
    };
    let conn = Conn { host: Host(link), id, uid };
    match link.guarded("open", Some(uid), || instance.endpoint.open(&conn, &request)) {
        Some(Ok(Opened { session: authors, answer })) => {
            let late = answer.is_none();
            let slot = Slot { session: authors, conn, late, poisoned: false };
            let slot: Opaque = Box::into_raw(Box::new(slot)).cast();
            // SAFETY: the host's place for the session.
            unsafe { *session = slot };
            // SAFETY: `Endpoint::Session` is Send; nobody else frees it while the host does not
            // call `closed`, which follows only if the session is not given back.
            let owned = unsafe { Session::new(slot, free::<E>) };
            let (status, unused) = answer_client(link, id, owned, answer);
            if let Some(unused) = unused {
                // SAFETY: as above.
                unsafe { *session = null_mut() };
                link.guarded("drop of a session", Some(uid), || drop(unused));
            }
            status
        }
        Some(Err(how)) => refuse(link, id, &how),
        None => {
            link.parked.was_refused(id);
            SB_E_PANIC
        }
    }
}

/// Answers a client that the endpoint has taken. Gives the session back if no `closed` follows.
fn answer_client(
    link: &Link,
    id: sb_conn,
    session: Session,
    answer: Option<Accept>,
) -> (sb_status, Option<Session>) {
    let Some(how) = answer else {
        return (SB_OK, link.parked.park(id, session));
    };
    let status = link.accept(id, &how);
    // Another thread, or the endpoint itself, may have been quicker with an answer.
    if status < 0 && link.parked.was_refused(id) {
        return (SB_OK, Some(session));
    }
    match status {
        0.. | SB_E_CLOSED | SB_E_DENIED => {
            let _ = ManuallyDrop::new(session); // until `closed`
            (SB_OK, None)
        }
        _ => (status, Some(session)),
    }
}

/// Refuses a client of which nothing is kept.
fn refuse(link: &Link, id: sb_conn, how: &Reject) -> sb_status {
    let status = link.reject(id, how);
    let refused_before = link.parked.was_refused(id);
    // If the client has left, a `closed` without a session follows.
    if status >= 0 || status == SB_E_CLOSED || refused_before { SB_OK } else { status }
}

/// # Safety
/// The caller ensures that `slot` came from `open::<E>` and is not used again.
unsafe fn free<E: Endpoint>(slot: *mut c_void) {
    // SAFETY: by the contract above.
    drop(unsafe { Box::from_raw(slot.cast::<Slot<E::Session>>()) });
}

/// Hands a session to the endpoint. `None`: there is none, or a panic has spoilt it.
///
/// # Safety
/// As for `instance`.
unsafe fn visit<E: Endpoint, T>(
    plugin: *mut sb_plugin,
    slot: Opaque,
    callback: &str,
    call: impl FnOnce(&E, &Conn, &mut E::Session) -> T,
) -> Option<T> {
    if slot.is_null() {
        return None;
    }
    // SAFETY: see `instance`; calls for one connection do not overlap, so nobody else uses `slot`.
    let (instance, slot) =
        unsafe { (instance::<E>(plugin), &mut *slot.cast::<Slot<E::Session>>()) };
    if slot.poisoned {
        return None;
    }
    let (link, conn) = (instance.link, slot.conn);
    slot.late = slot.late && link.parked.enter(conn.id);
    let late = slot.late;
    let result = link
        .guarded(callback, Some(conn.uid), || call(&instance.endpoint, &conn, &mut slot.session));
    slot.poisoned = result.is_none();
    if late && let Some(refused) = link.parked.leave(conn.id) {
        link.guarded("drop of a session", Some(conn.uid), || drop(refused));
    }
    result
}

/// Closes a connection whose callback panicked and has no way to say so.
///
/// # Safety
/// As for `instance`.
unsafe fn close_after_panic<E: Endpoint>(plugin: *mut sb_plugin, id: sb_conn, result: Option<()>) {
    if result.is_none() {
        // SAFETY: by the contract above.
        unsafe { instance::<E>(plugin) }.link.close(id, 1011, "");
    }
}

unsafe extern "C" fn message<E: Endpoint>(
    plugin: *mut sb_plugin,
    _id: sb_conn,
    session: Opaque,
    message: *const sb_message,
) -> sb_status {
    // SAFETY: the host's message, for the length of the call.
    let Some(message) = (unsafe { read::message(message) }) else { return SB_E_UNSUPPORTED };
    // SAFETY: see `instance`.
    let result = unsafe {
        visit(plugin, session, "message", |endpoint: &E, conn, session| {
            endpoint.message(conn, session, message).map_err(|why| failed(*conn, &why))
        })
    };
    match result {
        Some(Ok(Handled::Done)) => SB_OK,
        Some(Ok(Handled::Deferred)) => SB_DEFERRED,
        Some(Err(status)) => status,
        None => SB_E_PANIC,
    }
}

fn failed(conn: Conn, why: &Error) -> sb_status {
    let level = if why.status() == SB_E_CLOSED { SB_LOG_DEBUG } else { SB_LOG_WARN };
    conn.host.0.note(level, Some(conn.uid), &format!("message failed: {why}"));
    why.status()
}

unsafe extern "C" fn writable<E: Endpoint>(plugin: *mut sb_plugin, id: sb_conn, session: Opaque) {
    // SAFETY: see `instance`.
    unsafe {
        let result = visit(plugin, session, "writable", |endpoint: &E, conn, session| {
            endpoint.writable(conn, session);
        });
        close_after_panic::<E>(plugin, id, result);
    }
}

unsafe extern "C" fn subscribed<E: Endpoint>(
    plugin: *mut sb_plugin,
    id: sb_conn,
    session: Opaque,
    topic: *const sb_topic_snapshot,
) {
    // SAFETY: see `instance`; the snapshot is the host's for the length of the call.
    unsafe {
        let snapshot = read::snapshot(topic);
        let result = visit(plugin, session, "subscribed", |endpoint: &E, conn, session| {
            endpoint.subscribed(conn, session, &snapshot);
        });
        close_after_panic::<E>(plugin, id, result);
    }
}

unsafe extern "C" fn closed<E: Endpoint>(
    plugin: *mut sb_plugin,
    id: sb_conn,
    slot: Opaque,
    end: *const sb_closed,
) {
    if slot.is_null() {
        return;
    }
    // SAFETY: see `instance`; this is the last call for the connection, so the session is ours.
    let (instance, mut slot, end) = unsafe {
        let slot = Box::from_raw(slot.cast::<Slot<E::Session>>());
        (instance::<E>(plugin), slot, read::closed(end))
    };
    let (link, conn) = (instance.link, slot.conn);
    if slot.late {
        link.parked.forget(id);
    }
    if !slot.poisoned {
        link.guarded("closed", Some(conn.uid), || {
            instance.endpoint.closed(&conn, &mut slot.session, &end);
        });
    }
    link.guarded("drop of a session", Some(conn.uid), || drop(slot));
}

unsafe extern "C" fn drain<E: Endpoint>(plugin: *mut sb_plugin, _why: u32, deadline_ms: u64) {
    // SAFETY: see `instance`.
    let instance = unsafe { instance::<E>(plugin) };
    let deadline = Duration::from_millis(deadline_ms);
    instance.link.guarded("drain", None, || instance.endpoint.drain(deadline));
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
