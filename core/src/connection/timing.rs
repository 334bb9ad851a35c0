//! Limits in time: idle, ping and pong, no progress, the end.

use std::time::Duration;

use switchboard_websocket::write_ping;

use super::row::{Cause, Phase, Row};
use super::{Job, Shard};
use crate::shard::{ConnId, Owner};
use crate::stream::{Clock, NEVER, Tick};

/// How often a connection that holds memory is looked at, and how long it may do so without
/// progress when memory is short.
const STUCK: Duration = Duration::from_secs(1);

/// What is due at a connection.
enum Due {
    Nothing,
    Ping,
    End(Cause),
    /// The end takes too long.
    Cut,
}

impl Shard {
    /// Sees to it that the wheel comes by when something is due at `row`.
    pub(super) fn arm(&self, conn: ConnId, row: &mut Row) {
        let next = row.next_due(self.now());
        if next < row.alarm {
            row.alarm = self.wheel.borrow_mut().add(next, conn);
        }
    }

    /// Looks at the connections whose time has come.
    pub(super) fn wake_sleepers(&self) {
        let mut due = Vec::new();
        self.wheel.borrow_mut().advance(self.now(), &mut due);
        for conn in due {
            self.look_at(conn);
        }
    }

    fn look_at(&self, conn: ConnId) {
        let now = self.now();
        let mut rows = self.rows.borrow_mut();
        // An entry that an earlier one has overtaken is nobody's.
        let Some(row) = rows.get(conn).filter(|row| row.alarm <= now) else { return };
        row.alarm = NEVER;
        let due = row.due(now, self.face.gates.at(conn.slot()).wants_writable());
        if let Due::Ping = due {
            row.ping_sent = now;
        }
        let phase = row.phase;
        self.arm(conn, row);
        drop(rows);
        match due {
            Due::Nothing => {}
            Due::Ping => self.put(conn, |out| write_ping(out, b"", None)),
            Due::End(cause) => self.end(conn, cause),
            Due::Cut if phase == Phase::Ending => self.add_work(Job::End(conn)),
            Due::Cut => self.free(conn),
        }
    }
}

impl Row {
    /// `is_awaited`: the endpoint waits for room.
    fn due(&self, now: Tick, is_awaited: bool) -> Due {
        if self.deadline <= now {
            return Due::Cut;
        }
        if self.phase != Phase::Open {
            return Due::Nothing;
        }
        if self.is_slow(now, is_awaited) {
            return Due::End(Cause::Slow);
        }
        if self.left_at() <= now {
            return Due::End(Cause::Left);
        }
        if self.is_unfinished(now) {
            return Due::End(Cause::Unfinished);
        }
        if self.idle_at() <= now {
            return Due::End(Cause::Idle);
        }
        match self.ping_sent {
            NEVER if self.ping_at() <= now => Due::Ping,
            NEVER => Due::Nothing,
            _ if self.pong_at() <= now => Due::End(Cause::Silent),
            _ => Due::Nothing,
        }
    }

    fn next_due(&self, now: Tick) -> Tick {
        match self.phase {
            Phase::Opening | Phase::Accepted => NEVER,
            Phase::Open => {
                let ping = if self.ping_sent == NEVER { self.ping_at() } else { self.pong_at() };
                let look = if self.counted > 0 { Clock::after(now, STUCK) } else { NEVER };
                ping.min(look).min(self.idle_at()).min(self.left_at())
            }
            Phase::Ending | Phase::Closing | Phase::Lingering => self.deadline,
        }
    }

    /// True if nothing has left for too long, of what waits.
    fn is_slow(&self, now: Tick, is_awaited: bool) -> bool {
        let Some(waiting) = &self.waiting else { return false };
        let Owner { marks, budget, .. } = &*self.endpoint.owner;
        // A pause, of reading or of the endpoint, lasts until half of the mark is reached, and nothing
        // else watches it.
        let most = if self.paused || is_awaited { marks.soft / 2 } else { marks.soft };
        let patience = self.endpoint.settings.limits.slow_timeout;
        let past = |patience| Clock::after(waiting.progress, patience) <= now;
        waiting.len() > most && past(patience) || past(STUCK) && budget.is_short()
    }

    /// When a client that has ended its stream is given up, because neither the endpoint takes
    /// anything nor the client.
    fn left_at(&self) -> Tick {
        let left = self.rare.as_ref().and_then(|rare| rare.left);
        let Some(left) = left.filter(|_| self.paused) else { return NEVER };
        let since = self.waiting.as_ref().map_or(left, |waiting| waiting.progress.max(left));
        Clock::after(since, self.endpoint.settings.limits.slow_timeout)
    }

    /// True if the client takes memory that is short, for a message that it does not finish.
    fn is_unfinished(&self, now: Tick) -> bool {
        self.decoder.buffered_bytes() > 0
            && Clock::after(self.last_data, STUCK) <= now
            && self.endpoint.owner.budget.is_short()
    }

    fn idle_at(&self) -> Tick {
        after(self.last_data, self.endpoint.settings.limits.idle_timeout)
    }

    fn ping_at(&self) -> Tick {
        // While reading is paused a pong would not be seen.
        if self.paused {
            return NEVER;
        }
        after(self.last_read, self.endpoint.settings.limits.ping_interval)
    }

    fn pong_at(&self) -> Tick {
        if self.paused {
            return NEVER;
        }
        Clock::after(self.ping_sent, self.endpoint.settings.limits.ping_timeout)
    }
}

fn after(from: Tick, after: Option<Duration>) -> Tick {
    after.map_or(NEVER, |after| Clock::after(from, after))
}
