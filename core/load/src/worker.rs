//! Threads that drive connections, and the run as a whole.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;
use std::time::Instant;

use mio::{Events, Poll, Registry, Token};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::check::Checker;
use crate::client::{Client, Context, Shared, Stage, TICK};
use crate::dial::Dialler;
use crate::plan::{Goal, Mode, Plan};
use crate::random::Random;
use crate::report::Report;

/// Why a run could not be made. What the server does wrong is in the [`Report`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The name of the server.
    #[error("cannot resolve the server's name: {0}")]
    Name(io::Error),
    /// More connections than 127.0.0.0/8 or memory has room for.
    #[error("at most {0} connections can be told apart")]
    TooMany(usize),
    /// Shares that are more than the whole.
    #[error("the faults are more than a hundred of a hundred connections")]
    Faults,
    /// A rate of nothing, or of no number.
    #[error("the rate must be more than 0")]
    Rate,
    /// The operating system.
    #[error("cannot wait for sockets: {0}")]
    Poll(#[from] io::Error),
    /// A soak of nothing.
    #[error("there is no endpoint to be soaked")]
    NoTarget,
    /// A stall that is not over after a time.
    #[error("what does not read can only end after a time")]
    Goal,
    /// A thread has ended badly.
    #[error("a thread of the load generator has panicked")]
    Panicked,
}

/// Does what `plan` says, and returns when it is done.
///
/// Blocks, on as many threads as the plan says. Raises the process's limit on open files as far as
/// it may.
///
/// # Errors
/// What keeps the run from being made at all.
pub fn run(plan: &Plan) -> Result<Report, Error> {
    check(plan)?;
    raise_file_limit();
    let dialler = Dialler::new(&plan.url, plan.receive_buffer_bytes).map_err(Error::Name)?;
    let shared = Shared::new(plan, dialler);
    let threads = plan.threads.clamp(1, plan.connections.max(1));
    let work = |thread: usize| {
        let senders = plan.senders().skip(thread).step_by(threads);
        let mut worker = Worker::new(&shared, senders.map(|sender| Client::new(sender, &shared)))?;
        worker.random = Random::of(&[plan.seed, thread as u64, u64::MAX]);
        worker.run()?;
        Ok::<_, Error>(worker.report)
    };
    let mut sum = Report::default();
    for report in on_threads(threads, work)? {
        sum.merge(report);
    }
    sum.duration = shared.start.elapsed();
    Ok(sum)
}

/// Does `work`, which is told its number, on so many threads, and returns what it came to on each.
pub(crate) fn on_threads<T: Send>(
    threads: usize,
    work: impl Fn(usize) -> Result<T, Error> + Sync,
) -> Result<Vec<T>, Error> {
    let work = &work;
    let ended = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..threads).map(|thread| scope.spawn(move || work(thread))).collect();
        threads.into_iter().map(std::thread::ScopedJoinHandle::join).collect::<Vec<_>>()
    });
    ended.into_iter().map(|ended| ended.map_err(|_| Error::Panicked)?).collect()
}

fn check(plan: &Plan) -> Result<(), Error> {
    // The number of a sender has 24 bits.
    let connections_max = 1 << 24;
    if plan.connections.saturating_add(plan.first_sender as usize) > connections_max {
        return Err(Error::TooMany(connections_max));
    }
    let faults = plan.faults;
    let shares =
        [faults.abort_percent, faults.vanish_percent, faults.slow_percent, faults.churn_percent];
    if shares.into_iter().map(u32::from).sum::<u32>() > 100 {
        return Err(Error::Faults);
    }
    if plan.rate.is_some_and(|rate| !rate.is_finite() || rate <= 0.0) {
        return Err(Error::Rate);
    }
    if plan.mode == Mode::Stall && !matches!(plan.goal, Goal::Duration(_)) {
        return Err(Error::Goal);
    }
    Ok(())
}

pub(crate) fn raise_file_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        // If it may not be raised, some connections will say so.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
}

/// So many connections of a thread are being opened at a time.
const OPENING_MAX: usize = 64;

struct Worker<'a> {
    shared: &'a Shared<'a>,
    poll: Poll,
    clients: Vec<Client>,
    /// Which are to be dialled.
    waiting: VecDeque<usize>,
    /// When which is due to send. An entry that was overtaken finds nothing to send.
    alarms: BinaryHeap<Reverse<(Instant, usize)>>,
    opening: usize,
    open: u64,
    report: Report,
    random: Random,
    checker: Checker,
    input: Vec<u8>,
    payload: Vec<u8>,
}

impl<'a> Worker<'a> {
    fn new(shared: &'a Shared<'a>, clients: impl Iterator<Item = Client>) -> io::Result<Self> {
        let clients: Vec<Client> = clients.collect();
        Ok(Self {
            shared,
            poll: Poll::new()?,
            waiting: (0..clients.len()).collect(),
            clients,
            alarms: BinaryHeap::new(),
            opening: 0,
            open: 0,
            report: Report::default(),
            random: Random::new(0),
            checker: Checker::new(shared.maker.clone()),
            input: vec![0; 64 << 10],
            payload: Vec::new(),
        })
    }

    fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut tick = Instant::now();
        loop {
            self.dial();
            let next = self.alarms.peek().map_or(tick + TICK, |first| first.0.0.min(tick + TICK));
            let until_next = next.saturating_duration_since(Instant::now());
            match self.poll.poll(&mut events, Some(until_next)) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            self.wake_due();
            for (count, event) in events.iter().enumerate() {
                let is_writable = event.is_writable() || event.is_error();
                self.act(event.token().0, |client, ctx| client.ready(is_writable, ctx));
                // Those who are due do not wait until all that came is read.
                if count % 16 == 15 {
                    self.wake_due();
                }
            }
            if tick.elapsed() >= TICK {
                tick = Instant::now();
                for at in 0..self.clients.len() {
                    self.act(at, Client::tick);
                }
                if self.is_over() {
                    // Those that vanished wait for nobody.
                    for at in 0..self.clients.len() {
                        self.act(at, Client::done_if_vanished);
                    }
                    return Ok(());
                }
            }
        }
    }

    /// Lets those send whose time has come.
    fn wake_due(&mut self) {
        let now = Instant::now();
        while self.alarms.peek().is_some_and(|first| first.0.0 <= now) {
            let Some(Reverse((_, at))) = self.alarms.pop() else { return };
            self.act(at, Client::send_on);
        }
    }

    fn is_over(&self) -> bool {
        let waits_for_time = matches!(self.shared.plan.goal, Goal::Duration(_));
        self.clients.iter().all(|client| match client.stage() {
            Stage::Done => true,
            Stage::Vanished => !waits_for_time,
            _ => false,
        })
    }

    fn dial(&mut self) {
        for _ in 0..self.waiting.len() {
            if self.opening >= OPENING_MAX {
                return;
            }
            let Some(at) = self.waiting.pop_front() else { return };
            self.act(at, |client, ctx| client.dial(Token(at), ctx));
            if self.clients[at].stage() == Stage::Waiting {
                // A Unix socket with too many waiting: at the next turn.
                self.waiting.push_front(at);
                return;
            }
        }
    }

    /// Lets a client do something, and keeps count of what has changed by it.
    fn act(&mut self, at: usize, act: impl FnOnce(&mut Client, &mut Context<'_>)) {
        let registry: &Registry = self.poll.registry();
        let mut ctx = Context {
            shared: self.shared,
            registry,
            report: &mut self.report,
            checker: &mut self.checker,
            random: &mut self.random,
            input: &mut self.input,
            payload: &mut self.payload,
            now: Instant::now(),
        };
        let Some(client) = self.clients.get_mut(at) else { return };
        let (before, due_before) = (client.stage(), client.due(self.shared, ctx.now));
        act(client, &mut ctx);
        let (after, due) = (client.stage(), client.due(self.shared, ctx.now));
        if let Some(due) = due.filter(|_| due != due_before) {
            self.alarms.push(Reverse((due, at)));
        }
        let is_opening = |stage| matches!(stage, Stage::Dialling | Stage::Shaking);
        let is_open =
            |stage| matches!(stage, Stage::Open | Stage::Vanished | Stage::Closing { .. });
        self.opening += usize::from(is_opening(after));
        self.opening -= usize::from(is_opening(before));
        self.open += u64::from(is_open(after));
        self.open -= u64::from(is_open(before));
        self.report.open_max = self.report.open_max.max(self.open);
        if after == Stage::Waiting && before != Stage::Waiting {
            self.waiting.push_back(at);
        }
    }
}
