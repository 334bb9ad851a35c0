//! Starts the program, or connects to its socket, and looks after it.
//!
//! One thread for each endpoint waits for what happens; it lives as long as its programs, so that
//! the end of the host is their end too, whatever ends it.

#![allow(unsafe_code)]

use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::About;
use super::link::Link;
use crate::conf::ExternalTarget;

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
/// A longer line of the program's output is cut.
const LINE_BYTES_MAX: u64 = 8 << 10;

impl Supervisor {
    pub(super) fn start(about: Arc<About>) -> io::Result<Self> {
        let (events, inbox) = channel();
        let keeper = Keeper { about, events: events.clone(), inbox, backoff: BACKOFF_MIN };
        let name = format!("external {}", keeper.about.prefix);
        let thread = std::thread::Builder::new().name(name).spawn(move || keeper.run())?;
        Ok(Self { events, thread: Mutex::new(Some(thread)) })
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
            if let End::Stop = end {
                return;
            }
            if self.rest() {
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
                Ok(Event::Stop) => return true,
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
                let child = self.spawn(number, program, arguments, &theirs)?;
                (ours, Some(child))
            }
            ExternalTarget::Socket(path) => {
                let connected = UnixStream::connect(path);
                (connected.map_err(|error| format!("{}: {error}", path.display()))?, None)
            }
        };
        socket.set_nonblocking(true).map_err(|error| error.to_string())?;
        let link = Link::new(&self.about, number, OwnedFd::from(socket), self.events.clone());
        *self.about.current.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Arc::clone(&link));
        link.attach();
        Ok(Run { number, link, child })
    }

    fn spawn(
        &self,
        number: u32,
        program: &std::path::Path,
        arguments: &[String],
        link: &UnixStream,
    ) -> Result<Pid, String> {
        let fd = link.as_raw_fd();
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env("SWBD_FD", "3")
            .env("SWBD_PROTOCOL", "1-1")
            .env("SWBD_ENDPOINT", &self.about.prefix)
            .env("SWBD_GENERATION", number.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Of its own, so that its end can be the end of all that it started.
            .process_group(0);
        // SAFETY: between fork and exec only system calls that are safe there are made, on values
        // that were computed before.
        unsafe {
            command.pre_exec(move || {
                rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
                if libc::dup2(fd, 3) != 3 || libc::fcntl(3, libc::F_SETFD, 0) != 0 {
                    return Err(io::Error::last_os_error());
                }
                Ok(())
            });
        }
        let mut child =
            command.spawn().map_err(|error| format!("{}: {error}", program.display()))?;
        let pid = Pid::from_child(&child);
        tracing::info!("{}: started {} ({pid})", self.about.prefix, program.display());
        self.listen_to(child.stdout.take(), "");
        self.listen_to(child.stderr.take(), " stderr");
        self.wait_for(number, child);
        Ok(pid)
    }

    /// Writes what the program prints into the log.
    fn listen_to(&self, output: Option<impl Read + Send + 'static>, part: &'static str) {
        let Some(output) = output else { return };
        let prefix = self.about.prefix.clone();
        std::thread::spawn(move || {
            let mut lines = BufReader::new(output);
            let mut line = Vec::new();
            loop {
                line.clear();
                match (&mut lines).take(LINE_BYTES_MAX).read_until(b'\n', &mut line) {
                    Ok(0) | Err(_) => return,
                    Ok(_) => {
                        let text = String::from_utf8_lossy(&line);
                        tracing::info!(target: "program", "{prefix}{part}: {}", text.trim_end());
                    }
                }
            }
        });
    }

    fn wait_for(&self, number: u32, mut child: Child) {
        let events = self.events.clone();
        std::thread::spawn(move || {
            if let Ok(status) = child.wait() {
                // Nobody waits for it when the supervisor has given up.
                let _ = events.send(Event::Exited(number, status));
            }
        });
    }

    /// Waits until a run is over.
    fn look_after(&mut self, run: &Run) -> End {
        let start_by = Instant::now() + self.about.settings.start_timeout;
        let mut ready_since: Option<Instant> = None;
        let why = loop {
            let event = match ready_since {
                Some(_) => self.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                None => self.inbox.recv_timeout(start_by.saturating_duration_since(Instant::now())),
            };
            match event {
                Ok(Event::Ready(number, true)) if number == run.number => {
                    if ready_since.is_none() {
                        tracing::info!("{}: ready", self.about.prefix);
                    }
                    ready_since.get_or_insert_with(Instant::now);
                }
                Ok(Event::Lost(number, why)) if number == run.number => break why,
                Ok(Event::Dead(number)) if number == run.number => {
                    signal(run.child, Signal::ABORT);
                    break "it gave no sign of life".to_owned();
                }
                Ok(Event::Exited(number, status)) if number == run.number => {
                    self.clear(run);
                    self.exited(run, status);
                    self.lose(run, ready_since);
                    return End::Again;
                }
                Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => {
                    self.stop(run);
                    return End::Stop;
                }
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => {
                    let limit = self.about.settings.start_timeout;
                    break format!("it was not ready within {limit:?}");
                }
            }
        };
        tracing::error!("{}: {why}", self.about.prefix);
        self.clear(run);
        self.lose(run, ready_since);
        self.end(run, self.about.settings.stop_timeout)
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
    fn stop(&self, run: &Run) {
        run.link.say_goodbye();
        self.clear(run);
        self.end(run, self.about.settings.stop_timeout.min(self.about.stop_timeout / 4));
    }

    /// Waits for the program's own end, then helps.
    fn end(&self, run: &Run, mut limit: Duration) -> End {
        let mut end = End::Again;
        let Some(pid) = run.child else { return end };
        for help in [None, Some((Signal::TERM, "SIGTERM")), Some((Signal::KILL, "SIGKILL"))] {
            if let Some((signal, name)) = help {
                tracing::warn!("{}: the program still runs: {name}", self.about.prefix);
                self::signal(Some(pid), signal);
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
                    Ok(_) => {}
                    Err(_) => break,
                }
            }
        }
        end
    }
}

/// To the whole group: what the program has started ends with it.
fn signal(group: Option<Pid>, signal: Signal) {
    if let Some(group) = group {
        // The group may have ended already.
        let _ = kill_process_group(group, signal);
    }
}

fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => status.to_string(),
    }
}

/// Up to a quarter more or less, so that many programs do not start at once.
fn jittered(wait: Duration) -> Duration {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let part = now.unwrap_or_default().subsec_nanos() % 1000;
    wait.mul_f64(0.75 + f64::from(part) / 2000.0)
}
