//! Answers deferred messages later, from a thread of its own, in their order.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex};

use switchboard_sdk::{Conn, Kept};

use crate::threads::Threads;

pub(crate) struct Worker {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    kept: VecDeque<Kept>,
    over: bool,
}

/// So many are gathered before any is answered, unless one says that it is the last.
const GATHERED: usize = 32;

impl Worker {
    pub(crate) fn start(threads: &Threads, conn: Conn) -> Arc<Self> {
        let worker = Arc::new(Self { state: Mutex::default(), changed: Condvar::new() });
        threads.start({
            let worker = Arc::clone(&worker);
            move || worker.run(conn)
        });
        worker
    }

    pub(crate) fn take(&self, message: Kept) {
        self.state.lock().expect("no thread panics with it").kept.push_back(message);
        self.changed.notify_all();
    }

    pub(crate) fn is_over(&self) {
        self.state.lock().expect("no thread panics with it").over = true;
        self.changed.notify_all();
    }

    fn run(&self, conn: Conn) {
        loop {
            let mut state = self.state.lock().expect("no thread panics with it");
            while !state.over && !state.is_ready() {
                state = self.changed.wait(state).expect("no thread panics with it");
            }
            if state.over {
                return;
            }
            let kept = std::mem::take(&mut state.kept);
            drop(state);
            for message in &kept {
                // The client may have left.
                let _ = conn.send(message).and_then(|_| conn.ack(message.seq()));
            }
        }
    }
}

impl State {
    fn is_ready(&self) -> bool {
        let last = self.kept.back().and_then(|kept| kept.body().text());
        self.kept.len() >= GATHERED || last.is_some_and(|text| text.ends_with("last"))
    }
}
