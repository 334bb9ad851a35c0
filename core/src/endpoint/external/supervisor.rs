//! Starts the program, or connects to its socket, and looks after it.
//!
//! One thread for each endpoint waits for what happens; it lives as long as its programs, so that
//! the end of the host is their end too, whatever ends it.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use switchboard_protocol::DrainReason;

use super::About;
use super::link::Link;
use super::program::{self, connect, how, signal};
use crate::conf::ExternalTarget;
use crate::endpoint::Drained;

/// What the supervisor waits for.
#[derive(Debug)]
pub(super) enum Event {
    /// The program of this link takes clients, or does not.
    Ready(u32, bool),
    /// The link has ended, and why.
    Lost(u32, String),
    /// The program gave no sign of life.
    Dead(u32),
    /// The program has ended.
    Exited(u32, ExitStatus),
    /// The program wants to end, and its clients have so long; zero is for ever.
    Draining(u32, Duration),
    /// The last client has gone of a program that was told to let them go.
    Drained(u32),
    /// The host stops soon: the program is to let its clients go.
    Drain(Drained),
    /// The host stops.
    Stop,
}

/// The thread that looks after a program.
pub(super) struct Supervisor {
    events: Sender<Event>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// How long the first wait before another start is, and the longest.
const BACKOFF_MIN: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(10);
/// A program that was ready for so long has done well: the next wait is the first again.
const WELL: Duration = Duration::from_secs(60);

/// How long a program that gave no sign of life has for its core after SIGABRT. One that is stopped
/// ends by SIGKILL only.
const ABORT_TIMEOUT: Duration = Duration::from_secs(2);

impl Supervisor {
    pub(super) fn start(about: Arc<About>) -> io::Result<Self> {
        let (events, inbox) = channel();
        let events_of_links = events.clone();
        let keeper =
            Keeper { about, events: events_of_links, inbox, backoff: BACKOFF_MIN, stopping: false };
        let name = format!("external {}", keeper.about.prefix);
        let thread = std::thread::Builder::new().name(name).spawn(move || keeper.run())?;
        Ok(Self { events, thread: Mutex::new(Some(thread)) })
    }

    /// Has the program let its clients go. No program is started from here on.
    pub(super) fn drain(&self, done: Drained) {
        // Who has ended has no clients.
        let _ = self.events.send(Event::Drain(done));
    }

    /// Has the program end.
    pub(super) fn begin_stop(&self) {
        // The thread ends only by this.
        let _ = self.events.send(Event::Stop);
    }

    /// Ends the program, and waits until it has ended.
    pub(super) fn stop(&self) {
        self.begin_stop();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that looks after a program panicked");
        }
    }
}

struct Keeper {
    about: Arc<About>,
    events: Sender<Event>,
    inbox: Receiver<Event>,
    backoff: Duration,
    /// The host stops: nothing is started any more.
    stopping: bool,
}

/// Clients are let go until then.
struct Deadline {
    at: Instant,
    /// If it is the host that wants them to go.
    done: Option<Drained>,
}

/// One run of a program.
struct Run {
    number: u32,
    link: Arc<Link>,
    /// None of an endpoint that listens.
    child: Option<Pid>,
}

/// How a run ended.
enum End {
    /// Start it again.
    Again,
    /// The host stops.
    Stop,
}

/// A signal and its name.
type Help = (Signal, &'static str);
const HELP: [Help; 2] = [(Signal::TERM, "SIGTERM"), (Signal::KILL, "SIGKILL")];
/// For a program that has had SIGABRT.
const KILL: [Help; 1] = [(Signal::KILL, "SIGKILL")];

impl Keeper {
    fn run(mut self) {
        loop {
            let end = match self.begin() {
                Ok(run) => self.look_after(&run),
                Err(error) => {
                    tracing::error!("{}: {error}", self.about.prefix);
                    End::Again
                }
            };
            if matches!(end, End::Stop) || self.stopping || self.rest() {
                return;
            }
        }
    }

    /// Waits before the next start, longer each time; true if the host stops.
    fn rest(&mut self) -> bool {
        let until = Instant::now() + jittered(self.backoff);
        self.backoff = (self.backoff * 2).min(BACKOFF_MAX);
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            match self.inbox.recv_timeout(left) {
                Ok(Event::Stop | Event::Drain(_)) => return true,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return true,
            }
        }
        false
    }

    fn begin(&self) -> Result<Run, String> {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed) + 1;
        let (socket, child) = match &self.about.settings.target {
            ExternalTarget::Program { program, arguments } => {
                let (ours, theirs) = UnixStream::pair().map_err(|error| error.to_string())?;
                let (prefix, events) = (&self.about.prefix, self.events.clone());
                let child = program::start(prefix, number, program, arguments, &theirs, events)?;
                (ours, Some(child))
            }
            ExternalTarget::Socket(path) => {
                let connected = connect(path);
                (connected.map_err(|error| format!("{}: {error}", path.display()))?, None)
            }
        };
        socket.set_nonblocking(true).map_err(|error| error.to_string())?;
        let events = self.events.clone();
        let link = Link::new(&self.about, number, OwnedFd::from(socket), child, events);
        *self.about.current.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Arc::clone(&link));
        link.attach();
        Ok(Run { number, link, child })
    }

    fn look_after(&mut self, run: &Run) -> End {
        let start_by = Instant::now() + self.about.settings.start_timeout;
        let mut ready_since: Option<Instant> = None;
        let mut deadline: Option<Deadline> = None;
        let mut dead = false;
        let why = loop {
            let start_by = ready_since.is_none().then_some(start_by);
            let until = start_by.into_iter().chain(deadline.iter().map(|one| one.at)).min();
            match self.next(until) {
                Ok(Event::Ready(number, true)) if number == run.number => {
                    if ready_since.is_none() {
                        tracing::info!("{}: ready", self.about.prefix);
                    }
                    ready_since.get_or_insert_with(Instant::now);
                }
                Ok(Event::Lost(number, why)) if number == run.number => break why,
                Ok(Event::Dead(number)) if number == run.number => {
                    signal(run.child, Signal::ABORT);
                    dead = true;
                    break "it gave no sign of life".to_owned();
                }
                Ok(Event::Exited(number, status)) if number == run.number => {
                    self.clear(run);
                    self.exited(run, status);
                    self.lose(run, ready_since);
                    return End::Again;
                }
                Ok(Event::Drain(done)) => deadline = self.drain(run, done),
                Ok(Event::Draining(number, within)) if number == run.number => {
                    let at = Instant::now() + within;
                    deadline = (!within.is_zero()).then_some(Deadline { at, done: None });
                }
                Ok(Event::Drained(number)) if number == run.number => deadline = None,
                Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => {
                    self.stop(run);
                    return End::Stop;
                }
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout)
                    if let Some(over) = deadline.take_if(|one| one.at <= Instant::now()) =>
                {
                    self.close_what_is_left(run, &over);
                }
                Err(RecvTimeoutError::Timeout) => {
                    let limit = self.about.settings.start_timeout;
                    break format!("it was not ready within {limit:?}");
                }
            }
        };
        drop(deadline);
        if run.link.has_let_go() {
            tracing::info!("{}: {why}", self.about.prefix);
        } else {
            tracing::error!("{}: {why}", self.about.prefix);
        }
        self.clear(run);
        self.lose(run, ready_since);
        let limit = self.about.settings.stop_timeout;
        if dead {
            self.end(run, limit.min(ABORT_TIMEOUT), &KILL)
        } else {
            self.end(run, limit, &HELP)
        }
    }

    /// What happens next, if it does before `until`.
    fn next(&self, until: Option<Instant>) -> Result<Event, RecvTimeoutError> {
        match until {
            Some(until) => self.inbox.recv_timeout(until.saturating_duration_since(Instant::now())),
            None => self.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    /// The host stops: clients are let go, if there are any.
    fn drain(&mut self, run: &Run, done: Drained) -> Option<Deadline> {
        self.stopping = true;
        let within = self.about.settings.drain_timeout.min(self.about.stop_timeout / 4);
        let drains = run.link.drain(DrainReason::SHUTDOWN, within, "the host stops");
        drains.then(|| Deadline { at: Instant::now() + within, done: Some(done) })
    }

    /// Who is left when the time is over is closed: by the host, which goes on now, or here.
    fn close_what_is_left(&self, run: &Run, over: &Deadline) {
        if over.done.is_some() {
            tracing::info!("{}: drain-timeout is over", self.about.prefix);
            return;
        }
        let link = Arc::clone(&run.link);
        self.about.shards.run(self.about.shard, Box::new(move || link.close_what_is_left()));
    }

    /// No new client goes to this run.
    fn clear(&self, run: &Run) {
        let mut current = self.about.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|link| link.number == run.number) {
            *current = None;
        }
    }

    /// Its clients are told, on the link's shard, behind all that it had sent.
    fn lose(&mut self, run: &Run, ready_since: Option<Instant>) {
        let link = Arc::clone(&run.link);
        let shard = self.about.shard;
        self.about.shards.run(shard, Box::new(move || link.ended("the program has ended")));
        if ready_since.is_some_and(|since| since.elapsed() >= WELL) {
            self.backoff = BACKOFF_MIN;
        }
    }

    /// What the program has started ends with it.
    fn exited(&self, run: &Run, status: ExitStatus) {
        signal(run.child, Signal::KILL);
        let (prefix, how) = (&self.about.prefix, how(status));
        // An orderly close is an event, not an error.
        if status.success() {
            tracing::info!("{prefix}: the program has ended: {how}");
        } else {
            tracing::error!("{prefix}: the program has ended: {how}");
        }
    }

    /// The host stops. The program gets a part of the time that the host itself has.
    fn stop(&mut self, run: &Run) {
        run.link.say_goodbye();
        self.clear(run);
        self.end(run, self.about.settings.stop_timeout.min(self.about.stop_timeout / 4), &HELP);
    }

    /// Waits for the program's own end, then helps, again after `limit`.
    fn end(&mut self, run: &Run, mut limit: Duration, help: &[Help]) -> End {
        let mut end = End::Again;
        let Some(pid) = run.child else { return end };
        for help in std::iter::once(None).chain(help.iter().map(Some)) {
            if let Some(&(signal, name)) = help {
                tracing::warn!("{}: the program still runs: {name}", self.about.prefix);
                program::signal(Some(pid), signal);
            }
            let mut until = Instant::now() + limit;
            loop {
                match self.inbox.recv_timeout(until.saturating_duration_since(Instant::now())) {
                    Ok(Event::Exited(number, status)) if number == run.number => {
                        self.exited(run, status);
                        return end;
                    }
                    Ok(Event::Stop) => {
                        // The host has less patience than the endpoint.
                        end = End::Stop;
                        limit = limit.min(self.about.stop_timeout / 4);
                        until = until.min(Instant::now() + limit);
                    }
                    Ok(Event::Drain(_)) => self.stopping = true,
                    Ok(_) => {}
                    Err(_) => break,
                }
            }
        }
        end
    }
}

/// Up to a quarter more or less, so that many programs do not start at once.
fn jittered(wait: Duration) -> Duration {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let part = now.unwrap_or_default().subsec_nanos() % 1000;
    wait.mul_f64(0.75 + f64::from(part) / 2000.0)
}
