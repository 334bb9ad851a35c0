//! Sockets of endpoints on the shard's poll, beside those of clients.

use std::collections::HashMap;
use std::io;
use std::rc::Rc;

use mio::unix::SourceFd;
use mio::{Interest, Token};

use super::{Job, Shard};
use crate::stream::{Ready, Source, SourceId};

/// The sources of a shard.
#[derive(Default)]
pub(super) struct Sources {
    by_id: HashMap<SourceId, Rc<dyn Source>>,
    last: u32,
    /// The one that is being called.
    called: Option<SourceId>,
    /// Those that asked to be called again while they were.
    again: Vec<SourceId>,
}

/// The token of a row has its epoch in the lower half, and that is never 0.
fn token_of(id: SourceId) -> Token {
    Token((id.0 as usize) << 32)
}

/// The source that a token is of, if it is one's. [`super::MAILBOX`] is none: ids begin with 1.
#[allow(clippy::cast_possible_truncation)]
pub(super) fn source_of(token: Token) -> Option<SourceId> {
    (token.0 as u32 == 0).then_some(SourceId((token.0 >> 32) as u32))
}

/// What a source reads at once, at most.
const BUFFER_BYTES: usize = 64 << 10;

impl Shard {
    pub(super) fn add_source(&self, source: Rc<dyn Source>) -> io::Result<SourceId> {
        let mut sources = self.sources.borrow_mut();
        sources.last += 1;
        let id = SourceId(sources.last);
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.registry.register(&mut SourceFd(&source.raw_fd()), token_of(id), interest)?;
        sources.by_id.insert(id, source);
        Ok(id)
    }

    pub(super) fn remove_source(&self, id: SourceId) {
        let Some(source) = self.sources.borrow_mut().by_id.remove(&id) else { return };
        // Its owner may have closed it before.
        let _ = self.registry.deregister(&mut SourceFd(&source.raw_fd()));
        self.poked.notify_one();
    }

    pub(super) fn call_source(&self, id: SourceId, ready: Ready, buffer: &mut [u8]) {
        let source = self.sources.borrow().by_id.get(&id).map(Rc::clone);
        if let Some(source) = source {
            self.sources.borrow_mut().called = Some(id);
            // They count their reads of a turn by so much.
            let len = buffer.len().min(BUFFER_BYTES);
            source.ready(ready, &mut buffer[..len]);
            self.sources.borrow_mut().called = None;
        }
    }

    /// Has a source called: in this turn, or, if it asks for that itself, in the next, so that one
    /// that always has more does not starve the others.
    pub(super) fn schedule_source(&self, id: SourceId) {
        let mut sources = self.sources.borrow_mut();
        if sources.called == Some(id) {
            sources.again.push(id);
        } else {
            self.add_work(Job::Source(id));
        }
    }

    /// A turn begins: those that asked for it are called.
    pub(super) fn schedule_again(&self) {
        for id in self.sources.borrow_mut().again.drain(..) {
            self.add_work(Job::Source(id));
        }
    }

    /// True if some wait for the next turn.
    pub(super) fn has_sources_again(&self) -> bool {
        !self.sources.borrow().again.is_empty()
    }
}
