//! What comes, held against what is owed.

use switchboard_websocket::{CloseFrame, Decoder, Event, Kind, Limits, Role, write_pong};

use super::{Again, Client, Context, STEP, Stage};
use crate::soak::wire::Got;

const LIMITS: Limits = Limits { message_bytes_max: 1 << 30, frame_bytes_max: 1 << 30 };
/// One of many goes on to the next after so many reads.
const READS_MAX: usize = 8;
/// A slow reader reads so much at each step: some 1 MB a second, so that what is free in the buffers
/// of the system shows to the server well before it loses its patience.
const SLOW_BYTES: usize = 4 << 10;

impl Client {
    /// Reads and checks what has come, if it listens.
    pub(super) fn hear(&mut self, ctx: &mut Context<'_>) {
        if let Some(until) = self.pauses_until.filter(|_| self.is_deaf(ctx.now)) {
            return self.want(Again::At(until));
        }
        let is_slow = self.is_slow(ctx.now);
        let (reads, bytes) = if is_slow { (1, SLOW_BYTES) } else { (READS_MAX, ctx.input.len()) };
        for _ in 0..reads {
            let Some(wire) = &mut self.wire else { return };
            match wire.read(&mut ctx.input[..bytes]) {
                Ok(Got::Bytes(count)) => {
                    self.since = ctx.now;
                    let input = std::mem::take(&mut ctx.input);
                    self.take(&mut input[..count], ctx);
                    ctx.input = input;
                }
                Ok(Got::Nothing) => return,
                Ok(Got::End) => return self.ended(None, ctx),
                Err(error) => return self.ended(Some(&error), ctx),
            }
        }
        self.want(if is_slow { Again::At(ctx.now + STEP) } else { Again::Now });
    }

    pub(super) fn take(&mut self, bytes: &mut [u8], ctx: &mut Context<'_>) {
        let life = self.life.number;
        // Out of `self`, so that its events can be worked off.
        let mut decoder = std::mem::replace(&mut self.decoder, Decoder::new(Role::Client));
        let mut at = 0;
        loop {
            match decoder.next_in(ctx.engine, &LIMITS, bytes, &mut at) {
                Ok(None) => break,
                Ok(Some(event)) => self.heard(&event, ctx),
                Err(error) => self.wrong("the host broke the protocol", &error.to_string(), ctx),
            }
            // A fault was found, and this connection is another one's.
            if self.life.number != life {
                return;
            }
        }
        self.decoder = decoder;
    }

    fn heard(&mut self, event: &Event<'_>, ctx: &mut Context<'_>) {
        match event {
            Event::Message { kind, payload } => self.check(*kind, payload, ctx),
            Event::Pong(payload) => self.check_pong(payload, ctx),
            Event::Ping(payload) => {
                // Nothing is said behind a Close, nor inside a frame that is never finished.
                let is_last = self.life.fate.is_broken_off() && self.seq >= self.life.messages;
                if self.stage == Stage::Open && !is_last {
                    ctx.report.pinged += 1;
                    write_pong(&mut self.out, payload, Some(self.random.mask()));
                }
            }
            Event::Close(close) => self.closed(close.as_ref(), ctx),
        }
    }

    fn check(&mut self, kind: Kind, payload: &[u8], ctx: &mut Context<'_>) {
        ctx.report.received += 1;
        ctx.report.bytes_received += payload.len() as u64;
        ctx.report.longest = ctx.report.longest.max(payload.len());
        let seed = ctx.soak.seed;
        let Some((message, len)) = self.on_way.pop_front() else {
            let finding = self.message(self.seq).judge(seed, payload).0.name();
            return self.wrong(finding, "a message that is not owed", ctx);
        };
        self.on_way_bytes -= len;
        let expected = message.make(seed, ctx.soak.message_bytes_max, ctx.payload);
        if kind == expected && payload == *ctx.payload {
            return;
        }
        let (finding, found) = message.judge(seed, payload);
        let pairs = payload.iter().zip(ctx.payload.iter());
        let same = pairs.take_while(|(got, expected)| got == expected).count();
        let what = format!(
            "message {}, {expected:?} of {len} bytes: there came {kind:?} of {} bytes, which \
             differ at {same}, of {found:?}",
            message.seq(),
            payload.len(),
        );
        self.wrong(finding.name(), &what, ctx);
    }

    fn check_pong(&mut self, payload: &[u8], ctx: &mut Context<'_>) {
        match self.pings.pop_front() {
            Some(ping) if ping == payload => ctx.report.pongs += 1,
            Some(ping) => {
                let what = format!("to a ping of {} bytes one of {}", ping.len(), payload.len());
                self.wrong("a wrong pong", &what, ctx);
            }
            None => self.wrong("a pong to no ping", "", ctx),
        }
    }

    fn closed(&mut self, close: Option<&CloseFrame<'_>>, ctx: &mut Context<'_>) {
        let code = close.map(|close| close.code);
        let is_answered = self.stage == Stage::Closing && code == self.closed_with;
        if is_answered && self.on_way.is_empty() && self.pings.is_empty() {
            return self.drain("close answered");
        }
        if self.may_be_slow(code, ctx) {
            return self.give_way(ctx);
        }
        let reason = close.map_or("", |close| close.reason);
        let code = code.map_or("no code".to_owned(), |code| code.to_string());
        let kind = if is_answered { "lost" } else { "closed by the host" };
        self.wrong(kind, &format!("{:?}, a Close with {code} {reason:?}", self.stage), ctx);
    }

    /// A fault ends the connection.
    pub(super) fn wrong(&mut self, kind: &str, what: &str, ctx: &mut Context<'_>) {
        self.fault(kind, what, ctx);
        self.next_life(ctx);
    }
}
