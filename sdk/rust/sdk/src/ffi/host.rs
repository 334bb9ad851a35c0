//! The host's functions, called safely.

use std::ffi::c_void;
use std::sync::{Mutex, PoisonError};

use switchboard_abi::*;

use super::parked::{Parked, Session};
use super::read::known;
use crate::message::Body;
use crate::request::{Accept, Reject};
use crate::topics::{Publication, Subscription};

/// The way to a host. It is never freed: handles of connections, which anybody may keep for ever,
/// lead here.
pub(crate) struct Link {
    host: *const sb_host,
    /// NULL if this host has no topics.
    topics: *const sb_topics,
    /// Sessions that wait for a late answer.
    pub(super) parked: Parked,
}

// SAFETY: both tables live as long as the process, and every function in them that is called here
// is [any-thread].
unsafe impl Send for Link {}
// SAFETY: as above.
unsafe impl Sync for Link {}

/// Calls a function of a table, or says that the table has none of that name.
macro_rules! call {
    ($table:expr, $type:ident, $name:ident, $($argument:expr),*) => {{
        // SAFETY: the table lives as long as the process, by the contract of `Link::to`.
        match unsafe { known!($table, $type, $name) }.flatten() {
            // SAFETY: a function of the host, which was given its own table, and arguments that
            // live until it returns, which is all that the header asks for.
            Some(function) => unsafe { function($($argument),*) },
            None => SB_E_UNSUPPORTED,
        }
    }};
}

impl Link {
    /// The link to this host: the same for every instance that is given the same table.
    ///
    /// # Safety
    /// The caller ensures that `host` is the host's table, which lives as long as the process.
    pub(super) unsafe fn to(host: *const sb_host) -> &'static Self {
        static LINKS: Mutex<Vec<&'static Link>> = Mutex::new(Vec::new());
        let mut links = LINKS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(link) = links.iter().find(|link| link.host == host) {
            return link;
        }
        let mut link = Self { host, topics: std::ptr::null(), parked: Parked::default() };
        link.topics = link.extension(SB_TOPICS_ID).cast();
        let link: &'static Self = Box::leak(Box::new(link));
        links.push(link);
        link
    }

    fn extension(&self, id: &std::ffi::CStr) -> *const c_void {
        // SAFETY: by the contract of `to`.
        match unsafe { known!(self.host, sb_host, extension) }.flatten() {
            // SAFETY: the host's own table, and a string with its terminating zero.
            Some(function) => unsafe { function(self.host, id.as_ptr()) },
            None => std::ptr::null(),
        }
    }

    pub(crate) fn send(&self, conn: sb_conn, body: Body<'_>) -> sb_status {
        let data = sb_bytes::new(body.bytes());
        call!(self.host, sb_host, send, self.host, conn, body.kind(), data)
    }

    pub(crate) fn close(&self, conn: sb_conn, code: u16, reason: &str) -> sb_status {
        let reason = sb_bytes::new(reason.as_bytes());
        call!(self.host, sb_host, close, self.host, conn, code, reason)
    }

    pub(crate) fn ack(&self, conn: sb_conn, seq: u64) -> sb_status {
        call!(self.host, sb_host, ack, self.host, conn, seq)
    }

    pub(crate) fn log(&self, level: u32, target: &str, text: &str) {
        let (target, text) = (sb_bytes::new(target.as_bytes()), sb_bytes::new(text.as_bytes()));
        // SAFETY: by the contract of `to`.
        if let Some(function) = unsafe { known!(self.host, sb_host, log) }.flatten() {
            // SAFETY: the host's own table, and texts that live until it returns.
            unsafe { function(self.host, level, target, text) };
        }
    }

    pub(super) fn accept(&self, conn: sb_conn, how: &Accept) -> sb_status {
        let headers = pairs(&how.headers);
        let how = sb_accept {
            size: size_of_u32::<sb_accept>(),
            flags: 0,
            subprotocol: sb_bytes::new(how.subprotocol.as_bytes()),
            headers: headers.as_ptr(),
            n_headers: headers.len(),
        };
        call!(self.host, sb_host, accept, self.host, conn, &raw const how)
    }

    pub(super) fn reject(&self, conn: sb_conn, how: &Reject) -> sb_status {
        let headers = pairs(&how.headers);
        let how = sb_reject {
            size: size_of_u32::<sb_reject>(),
            status: how.status,
            reserved: 0,
            headers: headers.as_ptr(),
            n_headers: headers.len(),
            body: sb_bytes::new(how.body.as_bytes()),
        };
        call!(self.host, sb_host, reject, self.host, conn, &raw const how)
    }

    /// Accepts a client whose session is parked.
    pub(crate) fn accept_late(&self, conn: sb_conn, how: &Accept) -> sb_status {
        let status = self.accept(conn, how);
        if status >= 0 {
            self.parked.accepted(conn);
        }
        status
    }

    /// Refuses a client whose session is parked, and drops the session: no `closed` follows.
    pub(crate) fn reject_late(&self, conn: sb_conn, how: &Reject) -> sb_status {
        let status = self.reject(conn, how);
        if status >= 0
            && let Some(session) = self.parked.rejected(conn)
        {
            self.release(conn, session);
        }
        status
    }

    /// Drops a session that the host has forgotten.
    fn release(&self, conn: sb_conn, session: Session) {
        if let Err(said) = crate::panics::catch(|| drop(session)) {
            let text = format!("connection handle {conn}: panic in drop of a session: {said}");
            self.log(SB_LOG_ERROR, "", &text);
        }
    }

    pub(crate) fn subscribe(
        &self,
        conn: sb_conn,
        topic: &str,
        how: &Subscription<'_>,
    ) -> sb_status {
        if self.topics.is_null() {
            return SB_E_UNSUPPORTED;
        }
        let how = sb_subscribe {
            size: size_of_u32::<sb_subscribe>(),
            flags: if how.snapshot { SB_SUBSCRIBE_SNAPSHOT } else { 0 },
            key: sb_bytes::new(how.key),
            metadata: sb_bytes::new(how.metadata),
            joined: topic_message(how.joined),
            left: topic_message(how.left),
            history_messages: how.history,
            reserved: 0,
        };
        let topic = sb_bytes::new(topic.as_bytes());
        call!(self.topics, sb_topics, subscribe, self.host, conn, topic, &raw const how)
    }

    pub(crate) fn unsubscribe(&self, conn: sb_conn, topic: &str) -> sb_status {
        if self.topics.is_null() {
            return SB_E_UNSUPPORTED;
        }
        let topic = sb_bytes::new(topic.as_bytes());
        call!(self.topics, sb_topics, unsubscribe, self.host, conn, topic)
    }

    pub(crate) fn publish(&self, topic: &str, what: Publication<'_>) -> sb_status {
        if self.topics.is_null() {
            return SB_E_UNSUPPORTED;
        }
        let what = sb_publish {
            size: size_of_u32::<sb_publish>(),
            flags: if what.retain { SB_PUBLISH_RETAIN } else { 0 },
            message: topic_message(Some(what.message)),
            except: what.except,
        };
        let topic = sb_bytes::new(topic.as_bytes());
        call!(self.topics, sb_topics, publish, self.host, topic, &raw const what)
    }
}

fn topic_message(body: Option<Body<'_>>) -> sb_topic_message {
    body.map_or(sb_topic_message::NONE, |body| sb_topic_message {
        kind: body.kind(),
        reserved: 0,
        data: sb_bytes::new(body.bytes()),
    })
}

fn pairs(pairs: &[(String, String)]) -> Vec<sb_pair> {
    pairs
        .iter()
        .map(|(name, value)| sb_pair {
            name: sb_bytes::new(name.as_bytes()),
            value: sb_bytes::new(value.as_bytes()),
        })
        .collect()
}

/// What goes into the field `size`.
#[allow(clippy::cast_possible_truncation)]
pub(super) const fn size_of_u32<T>() -> u32 {
    assert!(size_of::<T>() < 4096);
    size_of::<T>() as u32
}
