//! Messages out and in.

use std::io::{self, Read, Write};
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;
use switchboard_websocket::{
    Decoder, Event, HEADER_BYTES_MAX, Kind, Limits, OpCode, Role, apply_mask, encode_header,
    write_close, write_message, write_ping, write_pong,
};

use super::{Client, Context, SLOW_BYTES, Stage};
use crate::check::{Finding, Inflow};
use crate::message::Number;
use crate::plan::{Habit, Mode};
use crate::random::Random;

const LIMITS: Limits = Limits { message_bytes_max: 1 << 30, frame_bytes_max: 1 << 30 };
/// No more messages are made while so much waits to leave.
const WAITING_BYTES_MAX: usize = 1 << 20;
/// A worker goes on to its next connection after so many reads.
const READS_MAX: usize = 16;

impl Client {
    /// Sends and reads what can be sent and read now.
    pub(super) fn exchange(&mut self, ctx: &mut Context<'_>) {
        self.has_more = true;
        self.send_on(ctx);
        if self.is_stalled(ctx.shared, ctx.now) {
            return;
        }
        // A slow reader reads at ticks, and then little.
        let (reads, bytes) = match self.habit {
            Habit::Slow => (1, SLOW_BYTES),
            _ => (READS_MAX, ctx.input.len()),
        };
        for _ in 0..reads {
            match self.stage {
                Stage::Open | Stage::Closing { .. } => {}
                _ => return,
            }
            match self.read(&mut ctx.input[..bytes]) {
                Ok(None) => {
                    self.has_more = false;
                    return;
                }
                Ok(Some(0)) => return self.over("ended without a close frame", ctx),
                Ok(Some(count)) => {
                    self.since = ctx.now;
                    let input = std::mem::take(&mut ctx.input);
                    self.take(&mut input[..count], ctx);
                    ctx.input = input;
                    self.send_on(ctx);
                }
                Err(error) => return self.over(&error.to_string(), ctx),
            }
        }
    }

    /// Sends what can be sent now, and misbehaves if it is time.
    pub(crate) fn send_on(&mut self, ctx: &mut Context<'_>) {
        self.send(ctx);
        if self.flush().is_err() {
            // What the server said before it went may be there to be read yet.
            self.out.clear();
            self.out_at = 0;
        }
        if self.stage == Stage::Open && self.habit != Habit::Good {
            self.misbehave(ctx);
        }
    }

    /// `None` if nothing has come.
    pub(super) fn read(&mut self, input: &mut [u8]) -> io::Result<Option<usize>> {
        let Some(socket) = &mut self.socket else { return Ok(None) };
        match socket.read(input) {
            Ok(count) => Ok(Some(count)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        let Some(socket) = &mut self.socket else { return Ok(()) };
        while self.out_at < self.out.len() {
            match socket.write(&self.out[self.out_at..]) {
                Ok(count) => self.out_at += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        // An idle connection keeps no memory.
        self.out = if self.out.capacity() > 64 << 10 { Vec::new() } else { self.emptied() };
        self.out_at = 0;
        Ok(())
    }

    fn emptied(&mut self) -> Vec<u8> {
        let mut out = std::mem::take(&mut self.out);
        out.clear();
        out
    }

    fn send(&mut self, ctx: &mut Context<'_>) {
        let (shared, plan) = (ctx.shared, ctx.shared.plan);
        if self.stage != Stage::Open || !self.speaks(plan) {
            return;
        }
        if plan.mode == Mode::Chat
            && shared.joined.load(Ordering::SeqCst) < shared.speakers.load(Ordering::SeqCst)
        {
            return;
        }
        while self.may_send(ctx) {
            let number = Number { sender: self.sender, seq: self.seq };
            let kind = shared.maker.make(number, ctx.payload);
            if plan.mode == Mode::Chat {
                let text = String::from_utf8_lossy(ctx.payload);
                let say = format!(r#"{{"type":"say","text":"{text}"}}"#);
                shared.sent[(self.sender - plan.first_sender) as usize]
                    .fetch_add(1, Ordering::SeqCst);
                self.write(Kind::Text, say.as_bytes(), ctx.random, plan.fragmented_percent);
            } else {
                self.write(kind, ctx.payload, ctx.random, plan.fragmented_percent);
            }
            ctx.report.sent += 1;
            ctx.report.bytes_sent += ctx.payload.len() as u64;
            if self.on_way.is_empty() {
                self.since = ctx.now;
            }
            let mut due = ctx.now;
            if let Some(rate) = plan.rate {
                due = self.send_at;
                self.send_at += Duration::from_secs_f64(1.0 / rate);
                if shared.is_warm(due) {
                    ctx.report.lag.record(ctx.now - due);
                }
            }
            self.on_way.push_back((self.seq, due));
            self.seq += 1;
        }
        if self.has_sent_all(shared, ctx.now) {
            self.silent(ctx);
        }
    }

    fn may_send(&self, ctx: &Context<'_>) -> bool {
        let plan = ctx.shared.plan;
        let has_room = match plan.mode {
            Mode::Echo { depth } => self.on_way.len() < depth,
            // Half a minute's worth of a chat is more than it ever lags.
            _ => self.on_way.len() < 1000,
        };
        // One that comes and goes waits for its echoes before it goes.
        let stays = self.habit != Habit::Churn || self.seq < self.until;
        has_room
            && stays
            && self.out.len() - self.out_at < WAITING_BYTES_MAX
            && (plan.rate.is_none() || self.send_at <= ctx.now)
            && !self.has_sent_all(ctx.shared, ctx.now)
    }

    fn write(&mut self, kind: Kind, payload: &[u8], random: &mut Random, fragmented_percent: u8) {
        if !random.percent(fragmented_percent) {
            return write_message(&mut self.out, kind, payload, Some(random.mask()));
        }
        let parts = 2 + random.below(3) as usize;
        let mut rest = payload;
        for part in 1..=parts {
            let opcode = if part == 1 { kind.into() } else { OpCode::Continuation };
            let is_last = part == parts;
            let len =
                if is_last { rest.len() } else { random.below(rest.len() as u64 + 1) as usize };
            let (now, later) = rest.split_at(len);
            let mask = random.mask();
            let mut header = [0; HEADER_BYTES_MAX];
            let used = encode_header(&mut header, is_last, false, opcode, len, Some(mask));
            self.out.extend_from_slice(&header[..used]);
            let start = self.out.len();
            self.out.extend_from_slice(now);
            apply_mask(&mut self.out[start..], mask, 0);
            if !is_last && random.percent(25) {
                write_ping(&mut self.out, b"between", Some(random.mask()));
            }
            rest = later;
        }
    }

    /// Checks what has come.
    pub(super) fn take(&mut self, bytes: &mut [u8], ctx: &mut Context<'_>) {
        // Out of `self`, so that its events can be worked off.
        let mut decoder = std::mem::replace(&mut self.decoder, Decoder::new(Role::Client));
        let mut at = 0;
        let mut ended = None;
        loop {
            match decoder.next(&LIMITS, bytes, &mut at) {
                Ok(None) => break,
                Ok(Some(Event::Message { kind, payload })) => self.message(kind, payload, ctx),
                Ok(Some(Event::Ping(payload))) => {
                    write_pong(&mut self.out, payload, Some(ctx.random.mask()));
                }
                Ok(Some(Event::Pong(_))) => {}
                Ok(Some(Event::Close(close))) => {
                    ended = Some(close.map_or("closed without a code".to_owned(), |close| {
                        format!("closed with {} {}", close.code, close.reason).trim_end().to_owned()
                    }));
                    if !matches!(self.stage, Stage::Closing { .. }) {
                        let code = close.map(|close| (close.code, ""));
                        write_close(&mut self.out, code, Some(ctx.random.mask()));
                        // Nobody needs the answer, if it does not leave at once.
                        let _ = self.flush();
                    }
                    break;
                }
                Err(error) => {
                    self.cut(&format!("broke the protocol: {error}"), ctx);
                    return;
                }
            }
            if self.socket.is_none() {
                return;
            }
        }
        self.decoder = decoder;
        if let Some(how) = ended {
            self.over(&how, ctx);
        }
    }

    fn message(&mut self, kind: Kind, payload: &[u8], ctx: &mut Context<'_>) {
        if ctx.shared.plan.mode == Mode::Chat {
            return self.said(payload, ctx);
        }
        ctx.report.received += 1;
        ctx.report.bytes_received += payload.len() as u64;
        let plan = ctx.shared.plan;
        let may_be_foreign =
            matches!(plan.mode, Mode::Receive | Mode::Stall) || plan.hello.is_some();
        if may_be_foreign && ctx.shared.maker.number(payload).is_none() {
            self.received += u64::from(plan.mode == Mode::Receive);
            return;
        }
        self.numbered(kind, payload, ctx);
    }

    /// What the plugin `chat` says.
    fn said(&mut self, payload: &[u8], ctx: &mut Context<'_>) {
        let value: Value = serde_json::from_slice(payload).unwrap_or_default();
        match value["type"].as_str() {
            Some("message") => {
                let text = value["text"].as_str().unwrap_or_default();
                ctx.report.received += 1;
                ctx.report.bytes_received += text.len() as u64;
                self.numbered(Kind::Text, text.as_bytes(), ctx);
            }
            Some("welcome") => {
                if self.habit == Habit::Good && !std::mem::replace(&mut self.has_joined, true) {
                    ctx.shared.joined.fetch_add(1, Ordering::SeqCst);
                }
            }
            Some("joined" | "left") => {}
            _ => {
                let what = String::from_utf8_lossy(payload).chars().take(200).collect::<String>();
                self.cut(&format!("the chat says {what}"), ctx);
            }
        }
    }

    fn numbered(&mut self, kind: Kind, payload: &[u8], ctx: &mut Context<'_>) {
        let findings = &mut ctx.report.findings;
        let Some(number) = ctx.checker.read(kind, payload, self.sender, findings) else { return };
        let Number { sender, seq } = number;
        let plan = ctx.shared.plan;
        let is_own = sender == self.sender;
        let is_other = ctx.shared.maker.is_other(sender);
        ctx.report.heard += u64::from(is_other);
        if !is_own && !is_other && matches!(plan.mode, Mode::Echo { .. } | Mode::Idle) {
            let what = format_args!("message {seq} of {sender}");
            return findings.add(Finding::Mixed, self.sender, what);
        }
        if is_own && self.speaks(plan) && seq >= self.seq {
            let what = format_args!("message {seq}, which was not sent yet");
            return findings.add(Finding::Corrupt, self.sender, what);
        }
        // A chat begins when all are there who speak, so they miss nothing of it. Who listens only
        // may come later.
        let from_start = plan.mode == Mode::Chat && self.habit == Habit::Good;
        let first = if from_start { 0 } else { seq };
        let inflow = self.inflows.entry(sender).or_insert_with(|| Inflow::new(first));
        if let Some(finding) = inflow.take(seq) {
            findings.add(finding, self.sender, format_args!("message {seq} of {sender}"));
        }
        self.received += 1;
        while is_own && self.on_way.front().is_some_and(|(oldest, _)| *oldest <= seq) {
            if let Some((of, due)) = self.on_way.pop_front()
                && of == seq
                && ctx.shared.is_warm(due)
            {
                ctx.report.latency.record(due.elapsed());
            }
        }
    }
}
