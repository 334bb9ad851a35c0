//! One connection: it dials, sends what the plan says, checks what comes, and does wrong what its
//! habit is. It is driven by a worker and waits for nothing.

mod life;
mod traffic;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mio::Registry;
use switchboard_websocket::{Decoder, Role};

use crate::check::{Checker, Inflow};
use crate::dial::{Dialler, Socket};
use crate::message::Maker;
use crate::plan::{Goal, Habit, Mode, Plan};
use crate::random::Random;
use crate::report::Report;

/// What all connections of a run share.
#[derive(Debug)]
pub(crate) struct Shared<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) maker: Maker,
    pub(crate) dialler: Dialler,
    pub(crate) start: Instant,
    /// Of a chat: how many speak, have joined, and have said all.
    speakers: AtomicUsize,
    joined: AtomicUsize,
    silent: AtomicUsize,
    /// Of a chat: how many messages each has sent.
    sent: Vec<AtomicU64>,
}

/// What one call needs of its worker.
pub(crate) struct Context<'a> {
    pub(crate) shared: &'a Shared<'a>,
    pub(crate) registry: &'a Registry,
    pub(crate) report: &'a mut Report,
    pub(crate) checker: &'a mut Checker,
    pub(crate) random: &'a mut Random,
    /// To read into, and to make messages in.
    pub(crate) input: &'a mut [u8],
    pub(crate) payload: &'a mut Vec<u8>,
    pub(crate) now: Instant,
}

/// A connection, and those after it if it comes back.
#[derive(Debug)]
pub(crate) struct Client {
    sender: u32,
    habit: Habit,
    stage: Stage,
    /// Since when the stage lasts, or anything last came.
    since: Instant,
    socket: Option<Socket>,
    key: String,
    head: Vec<u8>,
    decoder: Decoder,
    /// What is to leave, and how much of it has.
    out: Vec<u8>,
    out_at: usize,
    /// Whether more may be there to be read than was taken at once.
    has_more: bool,
    /// Number of the next message.
    seq: u64,
    /// After which message the habit shows.
    until: u64,
    /// Of echoes: what is on its way, and when it was due to be sent.
    on_way: VecDeque<(u64, Instant)>,
    /// By sender.
    inflows: HashMap<u32, Inflow>,
    /// Numbered messages that came.
    received: u64,
    /// When the next may be sent.
    send_at: Instant,
    /// Of a chat.
    has_joined: bool,
    is_silent: bool,
    lives: u32,
}

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// To be dialled.
    Waiting,
    Dialling,
    Shaking,
    Open,
    /// Nothing is read or written any more, but the socket stays.
    Vanished,
    /// A Close frame was sent; whether it comes back afterwards.
    Closing {
        returns: bool,
    },
    Done,
}

impl<'a> Shared<'a> {
    pub(crate) fn new(plan: &'a Plan, dialler: Dialler) -> Self {
        let senders = plan.senders();
        let speakers = senders.clone().filter(|sender| plan.habit(*sender) == Habit::Good).count();
        Self {
            plan,
            maker: Maker::new(plan),
            dialler,
            start: Instant::now(),
            speakers: AtomicUsize::new(speakers),
            joined: AtomicUsize::new(0),
            silent: AtomicUsize::new(0),
            sent: senders.map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Whether the time of the plan is over.
    fn is_over(&self, now: Instant) -> bool {
        matches!(self.plan.goal, Goal::Duration(time) if now >= self.start + time)
    }

    /// Whether what is due then has a latency.
    fn is_warm(&self, due: Instant) -> bool {
        due >= self.start + self.plan.warm_up
    }

    fn sent_in_all(&self) -> u64 {
        self.sent.iter().map(|sent| sent.load(Ordering::SeqCst)).sum()
    }
}

impl Client {
    pub(crate) fn new(sender: u32, shared: &Shared<'_>) -> Self {
        Self {
            sender,
            habit: shared.plan.habit(sender),
            stage: Stage::Waiting,
            since: shared.start,
            socket: None,
            key: String::new(),
            head: Vec::new(),
            decoder: Decoder::new(Role::Client),
            out: Vec::new(),
            out_at: 0,
            has_more: false,
            seq: 0,
            until: 0,
            on_way: VecDeque::new(),
            inflows: HashMap::new(),
            received: 0,
            send_at: shared.start,
            has_joined: false,
            is_silent: false,
            lives: 0,
        }
    }

    pub(crate) fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether it speaks, in a chat; elsewhere whether it sends.
    fn speaks(&self, plan: &Plan) -> bool {
        match plan.mode {
            Mode::Echo { .. } => true,
            Mode::Idle | Mode::Receive | Mode::Stall => false,
            Mode::Chat => self.habit == Habit::Good,
        }
    }

    /// Whether it does not read yet.
    fn is_stalled(&self, shared: &Shared<'_>, now: Instant) -> bool {
        shared.plan.mode == Mode::Stall && !shared.is_over(now)
    }

    /// When it will have something to send, if it is the time that it waits for.
    pub(crate) fn due(&self, shared: &Shared<'_>, now: Instant) -> Option<Instant> {
        let waits = shared.plan.rate.is_some()
            && self.stage == Stage::Open
            && self.speaks(shared.plan)
            && self.send_at > now;
        waits.then_some(self.send_at)
    }

    fn has_sent_all(&self, shared: &Shared<'_>, now: Instant) -> bool {
        let has_sent = match shared.plan.goal {
            Goal::Messages(count) => self.seq >= count,
            Goal::Duration(_) => false,
        };
        has_sent || shared.is_over(now)
    }

    /// Whether nothing more will be sent or is to come.
    fn is_finished(&self, shared: &Shared<'_>, now: Instant) -> bool {
        match shared.plan.mode {
            Mode::Echo { .. } => self.has_sent_all(shared, now) && self.on_way.is_empty(),
            Mode::Idle => self.has_sent_all(shared, now),
            // What came while it did not read comes in one go.
            Mode::Stall => {
                shared.is_over(now) && !self.has_more && now.duration_since(self.since) > QUIET
            }
            Mode::Receive => match shared.plan.goal {
                Goal::Messages(count) => self.received >= count,
                Goal::Duration(_) => shared.is_over(now),
            },
            Mode::Chat => {
                let silent = shared.silent.load(Ordering::SeqCst);
                silent >= shared.speakers.load(Ordering::SeqCst)
                    && self.received >= shared.sent_in_all()
            }
        }
    }

    /// Whether something is owed that does not come.
    fn is_stuck(&self, shared: &Shared<'_>, now: Instant) -> bool {
        let waits = match shared.plan.mode {
            Mode::Echo { .. } => !self.on_way.is_empty(),
            Mode::Idle | Mode::Receive | Mode::Stall => false,
            Mode::Chat => {
                let silent = shared.silent.load(Ordering::SeqCst);
                silent >= shared.speakers.load(Ordering::SeqCst)
            }
        };
        waits && now.duration_since(self.since) > shared.plan.patience
    }
}

/// A slow reader reads so much at each tick.
const SLOW_BYTES: usize = 200;
/// One that did not read, and gets nothing for so long when it does, has got all.
const QUIET: Duration = Duration::from_millis(500);
/// How often a worker looks at all its connections, if it must.
pub(crate) const TICK: Duration = Duration::from_millis(20);
