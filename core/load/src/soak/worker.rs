//! Threads that give each slot its turn when something has come, can leave, or is due.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};
use switchboard_websocket::deflate::Engine;

use super::client::{Again, Client, Context, Stage};
use super::{Goal, Progress, Report, Soak};
use crate::dial::Dialler;
use crate::worker::{Error, on_threads, raise_file_limit};

/// So many connections of a thread are being opened at a time.
const OPENING_MAX: usize = 128;
/// How often all are looked at.
const LOOK: Duration = Duration::from_secs(1);
const SMALL_BUFFER_BYTES: usize = 16 << 10;

pub(super) fn run(soak: &Soak, progress: &Progress) -> Result<Report, Error> {
    // The number of a slot has 24 bits.
    let connections_max = 1 << 24;
    if soak.connections > connections_max {
        return Err(Error::TooMany(connections_max));
    }
    if soak.targets.is_empty() {
        return Err(Error::NoTarget);
    }
    raise_file_limit();
    let diallers = soak.targets.iter().map(|target| {
        let dialler = |bytes| Dialler::new(&target.url, bytes).map_err(Error::Name);
        Ok([dialler(None)?, dialler(Some(SMALL_BUFFER_BYTES))?])
    });
    let diallers = diallers.collect::<Result<Vec<_>, Error>>()?;
    let threads = soak.threads.clamp(1, soak.connections.max(1));
    let start = Instant::now();
    let work = |thread: usize| {
        let slots = (thread..soak.connections).step_by(threads).map(|slot| slot as u32);
        let clients = slots.map(|slot| Client::new(slot, soak)).collect();
        let mut worker = Worker::new(soak, progress, &diallers, start, clients)?;
        worker.run()?;
        Ok::<_, Error>(worker.report)
    };
    let mut sum = Report::default();
    for report in on_threads(threads, work)? {
        sum.merge(report);
    }
    sum.duration = start.elapsed();
    Ok(sum)
}

struct Worker<'a> {
    soak: &'a Soak,
    progress: &'a Progress,
    diallers: &'a [[Dialler; 2]],
    start: Instant,
    poll: Poll,
    clients: Vec<Client>,
    /// Which are to be dialled.
    waiting: VecDeque<usize>,
    opening: usize,
    /// Which have more to do, each once.
    soon: VecDeque<usize>,
    is_soon: Vec<bool>,
    /// When which has something to do. Of each client only the next is valid.
    alarms: BinaryHeap<Reverse<(Instant, usize)>>,
    next_alarm: Vec<Option<Instant>>,
    left: usize,
    report: Report,
    engine: Engine,
    input: Vec<u8>,
    payload: Vec<u8>,
    frame: Vec<u8>,
}

impl<'a> Worker<'a> {
    fn new(
        soak: &'a Soak,
        progress: &'a Progress,
        diallers: &'a [[Dialler; 2]],
        start: Instant,
        clients: Vec<Client>,
    ) -> io::Result<Self> {
        Ok(Self {
            soak,
            progress,
            diallers,
            start,
            poll: Poll::new()?,
            waiting: (0..clients.len()).collect(),
            opening: 0,
            soon: VecDeque::new(),
            is_soon: vec![false; clients.len()],
            alarms: BinaryHeap::new(),
            next_alarm: vec![None; clients.len()],
            left: clients.len(),
            clients,
            report: Report::default(),
            engine: Engine::default(),
            input: vec![0; 64 << 10],
            payload: Vec::new(),
            frame: Vec::new(),
        })
    }

    fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut looked = Instant::now();
        let mut is_stopping = false;
        while self.left > 0 {
            let begun = Instant::now();
            self.dial();
            self.work_off_soon();
            self.wake_due();
            self.note_turn(begun);
            match self.poll.poll(&mut events, Some(self.patience(looked + LOOK))) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            let begun = Instant::now();
            for event in &events {
                let is_writable = event.is_writable() || event.is_error();
                self.act(event.token().0, |client, ctx| client.ready(is_writable, ctx));
            }
            let stops = self.is_over() && !std::mem::replace(&mut is_stopping, true);
            if stops || looked.elapsed() >= LOOK {
                looked = Instant::now();
                for at in 0..self.clients.len() {
                    self.act(at, |client, ctx| {
                        if stops {
                            client.turn(ctx);
                        }
                        client.look(ctx);
                    });
                }
            }
            self.note_turn(begun);
        }
        Ok(())
    }

    fn note_turn(&mut self, begun: Instant) {
        self.report.longest_turn = self.report.longest_turn.max(begun.elapsed());
    }

    fn is_over(&self) -> bool {
        if matches!(self.soak.goal, Goal::Duration(time) if self.start.elapsed() >= time) {
            self.progress.stop.store(true, Ordering::Relaxed);
        }
        self.progress.stop.load(Ordering::Relaxed)
    }

    /// How long may be waited for events.
    fn patience(&self, look: Instant) -> Duration {
        if !self.soon.is_empty() {
            return Duration::ZERO;
        }
        let next = self.alarms.peek().map_or(look, |alarm| alarm.0.0.min(look));
        next.saturating_duration_since(Instant::now())
    }

    fn dial(&mut self) {
        for _ in 0..self.waiting.len() {
            if self.opening >= OPENING_MAX {
                return;
            }
            let Some(at) = self.waiting.pop_front() else { return };
            self.act(at, |client, ctx| client.dial(Token(at), ctx));
        }
    }

    fn work_off_soon(&mut self) {
        for _ in 0..self.soon.len() {
            let Some(at) = self.soon.pop_front() else { return };
            self.is_soon[at] = false;
            self.act(at, Client::turn);
        }
    }

    fn wake_due(&mut self) {
        let now = Instant::now();
        while let Some(Reverse((due, at))) = self.alarms.peek().copied() {
            if due > now {
                return;
            }
            self.alarms.pop();
            if self.next_alarm[at] == Some(due) {
                self.next_alarm[at] = None;
                self.act(at, Client::turn);
            }
        }
    }

    /// Lets a client do something, and keeps count of what has changed by it.
    fn act(&mut self, at: usize, act: impl FnOnce(&mut Client, &mut Context<'_>)) {
        let Some(client) = self.clients.get_mut(at) else { return };
        let mut ctx = Context {
            soak: self.soak,
            stop: &self.progress.stop,
            diallers: self.diallers,
            registry: self.poll.registry(),
            report: &mut self.report,
            engine: &mut self.engine,
            input: &mut self.input,
            payload: &mut self.payload,
            frame: &mut self.frame,
            now: Instant::now(),
        };
        let (was_opening, was_open, before) =
            (client.is_opening(), client.is_open(), client.stage());
        act(client, &mut ctx);
        self.opening += usize::from(client.is_opening());
        self.opening -= usize::from(was_opening);
        match (was_open, client.is_open()) {
            (false, true) => drop(self.progress.open.fetch_add(1, Ordering::Relaxed)),
            (true, false) => drop(self.progress.open.fetch_sub(1, Ordering::Relaxed)),
            _ => {}
        }
        let (after, again) = (client.stage(), client.take_again());
        if after == Stage::Waiting && before != Stage::Waiting {
            self.waiting.push_back(at);
        }
        self.left -= usize::from(after == Stage::Done && before != Stage::Done);
        match again {
            Again::No => {}
            Again::Now => {
                if !std::mem::replace(&mut self.is_soon[at], true) {
                    self.soon.push_back(at);
                }
            }
            Again::At(due) => {
                if self.next_alarm[at].is_none_or(|next| due < next) {
                    self.next_alarm[at] = Some(due);
                    self.alarms.push(Reverse((due, at)));
                }
            }
        }
    }
}
