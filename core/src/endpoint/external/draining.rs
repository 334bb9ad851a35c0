//! How a link lets its clients go: DRAIN, from either side.

use std::time::Duration;

use switchboard_protocol::{Drain, DrainReason, ErrorCode, LinkState};
use switchboard_websocket::CloseCode;

use super::link::{Draining, Link, State};
use super::supervisor::Event;
use crate::shard::Mail;

impl Link {
    /// The program is to end: DRAIN. True if it has clients, who have until `within`.
    pub(super) fn drain(&self, reason: DrainReason, within: Duration, text: &str) -> bool {
        let mut state = self.lock();
        if state.phase != LinkState::Agreed || state.inner.streams.is_empty() {
            return false;
        }
        state.draining = Draining::Told;
        let deadline_ms = u32::try_from(within.as_millis()).unwrap_or(u32::MAX).max(1);
        Drain { reason, deadline_ms, text }.encode(&mut state.inner.out);
        drop(state);
        self.flush_soon();
        true
    }

    /// Notes that the last stream has gone, if it was waited for.
    pub(super) fn see_whether_drained(&self, state: &mut State) {
        if !state.inner.streams.is_empty() {
            return;
        }
        match std::mem::replace(&mut state.draining, Draining::Done) {
            Draining::Told => {
                // The supervisor has gone when the host stops.
                let _ = self.events.send(Event::Drained(self.number));
            }
            Draining::Asked => {
                self.go_away(state, ErrorCode::NONE, "its clients have gone");
                self.flush_soon();
            }
            other => state.draining = other,
        }
    }

    /// It wanted to end, or was told to, and all of its clients have gone.
    pub(super) fn has_let_go(&self) -> bool {
        self.lock().draining == Draining::Done
    }

    /// The time that the program wanted is over: its clients are closed, as another run follows.
    pub(super) fn close_what_is_left(&self) {
        let state = self.lock();
        for row in state.inner.streams.values().filter(|row| !row.ending) {
            let mail = Mail::Close(row.conn, CloseCode::RESTART, "the program ends".into());
            // It may have ended meanwhile.
            let _ = self.about.shards.post(row.conn, self.about.number, mail);
        }
    }
}
