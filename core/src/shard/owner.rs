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
    pub fn judge(&self, backlog: usize, ahead: usize, len: usize) -> Sent {
        match self.marks.judge(backlog + ahead, len) {
            Sent::Taken | Sent::Pressure if backlog > 0 && self.budget.is_full() => {
                if self.marks.refuses() { Sent::Again } else { Sent::Pressure }
            }
            sent => sent,
        }
    }

    /// True if a client for which `backlog` bytes wait may be sent more.
    pub fn is_writable(&self, backlog: usize) -> bool {
        backlog <= self.marks.soft / 2 && (backlog == 0 || !self.budget.is_full())
    }
}
