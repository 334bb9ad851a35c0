//! The trial: a plugin is first loaded by a child process, so that a crash or a hang while loading
//! is a message and not the end of the host.
//!
//! [`ProbeCommand`] is the host's side, [`probe_main`] what the child runs.

#![allow(unsafe_code)]

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, Signal};
use switchboard_abi::{SB_ABI_MAJOR, SB_ENTRY_NEVER_BLOCKS};

use super::inspect::inspect;
use super::map::{Mapped, map};
use super::trial::{Outcome, Trial};

/// The program that tries a plugin out: it runs [`probe_main`] with its last argument.
#[derive(Debug, Clone)]
pub struct ProbeCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments; the file follows them.
    pub args: Vec<OsString>,
    /// How long loading may take.
    pub timeout: Duration,
}

impl ProbeCommand {
    /// This very program, as `plugin-probe FILE`, within 10 s.
    ///
    /// The path is the link in `/proc`, which leads to the running program also after its file was
    /// replaced by a newer one.
    #[must_use]
    pub fn this_program() -> Self {
        Self { program: "/proc/self/exe".into(), args: vec![SUBCOMMAND.into()], timeout: TIMEOUT }
    }

    /// Has `copy` loaded in a child.
    pub(super) fn run(&self, copy: &Path) -> Result<(), RunError> {
        let mut command = Command::new(&self.program);
        command
            .arg0("switchboard")
            .args(&self.args)
            .arg(copy)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Of its own, so that its end can be the end of all that it started.
            .process_group(0);
        let outcome = Trial::start(&mut command).and_then(|trial| trial.finish(self.timeout));
        self.verdict(outcome.map_err(RunError::Start)?).map_err(RunError::Failed)
    }

    fn verdict(&self, Outcome { status, stdout, stderr }: Outcome) -> Result<(), ProbeError> {
        let said = last_line(&stderr);
        let Some(status) = status else {
            return Err(ProbeError::TimedOut { timeout: self.timeout, said: after_colon(&said) });
        };
        if let Some(signal) = status.signal() {
            return Err(ProbeError::Killed { signal: name(signal), said: after_colon(&said) });
        }
        let passed = String::from_utf8_lossy(&stdout).lines().any(|line| line.contains(PASSED));
        match (status.success(), passed, said.is_empty()) {
            (true, true, _) => Ok(()),
            (false, _, false) => Err(ProbeError::Refused(said)),
            _ => Err(ProbeError::Exited { status, said: after_colon(&said) }),
        }
    }
}

/// What went wrong in a trial. The sentences follow the file's name and a colon.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// It crashed.
    #[error("killed by {signal} while loading{said}; its static initialisers crash")]
    Killed {
        /// `SIGSEGV`
        signal: String,
        /// The last line on its standard error, after a colon, or nothing.
        said: String,
    },
    /// It never came back.
    #[error(
        "did not finish loading in {timeout:?}{said}; leave what takes long to create() or start()"
    )]
    TimedOut {
        /// The limit.
        timeout: Duration,
        /// The last line on its standard error, after a colon, or nothing.
        said: String,
    },
    /// It ended the process.
    #[error("ended the process ({status}) while loading{said}; a plugin must not call exit()")]
    Exited {
        /// Its exit status.
        status: ExitStatus,
        /// The last line on its standard error, after a colon, or nothing.
        said: String,
    },
    /// The dynamic linker or the check of its entry refused it: the reason.
    #[error("{0}")]
    Refused(String),
}

impl ProbeError {
    /// Names the plugin's own file where the dynamic linker named the private copy.
    pub(super) fn about(self, copy: &Path, file: &Path) -> Self {
        let (copy, file) = (copy.display().to_string(), file.display().to_string());
        match self {
            Self::Refused(reason) => Self::Refused(reason.replace(&copy, &file)),
            other => other,
        }
    }
}

/// How [`ProbeCommand::run`] fails.
pub(super) enum RunError {
    Start(io::Error),
    Failed(ProbeError),
}

/// What the child runs: loads `file` as the host would, and prints one line of `key=value`s, or the
/// reason on standard error.
///
/// Does not return once the library is mapped: its destructors shall not run, as they would not in
/// the host.
#[must_use]
pub fn probe_main(file: &Path) -> ExitCode {
    // A crash leaves no core, and the end of the host is the end of a hanging trial. If either is
    // denied, the trial is still worth making.
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let _ = rustix::process::setrlimit(Resource::Core, none);
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));

    let bytes = fs::read(file).map_err(|error| format!("cannot be read: {error}"));
    let note = bytes.and_then(|bytes| inspect(&bytes).map_err(|error| error.to_string()));
    // The dynamic linker searches its own path for a name without a slash.
    let path = std::path::absolute(file).map_err(|error| error.to_string());
    let (note, path) = match note.and_then(|note| Ok((note, path?))) {
        Ok(both) => both,
        Err(reason) => {
            let _ = writeln!(io::stderr(), "{reason}");
            return ExitCode::FAILURE;
        }
    };
    let told = match map(&path, &note.id) {
        Ok(mapped) => io::stdout().write_all(line(&mapped).as_bytes()),
        Err(reason) => writeln!(io::stderr(), "{reason}").and(Err(io::ErrorKind::Other.into())),
    };
    let told = told.and_then(|()| io::stdout().flush());
    // SAFETY: ends the process, without the plugin's and the C library's exit handlers.
    unsafe { libc::_exit(i32::from(told.is_err())) }
}

fn line(Mapped { entry, id, version, build }: &Mapped) -> String {
    let blocks = entry.flags & SB_ENTRY_NEVER_BLOCKS == 0;
    let minor = entry.abi_minor;
    format!(
        "{PASSED} abi={SB_ABI_MAJOR}.{minor} id={id} version={version:?} build={build:?} blocks={blocks}\n"
    )
}

/// The last line that is not blank, fit for a line of a log.
fn last_line(output: &[u8]) -> String {
    let output = String::from_utf8_lossy(output);
    let line = output.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("");
    let clean = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    line.chars().take(LINE_CHARS_MAX).map(clean).collect()
}

fn after_colon(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}

fn name(signal: i32) -> String {
    let named = [
        (Signal::SEGV, "SIGSEGV"),
        (Signal::ABORT, "SIGABRT"),
        (Signal::BUS, "SIGBUS"),
        (Signal::ILL, "SIGILL"),
        (Signal::FPE, "SIGFPE"),
        (Signal::TRAP, "SIGTRAP"),
        (Signal::SYS, "SIGSYS"),
        (Signal::KILL, "SIGKILL"),
        (Signal::TERM, "SIGTERM"),
    ];
    let known = named.iter().find(|(known, _)| known.as_raw() == signal);
    known.map_or_else(|| format!("signal {signal}"), |(_, name)| (*name).into())
}

const SUBCOMMAND: &str = "plugin-probe";
/// Begins the child's line: a constructor may print lines of its own.
const PASSED: &str = "switchboard-plugin-loads";
const TIMEOUT: Duration = Duration::from_secs(10);
const LINE_CHARS_MAX: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str) -> Result<(), String> {
        let command = ProbeCommand {
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.into()],
            timeout: Duration::from_millis(300),
        };
        command.run(Path::new("ignored")).map_err(|error| match error {
            RunError::Start(error) => panic!("{error}"),
            RunError::Failed(error) => error.to_string(),
        })
    }

    #[track_caller]
    fn fails(script: &str, sentence: &str) {
        let error = run(script).unwrap_err();
        assert!(error.starts_with(sentence), "{error}");
    }

    #[test]
    fn only_the_line_and_status_0_together_pass() {
        assert_eq!(run(&format!("echo hi; printf 'x '; echo {PASSED} id=a")), Ok(()));
        fails("exit 0", "ended the process (exit status: 0) while loading;");
        fails("exit 3", "ended the process (exit status: 3) while loading;");
        fails(&format!("echo {PASSED}; echo no >&2; exit 1"), "no");
        fails("echo bye >&2", "ended the process (exit status: 0) while loading: bye;");
    }

    #[test]
    fn a_signal_has_its_name_and_the_last_words() {
        fails("kill -SEGV $$", "killed by SIGSEGV while loading;");
        fails("echo a >&2; echo 'b\tc' >&2; kill -ABRT $$", "killed by SIGABRT while loading: b");
    }

    #[test]
    fn what_the_child_started_ends_with_it_and_delays_nothing() {
        // The sleeper holds the pipes open, and would be waited for by a read to their end.
        fails("sleep 60 & echo $! >&2; exec sleep 60", "did not finish loading in 300ms");
        let begin = std::time::Instant::now();
        assert_eq!(run(&format!("sleep 60 & echo {PASSED}")), Ok(()));
        assert!(begin.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn endless_output_is_a_time_out() {
        fails("exec yes", "did not finish loading in 300ms");
        fails("exec yes >&2", "did not finish loading in 300ms: y;");
    }
}
