//! One slot: a connection, and those that follow it. It is driven by a worker and waits for nothing.

mod ending;
mod hearing;
mod opening;
mod saying;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mio::Registry;
use switchboard_websocket::deflate::{Deflater, Engine};
use switchboard_websocket::handshake::deflate::Offer;
use switchboard_websocket::{CloseCode, Decoder, Role};

use super::content::{Message, Sizes};
use super::life::{Fate, Life};
use super::report::Report;
use super::wire::Wire;
use super::{Goal, Soak, Target};
use crate::dial::Dialler;
use crate::random::Random;

/// What one call needs of its worker.
pub(super) struct Context<'a> {
    pub(super) soak: &'a Soak,
    /// Whether the run is over.
    pub(super) stop: &'a AtomicBool,
    /// By target: with the usual receive buffer, and with a small one.
    pub(super) diallers: &'a [[Dialler; 2]],
    pub(super) registry: &'a Registry,
    pub(super) report: &'a mut Report,
    pub(super) engine: &'a mut Engine,
    /// To read into, and to make messages in.
    pub(super) input: &'a mut [u8],
    pub(super) payload: &'a mut Vec<u8>,
    pub(super) frame: &'a mut Vec<u8>,
    pub(super) now: Instant,
}

/// A slot.
#[derive(Debug)]
pub(super) struct Client {
    slot: u32,
    target: usize,
    life: Life,
    /// Of what depends on time, as how writes are cut; all else follows from the script.
    random: Random,
    stage: Stage,
    /// Since when nothing has come or left.
    since: Instant,
    wire: Option<Wire>,
    key: String,
    offer: Option<Offer>,
    head: Vec<u8>,
    decoder: Decoder,
    deflater: Option<Deflater>,
    /// What is to leave, and how much of it has.
    out: Vec<u8>,
    out_at: usize,
    /// Number of the next message.
    seq: u32,
    /// Messages whose echoes have not come, and their bytes.
    on_way: VecDeque<(Message, usize)>,
    on_way_bytes: usize,
    /// Pings whose pongs have not come.
    pings: VecDeque<Vec<u8>>,
    /// Nothing is said before.
    rests_until: Instant,
    /// Nothing, or little, is read before.
    pauses_until: Option<Instant>,
    /// When the reset is due.
    resets_at: Option<Instant>,
    /// What the Close said that was sent.
    closed_with: Option<CloseCode>,
    /// Whether this side of the stream has ended.
    has_finished: bool,
    /// Whether nothing can be written any more.
    is_cut: bool,
    /// How it came to be drained.
    how: &'static str,
    /// Whether more can be done than was done in one turn, or when.
    again: Again,
}

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// To be dialled.
    Waiting,
    Dialling,
    /// The handshake of TLS.
    Securing,
    /// The request is leaving, or its answer is to come.
    Asking,
    Open,
    /// A Close has been sent.
    Closing,
    /// Only the end of the stream is to come.
    Draining,
    /// The slot has had its last connection.
    Done,
}

/// When a client needs another turn, if no event brings it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    No,
    Now,
    At(Instant),
}

/// What is written in pieces, or read slowly, has its next turn so much later.
const STEP: Duration = Duration::from_millis(3);

impl Client {
    pub(super) fn new(slot: u32, soak: &Soak) -> Self {
        let target = slot as usize % soak.targets.len();
        let now = Instant::now();
        Self {
            slot,
            target,
            life: Self::draw(slot, target, 0, soak),
            random: Random::of(&[soak.seed, u64::from(slot), u64::MAX]),
            stage: Stage::Waiting,
            since: now,
            wire: None,
            key: String::new(),
            offer: None,
            head: Vec::new(),
            decoder: Decoder::new(Role::Client),
            deflater: None,
            out: Vec::new(),
            out_at: 0,
            seq: 0,
            on_way: VecDeque::new(),
            on_way_bytes: 0,
            pings: VecDeque::new(),
            rests_until: now,
            pauses_until: None,
            resets_at: None,
            closed_with: None,
            has_finished: false,
            is_cut: false,
            how: "",
            again: Again::No,
        }
    }

    fn draw(slot: u32, target: usize, number: u32, soak: &Soak) -> Life {
        let mut random = Random::of(&[soak.seed, u64::from(slot), u64::from(number)]);
        Life::draw(&soak.targets[target], number, &mut random)
    }

    pub(super) fn stage(&self) -> Stage {
        self.stage
    }

    pub(super) fn is_opening(&self) -> bool {
        matches!(self.stage, Stage::Dialling | Stage::Securing | Stage::Asking)
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open | Stage::Closing | Stage::Draining)
    }

    /// When it needs a turn that no event brings.
    pub(super) fn take_again(&mut self) -> Again {
        std::mem::replace(&mut self.again, Again::No)
    }

    /// Asks for a turn, the sooner of this and what was asked for.
    fn want(&mut self, again: Again) {
        self.again = match (self.again, again) {
            (Again::Now, _) | (_, Again::Now) => Again::Now,
            (Again::At(one), Again::At(other)) => Again::At(one.min(other)),
            (Again::No, other) | (other, Again::No) => other,
        };
    }

    fn target<'a>(&self, ctx: &Context<'a>) -> &'a Target {
        &ctx.soak.targets[self.target]
    }

    /// The socket is ready for something.
    pub(super) fn ready(&mut self, is_writable: bool, ctx: &mut Context<'_>) {
        if self.stage == Stage::Dialling && is_writable {
            self.dialled(ctx);
        }
        self.turn(ctx);
    }

    /// Does what can be done now.
    pub(super) fn turn(&mut self, ctx: &mut Context<'_>) {
        if self.stage == Stage::Open && ctx.stop.load(Ordering::Relaxed) {
            self.wind_up(ctx.now);
        }
        match self.stage {
            Stage::Waiting | Stage::Dialling | Stage::Done => return,
            Stage::Securing => self.secure(ctx),
            Stage::Asking => self.ask(ctx),
            Stage::Open | Stage::Closing | Stage::Draining => self.exchange(ctx),
        }
        if let Some(at) = self.resets_at {
            if at <= ctx.now {
                self.reset(ctx);
            } else {
                self.want(Again::At(at));
            }
        }
    }

    /// The run is over: nothing new is said.
    fn wind_up(&mut self, now: Instant) {
        self.life.messages = self.life.messages.min(self.seq);
        self.rests_until = self.rests_until.min(now);
    }

    fn exchange(&mut self, ctx: &mut Context<'_>) {
        self.hear(ctx);
        if self.stage == Stage::Open {
            self.say(ctx);
        }
        self.flush(ctx);
        self.finish_behind_close();
        if self.stage == Stage::Open {
            self.meet_fate(ctx);
        }
    }

    /// Looks whether something is owed that does not come.
    pub(super) fn look(&mut self, ctx: &mut Context<'_>) {
        let waits = match self.stage {
            Stage::Waiting | Stage::Done => false,
            Stage::Open => !self.on_way.is_empty() || !self.pings.is_empty(),
            _ => true,
        };
        let paused = self.pauses_until.map_or(self.since, |until| until.max(self.since));
        if waits && ctx.now.saturating_duration_since(paused) > ctx.soak.patience {
            self.fault("nothing comes", &format!("{:?}", self.stage), ctx);
            self.next_life(ctx);
        }
    }

    /// Something is wrong. Whoever says so ends the connection too.
    fn fault(&self, kind: &str, what: &str, ctx: &mut Context<'_>) {
        let (target, life) = (self.target(ctx), &self.life);
        let what = format!(
            "seed {}, {}, slot {}, connection {} ({}), {} sent, {} echoes and {} pongs to come: {what}",
            ctx.soak.seed,
            target.name,
            self.slot,
            life.number,
            life.fate.name(),
            self.seq,
            self.on_way.len(),
            self.pings.len(),
        );
        ctx.report.fault(ctx.now, kind, &what);
    }

    /// This connection is over, and another one follows if there is to be one.
    fn next_life(&mut self, ctx: &mut Context<'_>) {
        *ctx.report.fates.entry(self.life.fate).or_default() += 1;
        let number = self.life.number + 1;
        let is_over = match ctx.soak.goal {
            Goal::Lives(lives) => number >= lives,
            Goal::Duration(_) => false,
        };
        let is_over = is_over || ctx.stop.load(Ordering::Relaxed);
        let random = self.random.clone();
        *self = Self { random, ..Self::new(self.slot, ctx.soak) };
        self.life = Self::draw(self.slot, self.target, number, ctx.soak);
        self.stage = if is_over { Stage::Done } else { Stage::Waiting };
    }

    fn message(&self, seq: u32) -> Message {
        Message::new(self.slot, self.life.number, seq, self.life.sizes)
    }

    fn floods(&self) -> bool {
        self.life.sizes == Sizes::Large
    }

    /// Whether it reads nothing now.
    fn is_deaf(&self, now: Instant) -> bool {
        matches!(self.life.fate, Fate::Naps | Fate::Sleeps)
            && self.pauses_until.is_some_and(|until| until > now)
    }

    /// Whether it reads little now.
    fn is_slow(&self, now: Instant) -> bool {
        self.life.fate == Fate::ReadsSlowly && self.pauses_until.is_some_and(|until| until > now)
    }
}
