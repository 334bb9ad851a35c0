//! Many messages to one connection, from several threads and from its callbacks at the same time.
//!
//! Each message is its sender (one byte; the callbacks are the last sender, and mark the end of a
//! chunk by `CHUNK_END`) and its number (four bytes, little-endian).

use std::sync::{Arc, Condvar, Mutex};

use switchboard_sdk::{Conn, SendError};

use crate::threads::Threads;

const CHUNK_END: u8 = 0x80;

pub(crate) struct Flood {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Calls of `writable` until now.
    rooms: u64,
    /// Sends of the threads that found no room.
    refused: u64,
    over: bool,
}

impl Flood {
    pub(crate) fn start(threads: &Threads, conn: Conn, senders: u8, count: u32) -> Arc<Self> {
        let flood = Arc::new(Self { state: Mutex::default(), changed: Condvar::new() });
        for sender in 0..senders {
            let flood = Arc::clone(&flood);
            threads.start(move || flood.send_all(conn, sender, count));
        }
        flood
    }

    pub(crate) fn has_room(&self) {
        self.state.lock().expect("no thread panics with it").rooms += 1;
        self.changed.notify_all();
    }

    pub(crate) fn is_over(&self) {
        self.state.lock().expect("no thread panics with it").over = true;
        self.changed.notify_all();
    }

    pub(crate) fn refused(&self) -> u64 {
        self.state.lock().expect("no thread panics with it").refused
    }

    fn send_all(&self, conn: Conn, sender: u8, count: u32) {
        let mut rooms = 0;
        let mut number = 0;
        while number < count {
            match conn.send_binary(&message(sender, number)) {
                Ok(_) => number += 1,
                // A `writable` since the last look counts: it may be the one for this refusal.
                Err(SendError::Again) => match self.room_since(rooms) {
                    Some(now) => rooms = now,
                    None => return,
                },
                Err(_) => return,
            }
        }
    }

    /// Waits until there were more than `before`. `None`: the connection has ended.
    fn room_since(&self, before: u64) -> Option<u64> {
        let mut state = self.state.lock().expect("no thread panics with it");
        state.refused += 1;
        while state.rooms == before && !state.over {
            state = self.changed.wait(state).expect("no thread panics with it");
        }
        (!state.over).then_some(state.rooms)
    }
}

/// What the callbacks send.
pub(crate) struct Own {
    sender: u8,
    next: u32,
    /// The end of the chunk that is being sent.
    until: u32,
    chunk: u32,
    count: u32,
}

impl Own {
    pub(crate) fn new(sender: u8, count: u32, chunk: u32) -> Self {
        Self { sender, next: 0, until: 0, chunk, count }
    }

    /// Begins the next chunk.
    pub(crate) fn more(&mut self, conn: Conn) {
        self.until = self.count.min(self.until + self.chunk);
        self.go_on(conn);
    }

    /// Sends the rest of the chunk, as far as there is room.
    pub(crate) fn go_on(&mut self, conn: Conn) {
        while self.next < self.until {
            let end = if self.next + 1 == self.until { CHUNK_END } else { 0 };
            match conn.send_binary(&message(self.sender | end, self.next)) {
                Ok(_) => self.next += 1,
                Err(_) => return,
            }
        }
    }
}

fn message(sender: u8, number: u32) -> [u8; 5] {
    let [a, b, c, d] = number.to_le_bytes();
    [sender, a, b, c, d]
}
