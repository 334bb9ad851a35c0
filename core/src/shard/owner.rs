//! Whose connections they are, and what those may hold.

use std::sync::Arc;

use super::{Budget, Marks, Sent};

/// An endpoint, as the shards know it.
#[derive(Debug)]
pub struct Owner {
    /// Tells it from every other generation of this run. 0 is nobody's.
    pub number: u32,
    /// How much may wait for one of its clients.
    pub marks: Marks,
    /// How much all of them may hold.
    pub budget: Budget,
}

/// What keeps a sender from sending without end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// The hard mark and the budget: a send may be refused.
    Marks,
    /// Its own: it sends what it has read already, and reads no further while a send says
    /// "pressure". None is refused.
    Sender,
}

/// What something beside a client holds of an endpoint's budget, until it is dropped.
#[derive(Debug)]
pub struct Charge {
    owner: Arc<Owner>,
    bytes: usize,
}

impl Charge {
    /// Nothing yet.
    pub fn new(owner: &Arc<Owner>) -> Self {
        Self { owner: Arc::clone(owner), bytes: 0 }
    }

    /// What is held now.
    pub fn set(&mut self, bytes: usize) {
        if bytes != self.bytes {
            self.owner.budget.change(self.bytes, bytes);
            self.bytes = bytes;
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.set(0);
    }
}

impl Owner {
    /// What a send of `len` bytes comes to. `backlog` bytes wait for the socket, and `ahead` bytes
    /// have still to be tried.
    pub fn judge(&self, bound: Bound, backlog: usize, ahead: usize, len: usize) -> Sent {
        let full = backlog > 0 && self.budget.is_full();
        let sent = if full { Sent::Again } else { self.marks.judge(backlog + ahead, len) };
        match (bound, sent) {
            (Bound::Sender, Sent::Again) => Sent::Pressure,
            (_, sent) => sent,
        }
    }

    /// True if a client for which `backlog` bytes wait may be sent more.
    pub fn is_writable(&self, backlog: usize) -> bool {
        backlog <= self.marks.soft / 2 && (backlog == 0 || !self.budget.is_full())
    }
}
