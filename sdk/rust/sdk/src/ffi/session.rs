//! The life of a connection: from `open` to `closed`, and who drops its session.

use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::ptr::null_mut;

use switchboard_abi::*;

use super::host::Link;
use super::instance::instance;
use super::parked::Session;
use super::read;
use crate::conn::Conn;
use crate::endpoint::{Endpoint, Handled};
use crate::error::Error;
use crate::request::{Accept, Opened, Reject};
use crate::setup::Host;

/// What the host knows as `session`.
struct Slot<S> {
    session: S,
    conn: Conn,
    /// The client was not answered when `open` returned, and perhaps is not yet.
    late: bool,
    /// A panic may have left the session half changed: only `drop` may see it.
    poisoned: bool,
}

pub(super) unsafe extern "C" fn open<E: Endpoint>(
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
    let Slot { session, conn, late, poisoned } = slot;
    if *poisoned {
        return None;
    }
    let link = instance.link;
    *late = *late && link.parked.enter(conn.id);
    let result = link.guarded(callback, Some(conn.uid), || call(&instance.endpoint, conn, session));
    *poisoned = result.is_none();
    if *late && let Some(refused) = link.parked.leave(conn.id) {
        let uid = conn.uid;
        link.guarded("drop of a session", Some(uid), || drop(refused));
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

pub(super) unsafe extern "C" fn message<E: Endpoint>(
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

pub(super) unsafe extern "C" fn writable<E: Endpoint>(
    plugin: *mut sb_plugin,
    id: sb_conn,
    session: Opaque,
) {
    // SAFETY: see `instance`.
    unsafe {
        let result = visit(plugin, session, "writable", |endpoint: &E, conn, session| {
            endpoint.writable(conn, session);
        });
        close_after_panic::<E>(plugin, id, result);
    }
}

pub(super) unsafe extern "C" fn subscribed<E: Endpoint>(
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

pub(super) unsafe extern "C" fn closed<E: Endpoint>(
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
