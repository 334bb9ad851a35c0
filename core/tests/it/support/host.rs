//! A host as a process of its own, and its log.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{PATIENCE, plugins};

/// The directory of a host: its conf, and what a test puts beside it.
pub(crate) struct Home(TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a file, and makes the directories above it.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let file = self.join(name);
        fs::create_dir_all(file.parent().expect("it is below the home")).unwrap();
        fs::write(&file, bytes).unwrap();
        file
    }
}

/// A running host. It is killed when the test is over.
pub(crate) struct Host {
    child: Child,
    home: Option<Home>,
    log: Arc<Log>,
    status: Option<ExitStatus>,
}

impl Host {
    /// Writes `conf`, in which `@PLUGINS@` is a directory with the bundled plugins, and returns when
    /// the host is ready.
    pub(crate) fn start(conf: &str) -> Self {
        Self::start_in(Home::new(), conf)
    }

    /// The same, in a home where something lies already. Relative paths of the conf start there.
    pub(crate) fn start_in(home: Home, conf: &str) -> Self {
        Self::spawn(home, conf, &[]).when_ready()
    }

    /// The same, with more in its environment.
    pub(crate) fn start_with(env: &[(&str, &str)], conf: &str) -> Self {
        Self::spawn(Home::new(), conf, env).when_ready()
    }

    fn when_ready(self) -> Self {
        self.wait_for_log("ready");
        self
    }

    /// For a conf that does not start: how the host ended, and what it said.
    pub(crate) fn fails(conf: &str) -> (ExitStatus, String) {
        Self::fails_in(Home::new(), conf)
    }

    pub(crate) fn fails_in(home: Home, conf: &str) -> (ExitStatus, String) {
        let mut host = Self::spawn(home, conf, &[]);
        let status = host.wait();
        assert!(!status.success(), "the host ended well:\n{}", host.log());
        (status, host.log())
    }

    fn spawn(home: Home, conf: &str, env: &[(&str, &str)]) -> Self {
        let plugins = plugins::directory().to_str().expect("a path in UTF-8");
        let file = home.write("zope.conf", conf.replace("@PLUGINS@", plugins).as_bytes());
        let mut child = Command::new(env!("CARGO_BIN_EXE_switchboard"))
            .args(["serve", "-c"])
            .arg(file)
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the host can be started");
        let stderr = child.stderr.take().expect("it was asked for");
        let log = Arc::new(Log::default());
        std::thread::spawn({
            let log = Arc::clone(&log);
            move || log.fill(stderr)
        });
        Self { child, home: Some(home), log, status: None }
    }

    /// Where a listener listens: `HOST:PORT`, or the path of a socket.
    pub(crate) fn addr(&self, listener: &str) -> String {
        let log = self.log();
        let of = format!(" (listener {listener})");
        let line = log.lines().find_map(|line| line.strip_suffix(&of));
        let address = line.and_then(|line| line.split_once("listening on ")).map(|(_, at)| at);
        address.unwrap_or_else(|| panic!("no listener {listener}:\n{log}")).to_owned()
    }

    /// All that the host has said until now.
    pub(crate) fn log(&self) -> String {
        self.log.state.lock().unwrap().text.clone()
    }

    /// Waits until the log contains `needle`.
    pub(crate) fn wait_for_log(&self, needle: &str) {
        self.wait_for_log_times(needle, 1);
    }

    /// Waits until the log contains `needle` so many times.
    pub(crate) fn wait_for_log_times(&self, needle: &str, times: usize) {
        let said = |log: &str| log.matches(needle).count() >= times;
        let found = self.log.wait(|state| said(&state.text) || state.ended);
        let log = self.log();
        assert!(
            said(&log),
            "{}:\n{log}",
            match found {
                true => format!("the host ended without {needle:?}"),
                false => format!("the host did not say {needle:?}"),
            }
        );
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the host runs");
    }

    /// Waits until the host ends.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        if let Some(status) = self.status {
            return status;
        }
        // The end of its standard error is the end of the process.
        let ended = self.log.wait(|state| state.ended);
        assert!(ended, "the host does not end:\n{}", self.log());
        let status = self.child.wait().unwrap();
        self.status = Some(status);
        status
    }

    /// Asks the host to stop and waits until it has.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Takes the directory from a host that has ended, for the next one.
    pub(crate) fn into_home(mut self) -> Home {
        assert!(self.status.is_some(), "the host still runs");
        self.home.take().expect("it is taken once")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Memory of the host that is in use, in bytes.
    pub(crate) fn resident_bytes(&self) -> usize {
        self.status_bytes("VmRSS:")
    }

    /// Forgets how much was in use at one time until now.
    pub(crate) fn reset_peak(&self) {
        // "5" is that, says proc(5).
        fs::write(format!("/proc/{}/clear_refs", self.pid()), "5").unwrap();
    }

    /// The most that was in use at one time since the start, or since that was forgotten.
    pub(crate) fn peak_bytes(&self) -> usize {
        self.status_bytes("VmHWM:")
    }

    fn status_bytes(&self, name: &str) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        kilobytes.expect("a number of kB").parse::<usize>().unwrap() << 10
    }

    /// How many descriptors it has, once there are no more than `expected` or that took too long.
    pub(crate) fn settled_files(&self, expected: usize) -> usize {
        let count = || fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().count();
        let begun = Instant::now();
        // The one wait for time: nobody tells when a descriptor is closed.
        while count() > expected && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(20));
        }
        if expected == usize::MAX {
            std::thread::sleep(Duration::from_millis(200));
        }
        count()
    }

    pub(crate) fn dir(&self) -> &Path {
        self.home.as_ref().expect("it is taken at the end").path()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if self.status.is_none() {
            // It may have ended by itself.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- log of the host\n{}---", self.log());
        }
    }
}

/// What the host says on standard error.
#[derive(Default)]
struct Log {
    state: Mutex<Said>,
    more: Condvar,
}

#[derive(Default)]
struct Said {
    text: String,
    ended: bool,
}

impl Log {
    fn fill(&self, stderr: ChildStderr) {
        for line in BufReader::new(stderr).split(b'\n') {
            let Ok(line) = line else { break };
            let mut state = self.state.lock().unwrap();
            state.text.push_str(&String::from_utf8_lossy(&line));
            state.text.push('\n');
            self.more.notify_all();
        }
        self.state.lock().unwrap().ended = true;
        self.more.notify_all();
    }

    /// False if it took too long.
    fn wait(&self, until: impl Fn(&Said) -> bool) -> bool {
        let end = Instant::now() + PATIENCE;
        let mut state = self.state.lock().unwrap();
        while !until(&state) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.more.wait_timeout(state, left).unwrap().0;
        }
        true
    }
}
