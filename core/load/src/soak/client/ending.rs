//! How a connection ends, by its own will or the host's.

use std::io;

use switchboard_websocket::{CloseCode, write_close};

use super::{Again, Client, Context, Fate, Stage};

impl Client {
    /// Does what it is fated to, if all before has been done.
    pub(super) fn meet_fate(&mut self, ctx: &mut Context<'_>) {
        if self.seq < self.life.messages || self.is_cut {
            return;
        }
        match self.life.fate {
            Fate::ResetBetween | Fate::ResetInMessage | Fate::ResetInFrame => {
                self.reset_when_left(ctx);
            }
            Fate::Fin if self.has_left() => {
                self.finish();
                self.drain("half close");
            }
            Fate::Fin => {}
            fate if fate.is_hasty() => self.close(ctx),
            _ if self.on_way.is_empty() && self.pings.is_empty() => self.close(ctx),
            _ => {}
        }
    }

    /// The reset comes a little after what was to leave before.
    fn reset_when_left(&mut self, ctx: &Context<'_>) {
        if self.has_left() && self.resets_at.is_none() {
            let at = ctx.now + self.life.delay;
            self.resets_at = Some(at);
            self.want(Again::At(at));
        }
    }

    fn close(&mut self, ctx: &mut Context<'_>) {
        let code = match self.random.below(4) {
            0 => None,
            1 => CloseCode::new(3000 + self.random.below(2000) as u16),
            _ => Some(CloseCode::NORMAL),
        };
        let reason = if self.random.percent(50) { "it was a pleasure" } else { "" };
        write_close(&mut self.out, code.map(|code| (code, reason)), Some(self.random.mask()));
        self.closed_with = code;
        self.stage = Stage::Closing;
        self.flush(ctx);
        self.finish_behind_close();
    }

    /// Who ends the stream behind the Close does so when that has left.
    pub(super) fn finish_behind_close(&mut self) {
        let is_due = self.stage == Stage::Closing && self.life.fate == Fate::LeavesWithFin;
        if is_due && self.has_left() && !self.is_cut {
            self.finish();
        }
    }

    fn finish(&mut self) {
        if let Some(wire) = self.wire.as_mut().filter(|_| !self.has_finished) {
            self.has_finished = true;
            // If the host has gone already, reading will say so.
            let _ = wire.finish();
        }
    }

    /// Nothing but the end of the stream is to come.
    pub(super) fn drain(&mut self, how: &'static str) {
        self.stage = Stage::Draining;
        self.how = how;
        self.want(Again::Now);
    }

    /// Whether the host may end this with 1013: it read nothing for too long. On an endpoint that
    /// suffers that for a moment only, a busy machine can make any client do so; on others it takes
    /// one that stands still.
    pub(super) fn may_be_slow(&self, code: Option<CloseCode>, ctx: &Context<'_>) -> bool {
        let target = self.target(ctx);
        let stood_still = ctx.report.longest_turn > target.slow_timeout / 2;
        let is_it = self.life.fate == Fate::Sleeps || target.is_hasty || stood_still;
        code == Some(CloseCode::TRY_AGAIN_LATER) && is_it
    }

    /// The host has closed it, and may: it answers, unless it stands in the middle of a frame.
    pub(super) fn give_way(&mut self, ctx: &mut Context<'_>) {
        let was_whole = self.has_left();
        self.out.clear();
        self.out_at = 0;
        let was_open = self.stage == Stage::Open;
        self.drain(if self.life.fate == Fate::Sleeps { "1013, asleep" } else { "1013, held up" });
        if was_open && was_whole {
            let code = Some((CloseCode::TRY_AGAIN_LATER, ""));
            write_close(&mut self.out, code, Some(self.random.mask()));
            self.flush(ctx);
        } else {
            self.finish();
        }
    }

    /// The host has ended its side of the stream, or the connection is broken.
    pub(super) fn ended(&mut self, error: Option<&io::Error>, ctx: &mut Context<'_>) {
        let in_order = error.is_none() && self.decoder.is_idle();
        // To half a stream nothing is owed, nor to one that the host closed.
        let owes = self.life.fate.is_owed_all() && self.how == "close answered";
        if self.stage == Stage::Draining && (in_order || !owes) {
            ctx.report.end(self.how);
            return self.next_life(ctx);
        }
        let error = error.map_or("the end of the stream".to_owned(), ToString::to_string);
        let kind = match self.stage {
            Stage::Draining => "a wrong end behind the close",
            _ => "ended without a close",
        };
        self.wrong(kind, &format!("{:?}: {error}", self.stage), ctx);
    }

    pub(super) fn reset(&mut self, ctx: &mut Context<'_>) {
        if let Some(wire) = self.wire.take() {
            wire.abort();
        }
        ctx.report.end("reset");
        self.next_life(ctx);
    }
}
