//! What leaves: messages in fragments, pings between them, and bytes in pieces of any size.

use switchboard_websocket::{
    CONTROL_BYTES_MAX, FrameHeader, HEADER_BYTES_MAX, Kind, OpCode, apply_mask, encode_header,
    write_ping,
};

use super::{Again, Client, Context, Fate, STEP};
use crate::random::Random;
use crate::soak::wire::Written;

/// No more messages are made while so much waits to leave, or is on its way; of one that floods it
/// is more than systems keep for the two sockets and a host for its client.
const WAITING_BYTES_MAX: usize = 256 << 10;
const ON_WAY_BYTES_MAX: usize = 1 << 20;
const FLOOD_BYTES_MAX: usize = 24 << 20;
const PINGS_MAX: usize = 16;
/// In about so many pieces leaves what leaves in pieces, at least.
const PIECES: usize = 200;

impl Client {
    /// Makes the messages that may be sent now.
    pub(super) fn say(&mut self, ctx: &mut Context<'_>) {
        while self.may_say(ctx) {
            let is_last = self.seq + 1 == self.life.messages;
            self.begin_pause(ctx);
            let begun = self.out.len();
            let last_frame = self.compose(ctx);
            self.seq += 1;
            if is_last && self.break_off(begun, last_frame) {
                return;
            }
            self.rest(ctx);
        }
        if self.seq < self.life.messages && self.rests_until > ctx.now {
            self.want(Again::At(self.rests_until));
        }
    }

    fn may_say(&self, ctx: &Context<'_>) -> bool {
        let is_deaf = self.is_deaf(ctx.now);
        let bytes_max = if self.floods() { FLOOD_BYTES_MAX } else { ON_WAY_BYTES_MAX };
        // Before the reset something is sent that is never finished.
        self.resets_at.is_none()
            && self.seq < self.life.messages
            && (is_deaf || self.rests_until <= ctx.now)
            && self.on_way.len() < self.life.depth
            && (self.on_way_bytes < bytes_max)
            && self.out.len() - self.out_at < WAITING_BYTES_MAX
    }

    fn begin_pause(&mut self, ctx: &Context<'_>) {
        let pauses = matches!(self.life.fate, Fate::Naps | Fate::Sleeps | Fate::ReadsSlowly);
        if pauses && self.pauses_until.is_none() && self.seq >= self.life.pause_at {
            self.pauses_until = Some(ctx.now + self.life.pause);
        }
    }

    /// Now and then it says nothing for a while, or asks whether the server is there.
    fn rest(&mut self, ctx: &mut Context<'_>) {
        if self.random.percent(10) {
            self.ping(ctx);
        }
        if self.life.fate == Fate::Idles {
            self.rests_until = ctx.now + self.life.rest_max;
        } else if self.random.percent(30) {
            let share = self.random.below(1000) as f64 / 1000.0;
            self.rests_until = ctx.now + self.life.rest_max.mul_f64(share);
        }
    }

    /// Writes the next message. Returns where its last frame begins.
    fn compose(&mut self, ctx: &mut Context<'_>) -> usize {
        let message = self.message(self.seq);
        let kind = message.make(ctx.soak.seed, ctx.soak.message_bytes_max, ctx.payload);
        let payload = std::mem::take(ctx.payload);
        let mut frame = std::mem::take(ctx.frame);
        let (is_deflated, body) = match &mut self.deflater {
            None => (false, payload.as_slice()),
            Some(deflater) => {
                frame.clear();
                deflater.write_message(ctx.engine, &mut frame, kind, &payload, None);
                match FrameHeader::parse(&frame) {
                    Ok(Some((header, len))) => (header.rsv1, &frame[len..]),
                    _ => unreachable!("a frame begins with its header"),
                }
            }
        };
        let last_frame = self.write(kind, is_deflated, body, ctx);
        ctx.report.sent += 1;
        ctx.report.bytes_sent += payload.len() as u64;
        self.on_way.push_back((message, payload.len()));
        self.on_way_bytes += payload.len();
        (*ctx.payload, *ctx.frame) = (payload, frame);
        last_frame
    }

    fn write(&mut self, kind: Kind, rsv1: bool, body: &[u8], ctx: &mut Context<'_>) -> usize {
        let must = self.life.fate == Fate::ResetInMessage && self.seq + 1 == self.life.messages;
        let mut ends = Vec::new();
        if must || self.random.percent(40) {
            let cuts = self.random.spread(1, 20);
            ends.extend((0..cuts).map(|_| self.random.below(body.len() as u64 + 1) as usize));
            ends.sort_unstable();
            ctx.report.fragmented += 1;
        }
        ends.push(body.len());
        let (mut at, mut begins) = (0, 0);
        for (part, end) in ends.iter().enumerate() {
            let (is_first, is_last) = (part == 0, part + 1 == ends.len());
            if !is_first && self.random.percent(20) {
                self.ping(ctx);
            }
            begins = self.out.len();
            let opcode = if is_first { kind.into() } else { OpCode::Continuation };
            let rsv1 = rsv1 && is_first;
            write_frame(&mut self.out, is_last, rsv1, opcode, &body[at..*end], &mut self.random);
            at = *end;
        }
        begins
    }

    fn ping(&mut self, ctx: &mut Context<'_>) {
        if self.pings.len() >= PINGS_MAX {
            return;
        }
        let len = self.random.below(CONTROL_BYTES_MAX as u64 + 1) as usize;
        let payload: Vec<u8> = (0..len).map(|_| self.random.next() as u8).collect();
        write_ping(&mut self.out, &payload, Some(self.random.mask()));
        self.pings.push_back(payload);
        ctx.report.pings += 1;
    }

    /// Of a message that is never finished some of the bytes behind `begun` leave. False if it is
    /// to be finished.
    fn break_off(&mut self, begun: usize, last_frame: usize) -> bool {
        let (from, to) = match self.life.fate {
            Fate::ResetInMessage => (last_frame, last_frame),
            Fate::ResetInFrame => (last_frame.max(begun) + 1, self.out.len()),
            _ => return false,
        };
        // Nobody can have got it.
        if let Some((_, bytes)) = self.on_way.pop_back() {
            self.on_way_bytes -= bytes;
        }
        self.out.truncate(from + self.random.below((to - from) as u64) as usize);
        true
    }

    /// Whether all that was to leave has.
    pub(super) fn has_left(&self) -> bool {
        self.is_cut || self.out.is_empty() && self.wire.as_ref().is_none_or(|wire| !wire.owes())
    }

    /// How much is written at once: what is long must not take for ever.
    pub(super) fn piece(&mut self) -> usize {
        let waiting = self.out.len() - self.out_at;
        match self.life.write_bytes_max {
            usize::MAX => usize::MAX,
            most => self.random.spread(1, most).max(waiting / PIECES),
        }
    }

    /// Writes what there is room for; if it leaves in pieces, one of them.
    pub(super) fn flush(&mut self, ctx: &mut Context<'_>) {
        while !self.has_left() {
            let piece = self.piece();
            let Some(wire) = &mut self.wire else { return };
            let Ok(Written { taken, left }) = wire.write(&self.out[self.out_at..], piece) else {
                return self.cannot_write();
            };
            self.out_at += taken;
            self.tidy();
            if left > 0 {
                self.since = ctx.now;
            }
            match (left, piece) {
                (0, usize::MAX) => return,
                (_, usize::MAX) => {}
                // What was cut short brings no event.
                (0, _) => return self.want(Again::At(ctx.now + STEP)),
                _ => return self.want(Again::Now),
            }
        }
    }

    /// What the server said before it went may be there to be read yet.
    fn cannot_write(&mut self) {
        self.out_at = self.out.len();
        self.tidy();
        self.life.messages = self.seq;
        self.is_cut = true;
        self.want(Again::Now);
    }

    fn tidy(&mut self) {
        if self.out_at == self.out.len() {
            self.out_at = 0;
            self.out.clear();
            // Few need much at a time.
            if self.out.capacity() > 64 << 10 {
                self.out = Vec::new();
            }
        }
    }
}

fn write_frame(
    out: &mut Vec<u8>,
    fin: bool,
    rsv1: bool,
    opcode: OpCode,
    body: &[u8],
    random: &mut Random,
) {
    let mask = random.mask();
    let mut header = [0; HEADER_BYTES_MAX];
    let used = encode_header(&mut header, fin, rsv1, opcode, body.len(), Some(mask));
    out.extend_from_slice(&header[..used]);
    let start = out.len();
    out.extend_from_slice(body);
    apply_mask(&mut out[start..], mask, 0);
}
