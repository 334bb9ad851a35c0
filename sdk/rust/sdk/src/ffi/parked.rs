//! Sessions of clients that are not answered yet.
//!
//! After a rejection no `closed` follows, so somebody else must drop the session. A late rejection
//! comes from any thread, also while `open` still runs or from inside a callback of that very
//! connection; whoever comes last drops it.

use std::collections::{HashMap, HashSet};
use std::ffi::c_void;
use std::sync::{Mutex, MutexGuard, PoisonError};

use switchboard_abi::sb_conn;

/// A session that is dropped with this value.
pub(super) struct Session {
    slot: *mut c_void,
    /// Drops what `slot` points to.
    free: unsafe fn(*mut c_void),
}

// SAFETY: `Session::new` asks for a session that may be dropped on any thread.
unsafe impl Send for Session {}

impl Session {
    /// # Safety
    /// The caller ensures that `free(slot)` may be called once, on any thread, and that nobody else
    /// frees or uses `slot` when this value is dropped.
    pub(super) unsafe fn new(slot: *mut c_void, free: unsafe fn(*mut c_void)) -> Self {
        Self { slot, free }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // SAFETY: by the contract of `new`.
        unsafe { (self.free)(self.slot) };
    }
}

#[derive(Default)]
pub(super) struct Parked {
    clients: Mutex<Clients>,
}

#[derive(Default)]
struct Clients {
    waiting: HashMap<sb_conn, Waiting>,
    /// Refused while `open` still runs, which has not told its session yet.
    refused: HashSet<sb_conn>,
}

struct Waiting {
    session: Session,
    /// A callback uses the session at the moment.
    in_call: bool,
    refused: bool,
}

impl Parked {
    /// `open` returns without an answer. Gives the session back if the client was refused
    /// meanwhile.
    pub(super) fn park(&self, conn: sb_conn, session: Session) -> Option<Session> {
        let mut clients = self.lock();
        if clients.refused.remove(&conn) {
            return Some(session);
        }
        clients.waiting.insert(conn, Waiting { session, in_call: false, refused: false });
        None
    }

    /// `open` returns: was the client refused while it ran?
    pub(super) fn was_refused(&self, conn: sb_conn) -> bool {
        self.lock().refused.remove(&conn)
    }

    /// The client is in: from here on `closed` takes care of its session.
    pub(super) fn accepted(&self, conn: sb_conn) {
        self.forget(conn);
    }

    /// The client is refused. Gives the session to drop, unless somebody uses it still.
    pub(super) fn rejected(&self, conn: sb_conn) -> Option<Session> {
        let mut clients = self.lock();
        match clients.waiting.get_mut(&conn) {
            Some(waiting) if waiting.in_call => waiting.refused = true,
            Some(_) => return clients.waiting.remove(&conn).map(|waiting| waiting.session),
            None => drop(clients.refused.insert(conn)),
        }
        None
    }

    /// A callback begins. False: the client is no longer waiting.
    pub(super) fn enter(&self, conn: sb_conn) -> bool {
        match self.lock().waiting.get_mut(&conn) {
            Some(waiting) => {
                waiting.in_call = true;
                true
            }
            None => false,
        }
    }

    /// The callback is over. Gives the session to drop if the client was refused meanwhile.
    pub(super) fn leave(&self, conn: sb_conn) -> Option<Session> {
        let mut clients = self.lock();
        let waiting = clients.waiting.get_mut(&conn)?;
        waiting.in_call = false;
        if !waiting.refused {
            return None;
        }
        clients.waiting.remove(&conn).map(|waiting| waiting.session)
    }

    /// Somebody else takes care of the session.
    pub(super) fn forget(&self, conn: sb_conn) {
        let waiting = self.lock().waiting.remove(&conn);
        if let Some(waiting) = waiting {
            std::mem::forget(waiting.session);
        }
    }

    /// Nothing here panics, and each change is one step: the state behind a poisoned lock is right.
    fn lock(&self) -> MutexGuard<'_, Clients> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
