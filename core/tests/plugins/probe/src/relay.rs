//! A token that threads and callbacks hand to each other; whoever has it sends one message.
//!
//! Each message is its number (four bytes, little-endian), who sent it and who is next (a byte
//! each; the callbacks are the last). A hand-over is a happens-before, so the client must see the
//! numbers in order.

use std::sync::{Arc, Condvar, Mutex};

use switchboard_sdk::Conn;

use crate::threads::Threads;

pub(crate) struct Relay {
    conn: Conn,
    /// Number of the callbacks as a holder.
    callback: u8,
    count: u32,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    holder: u8,
    number: u32,
    random: u64,
    over: bool,
}

/// Messages that the callbacks send in one call, at most.
const TURNS_IN_CALLBACK: usize = 8;

impl Relay {
    pub(crate) fn start(
        threads: &Threads,
        conn: Conn,
        players: u8,
        count: u32,
        seed: u64,
    ) -> Arc<Self> {
        let state = State { holder: 0, number: 0, random: seed, over: false };
        let relay = Arc::new(Self {
            conn,
            callback: players,
            count,
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        for player in 0..players {
            let relay = Arc::clone(&relay);
            threads.start(move || while relay.play(player) {});
        }
        relay
    }

    /// Waits for the token in the callback, as no plugin should: what other threads send meanwhile
    /// is in the mailbox of this very thread when the callback sends.
    pub(crate) fn play_in_callback(&self) {
        for _ in 0..TURNS_IN_CALLBACK {
            if !self.play(self.callback) {
                return;
            }
        }
    }

    pub(crate) fn is_over(&self) {
        self.state.lock().expect("no thread panics with it").over = true;
        self.changed.notify_all();
    }

    /// Waits for the token, sends, hands it on. False: the game is over.
    fn play(&self, player: u8) -> bool {
        let mut state = self.state.lock().expect("no thread panics with it");
        while state.holder != player && !state.over {
            state = self.changed.wait(state).expect("no thread panics with it");
        }
        if state.over {
            return false;
        }
        let (number, next) = (state.number, state.draw(self.callback + 1));
        // Only the holder goes on, so the lock is not what orders the sends.
        drop(state);
        let [a, b, c, d] = number.to_le_bytes();
        let sent = self.conn.send_binary(&[a, b, c, d, player, next]);
        let mut state = self.state.lock().expect("no thread panics with it");
        state.number += 1;
        state.holder = next;
        state.over |= state.number == self.count || sent.is_err();
        let goes_on = !state.over;
        drop(state);
        self.changed.notify_all();
        goes_on
    }
}

impl State {
    /// Xorshift; a number below `end`.
    fn draw(&mut self, end: u8) -> u8 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        u8::try_from((self.random >> 32) % u64::from(end)).expect("it is below a byte")
    }
}
