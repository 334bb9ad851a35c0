//! What became of the connections of an instance, and how to wait for it.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use switchboard_sdk::Conn;

#[derive(Default)]
pub(crate) struct Ledger {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Sessions made in `open`.
    opened: u64,
    /// Calls of `closed`.
    closed: u64,
    /// Sessions dropped.
    dropped: u64,
    /// How the connections of a name have ended.
    ends: HashMap<String, String>,
    /// Clients that wait for an answer, by their key. They stay here when they are answered.
    late: HashMap<String, Conn>,
    /// The instance stops: nothing is waited for any more.
    over: bool,
}

/// Counts its drop.
pub(crate) struct Counted(Arc<Ledger>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.change(|state| state.dropped += 1);
    }
}

impl Ledger {
    pub(crate) fn opened(this: &Arc<Self>) -> Counted {
        this.change(|state| state.opened += 1);
        Counted(Arc::clone(this))
    }

    pub(crate) fn is_late(&self, key: &str, conn: Conn) {
        self.change(|state| {
            state.late.insert(key.to_owned(), conn);
        });
    }

    pub(crate) fn closed(&self, name: &str, how: &str) {
        self.change(|state| {
            state.closed += 1;
            state.ends.insert(name.to_owned(), how.to_owned());
        });
    }

    pub(crate) fn is_over(&self) {
        self.change(|state| state.over = true);
    }

    pub(crate) fn stats(&self) -> String {
        self.lock().stats()
    }

    pub(crate) fn await_dropped(&self, count: u64) -> Option<String> {
        self.wait(|state| (state.dropped >= count).then(|| state.stats()))
    }

    pub(crate) fn await_end(&self, name: &str) -> Option<String> {
        self.wait(|state| state.ends.get(name).cloned())
    }

    pub(crate) fn await_late(&self, key: &str) -> Option<Conn> {
        self.wait(|state| state.late.get(key).copied())
    }

    /// `None`: the instance stops.
    fn wait<T>(&self, look: impl Fn(&State) -> Option<T>) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some(found) = look(&state) {
                return Some(found);
            }
            if state.over {
                return None;
            }
            state = self.changed.wait(state).expect("no thread panics with it");
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics with it")
    }
}

impl State {
    fn stats(&self) -> String {
        format!("opened {} closed {} dropped {}", self.opened, self.closed, self.dropped)
    }
}
