//! Dialling, the handshake, the end, and what comes after.

use std::io;
use std::sync::atomic::Ordering;

use mio::{Interest, Token};
use switchboard_websocket::handshake::{
    Request, Response, ResponseError, random_key_from, response_head_len,
};
use switchboard_websocket::{CloseCode, Decoder, Kind, Role, write_close, write_message};

use super::{Client, Context, Stage};
use crate::check::Inflow;
use crate::plan::{Goal, Habit, Mode};

const HEAD_BYTES_MAX: usize = 16 << 10;

impl Client {
    /// Begins a connection. It stays waiting if a Unix socket has too many waiting.
    pub(crate) fn dial(&mut self, token: Token, ctx: &mut Context<'_>) {
        self.since = ctx.now;
        let socket = ctx.shared.dialler.dial(self.sender).and_then(|mut socket| {
            let both = Interest::READABLE | Interest::WRITABLE;
            ctx.registry.register(&mut socket, token, both).map(|()| socket)
        });
        match socket {
            Ok(socket) => {
                self.socket = Some(socket);
                self.stage = Stage::Dialling;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => self.failed(&error.to_string(), ctx),
        }
    }

    /// The socket is ready for something.
    pub(crate) fn ready(&mut self, is_writable: bool, ctx: &mut Context<'_>) {
        if self.stage == Stage::Dialling && is_writable {
            self.dialled(ctx);
        }
        match self.stage {
            Stage::Shaking => self.shake(ctx),
            Stage::Open | Stage::Closing { .. } => self.exchange(ctx),
            Stage::Waiting | Stage::Dialling | Stage::Vanished | Stage::Done => {}
        }
    }

    fn dialled(&mut self, ctx: &mut Context<'_>) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.outcome() {
            return self.failed(&error.to_string(), ctx);
        }
        let mut random = [0; 16];
        random[..8].copy_from_slice(&ctx.random.next().to_ne_bytes());
        random[8..].copy_from_slice(&ctx.random.next().to_ne_bytes());
        self.key = random_key_from(random);
        let url = &ctx.shared.plan.url;
        if let Err(error) =
            Request::new(&url.authority(), &url.target, &self.key).write(&mut self.out)
        {
            return self.failed(&error.to_string(), ctx);
        }
        self.stage = Stage::Shaking;
    }

    fn shake(&mut self, ctx: &mut Context<'_>) {
        if let Err(error) = self.flush() {
            return self.failed(&error.to_string(), ctx);
        }
        loop {
            match self.read(ctx.input) {
                Ok(Some(0)) => return self.failed("ended before its answer", ctx),
                Ok(Some(count)) => self.head.extend_from_slice(&ctx.input[..count]),
                Ok(None) => return,
                Err(error) => return self.failed(&error.to_string(), ctx),
            }
            match self.judge() {
                Ok(None) => {}
                Ok(Some(rest)) => return self.opened(rest, ctx),
                Err(error) => return self.failed(&error.to_string(), ctx),
            }
        }
    }

    /// What came behind a good answer.
    fn judge(&self) -> Result<Option<Vec<u8>>, ResponseError> {
        let Some(len) = response_head_len(&self.head, HEAD_BYTES_MAX)? else { return Ok(None) };
        Response::parse(&self.head[..len])?.check(&self.key, &[])?;
        Ok(Some(self.head[len..].to_vec()))
    }

    fn opened(&mut self, mut rest: Vec<u8>, ctx: &mut Context<'_>) {
        ctx.report.opened += 1;
        ctx.report.opening.record(ctx.now - self.since);
        let plan = ctx.shared.plan;
        self.stage = Stage::Open;
        self.since = ctx.now;
        self.head = Vec::new();
        self.decoder = Decoder::new(Role::Client);
        self.lives += 1;
        self.until = self.seq + 1 + ctx.random.below(20);
        if let Mode::Echo { .. } = plan.mode {
            self.inflows.insert(self.sender, Inflow::new(self.seq));
        }
        if let Some(rate) = plan.rate {
            // So that not all speak at once.
            let first = ctx.random.below(1000) as f64 / 1000.0 / rate;
            self.send_at = ctx.now + std::time::Duration::from_secs_f64(first);
        }
        if let Some(hello) = &plan.hello {
            write_message(&mut self.out, Kind::Text, hello.as_bytes(), Some(ctx.random.mask()));
        }
        if plan.mode == Mode::Chat {
            let name = format!("load-{}-{}", self.sender, self.lives);
            let join = format!(r#"{{"type":"join","name":"{name}"}}"#);
            write_message(&mut self.out, Kind::Text, join.as_bytes(), Some(ctx.random.mask()));
        }
        self.take(&mut rest, ctx);
        self.exchange(ctx);
    }

    /// Looks whether time or the habit asks for something.
    pub(crate) fn tick(&mut self, ctx: &mut Context<'_>) {
        let plan = ctx.shared.plan;
        let is_late = ctx.now.duration_since(self.since) > plan.patience;
        match self.stage {
            Stage::Dialling | Stage::Shaking if is_late => self.failed("no answer in time", ctx),
            Stage::Closing { .. } if is_late => self.cut("no answer to a close", ctx),
            Stage::Closing { .. } if self.has_more => self.exchange(ctx),
            Stage::Open => {
                let is_over = self.is_finished(ctx.shared, ctx.now);
                if !self.habit.is_owed_all() && (is_over || self.has_sent_all(ctx.shared, ctx.now))
                {
                    return self.done(ctx);
                }
                if is_over || self.is_stuck(ctx.shared, ctx.now) {
                    return self.close(false, ctx);
                }
                if self.has_more {
                    self.exchange(ctx);
                } else {
                    self.send_on(ctx);
                }
            }
            Stage::Vanished if self.is_run_over(ctx) => self.done(ctx),
            _ => {}
        }
    }

    /// For one that waits for nothing itself: when the others are over.
    fn is_run_over(&self, ctx: &Context<'_>) -> bool {
        match ctx.shared.plan.goal {
            Goal::Duration(_) => ctx.shared.is_over(ctx.now),
            // The worker ends it with the others.
            Goal::Messages(_) => false,
        }
    }

    /// Does what its habit is, if it is time.
    pub(super) fn misbehave(&mut self, ctx: &mut Context<'_>) {
        let plan = ctx.shared.plan;
        let progress = if self.speaks(plan) { self.seq } else { self.received };
        // Those that neither send nor receive count ticks.
        let is_time = match plan.mode {
            Mode::Idle => ctx.random.below(50) == 0,
            _ => progress >= self.until,
        };
        if !is_time || self.stage != Stage::Open {
            return;
        }
        match self.habit {
            Habit::Good | Habit::Slow => {}
            Habit::Vanish => self.stage = Stage::Vanished,
            Habit::Abort => {
                if let Some(socket) = self.socket.take() {
                    socket.abort();
                }
                self.returns_or_ends(ctx);
            }
            // Only when all has come back, which it is owed.
            Habit::Churn if self.on_way.is_empty() => self.close(true, ctx),
            Habit::Churn => {}
        }
    }

    pub(super) fn close(&mut self, returns: bool, ctx: &mut Context<'_>) {
        self.silent(ctx);
        let close = Some((CloseCode::NORMAL, ""));
        write_close(&mut self.out, close, Some(ctx.random.mask()));
        self.stage = Stage::Closing { returns };
        self.since = ctx.now;
        self.exchange(ctx);
    }

    /// The server has closed, or ended the stream.
    pub(super) fn over(&mut self, how: &str, ctx: &mut Context<'_>) {
        match self.stage {
            Stage::Closing { returns: true } => self.returns_or_ends(ctx),
            Stage::Closing { returns: false } => self.done(ctx),
            _ => self.cut(how, ctx),
        }
    }

    /// It comes back, unless the run is over.
    fn returns_or_ends(&mut self, ctx: &mut Context<'_>) {
        self.account(ctx);
        self.forget();
        let is_over = self.has_sent_all(ctx.shared, ctx.now);
        self.stage = if is_over { Stage::Done } else { Stage::Waiting };
    }

    /// It did not open.
    fn failed(&mut self, reason: &str, ctx: &mut Context<'_>) {
        *ctx.report.failed.entry(reason.to_owned()).or_default() += 1;
        self.forget();
        self.leaves_chat(ctx);
        self.stage = Stage::Done;
    }

    /// It ended when it should not.
    pub(super) fn cut(&mut self, how: &str, ctx: &mut Context<'_>) {
        let expected = ctx.shared.plan.mode == Mode::Stall
            || matches!(self.habit, Habit::Slow | Habit::Abort | Habit::Vanish);
        let reasons = if expected { &mut ctx.report.ended } else { &mut ctx.report.cut };
        *reasons.entry(how.to_owned()).or_default() += 1;
        self.done(ctx);
    }

    /// The last step: whatever has not come is lost.
    pub(crate) fn done(&mut self, ctx: &mut Context<'_>) {
        self.account(ctx);
        self.forget();
        self.leaves_chat(ctx);
        self.stage = Stage::Done;
    }

    /// At the end of a run.
    pub(crate) fn done_if_vanished(&mut self, ctx: &mut Context<'_>) {
        if self.stage == Stage::Vanished {
            self.done(ctx);
        }
    }

    fn account(&mut self, ctx: &mut Context<'_>) {
        let shared = ctx.shared;
        let findings = &mut ctx.report.findings;
        if !self.habit.is_owed_all() {
            return;
        }
        match shared.plan.mode {
            Mode::Chat if self.habit == Habit::Good => {
                for (from, sent) in shared.plan.senders().zip(&shared.sent) {
                    let inflow = self.inflows.entry(from).or_default();
                    inflow.finish(from, sent.load(Ordering::SeqCst), self.sender, findings);
                }
            }
            _ => {
                for (from, inflow) in &self.inflows {
                    // What others have sent in all is not known here.
                    let is_own_echo = *from == self.sender && self.speaks(shared.plan);
                    let sent = if is_own_echo { self.seq } else { 0 };
                    inflow.finish(*from, sent, self.sender, findings);
                }
            }
        }
    }

    /// Nothing of this connection is left.
    fn forget(&mut self) {
        self.socket = None;
        self.head = Vec::new();
        self.out = Vec::new();
        self.out_at = 0;
        self.has_more = false;
        self.on_way.clear();
        self.inflows.clear();
    }

    /// It has said all it will say: the others wait for that.
    pub(super) fn silent(&mut self, ctx: &Context<'_>) {
        if self.speaks(ctx.shared.plan) && !std::mem::replace(&mut self.is_silent, true) {
            ctx.shared.silent.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// The others wait neither for it to join nor to speak.
    fn leaves_chat(&mut self, ctx: &Context<'_>) {
        if self.habit == Habit::Good && !std::mem::replace(&mut self.has_joined, true) {
            ctx.shared.joined.fetch_add(1, Ordering::SeqCst);
        }
        self.silent(ctx);
    }
}
