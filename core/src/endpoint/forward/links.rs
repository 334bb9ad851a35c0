//! What became of each client of a forward, on its shard's thread.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use tokio::task::AbortHandle;

use super::upstream::Upstream;
use crate::endpoint::Session;

/// One client's way to the server.
pub(super) enum Link {
    /// The server has not answered yet.
    Dialling(AbortHandle),
    /// It has accepted.
    Open(Rc<Upstream>),
}

/// Of all forwards on this shard. All that is called for a connection is called on its thread.
#[derive(Default)]
struct Links {
    by_session: HashMap<usize, Link>,
    last: usize,
}

thread_local! {
    static LINKS: RefCell<Links> = RefCell::default();
}

/// A session that no other connection of this shard has.
pub(super) fn add() -> Session {
    LINKS.with_borrow_mut(|links| {
        links.last += 1;
        Session(links.last)
    })
}

pub(super) fn set(session: Session, link: Link) {
    LINKS.with_borrow_mut(|links| links.by_session.insert(session.0, link));
}

pub(super) fn remove(session: Session) -> Option<Link> {
    LINKS.with_borrow_mut(|links| links.by_session.remove(&session.0))
}

/// The connection to the server, if there is one.
pub(super) fn upstream(session: Session) -> Option<Rc<Upstream>> {
    LINKS.with_borrow(|links| match links.by_session.get(&session.0) {
        Some(Link::Open(upstream)) => Some(Rc::clone(upstream)),
        _ => None,
    })
}
