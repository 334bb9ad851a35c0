//! The trial: a plugin is first loaded by a child process, so that a crash or a hang while loading
//! is a message and not the end of the host. A second trial makes an instance, and destroys it.
//!
//! This is the host's side; `child` is what the child runs.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use super::child::{CREATED, PASSED};
use super::trial::{Outcome, Trial};

/// The program that tries a plugin out: it runs [`probe_main`](super::probe_main) with the file that follows its
/// arguments, or [`create_main`](super::create_main) if `--create` comes behind that.
#[derive(Debug, Clone)]
pub struct ProbeCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments; the file follows them.
    pub args: Vec<OsString>,
    /// How long loading may take.
    pub timeout: Duration,
    /// How long it may take to load, to make an instance, and to destroy it.
    pub create_timeout: Duration,
}

impl ProbeCommand {
    /// This very program, as `plugin-probe FILE`, within 10 s, or a minute with `--create`.
    ///
    /// The path is the link in `/proc`, which leads to the running program also after its file was
    /// replaced by a newer one.
    #[must_use]
    pub fn this_program() -> Self {
        Self {
            program: "/proc/self/exe".into(),
            args: vec![SUBCOMMAND.into()],
            timeout: TIMEOUT,
            create_timeout: CREATE_TIMEOUT,
        }
    }

    /// Has `copy` loaded in a child.
    pub(super) fn run(&self, copy: &Path) -> Result<(), RunError> {
        self.attempt(Step::Load, copy, Stdio::null())
    }

    /// Has an instance of `copy` made in a child, and destroyed. The child reads from `input` what
    /// it needs to know.
    pub(super) fn create(&self, copy: &Path, input: File) -> Result<(), RunError> {
        self.attempt(Step::Create, copy, input.into())
    }

    fn attempt(&self, step: Step, copy: &Path, stdin: Stdio) -> Result<(), RunError> {
        let (more, timeout) = match step {
            Step::Load => (None, self.timeout),
            Step::Create | Step::Destroy => (Some("--create"), self.create_timeout),
        };
        let mut command = Command::new(&self.program);
        command
            .arg0("switchboard")
            .args(&self.args)
            .arg(copy)
            .args(more)
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Of its own, so that its end can be the end of all that it started.
            .process_group(0);
        let outcome = Trial::start(&mut command).and_then(|trial| trial.finish(timeout));
        verdict(step, timeout, outcome.map_err(RunError::Start)?).map_err(RunError::Failed)
    }
}

fn verdict(step: Step, timeout: Duration, outcome: Outcome) -> Result<(), ProbeError> {
    let Outcome { status, stdout, stderr } = outcome;
    let stdout = String::from_utf8_lossy(&stdout);
    let has = |word: &str| stdout.lines().any(|line| line.contains(word));
    let step = if has(CREATED) { Step::Destroy } else { step };
    let last = last_line(&stderr);
    let said = after_colon(&last);
    let Some(status) = status else { return Err(ProbeError::TimedOut { step, timeout, said }) };
    if let Some(signal) = status.signal() {
        return Err(ProbeError::Killed { step, signal: name(signal), said });
    }
    match (status.success(), has(PASSED), last.is_empty()) {
        (true, true, _) => Ok(()),
        (false, _, false) => Err(ProbeError::Refused(last)),
        _ => Err(ProbeError::Exited { step, status, said }),
    }
}

/// How far a trial came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// The file is loaded.
    Load,
    /// It makes an instance.
    Create,
    /// It destroys the instance.
    Destroy,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Load => "while loading",
            Self::Create => "in create()",
            Self::Destroy => "in destroy()",
        })
    }
}

/// What went wrong in a trial. The sentences follow the file's name and a colon.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// It crashed.
    #[error("killed by {signal} {step}{said}{}", initialisers(*.step))]
    Killed {
        /// Where.
        step: Step,
        /// `SIGSEGV`
        signal: String,
        /// The last line on its standard error, after a colon, or nothing.
        said: String,
    },
    /// It never came back.
    #[error("{} in {timeout:?}{said}{}", unfinished(*.step), leave(*.step))]
    TimedOut {
        /// Where.
        step: Step,
        /// The limit.
        timeout: Duration,
        /// The last line on its standard error, after a colon, or nothing.
        said: String,
    },
    /// It ended the process.
    #[error("ended the process ({status}) {step}{said}; a plugin must not call exit()")]
    Exited {
        /// Where.
        step: Step,
        /// Its exit status.
        status: ExitStatus,
        /// The last line on its standard error, after a colon, or nothing.
        said: String,
    },
    /// The dynamic linker or the check of its entry refused it, or it its settings: the reason.
    #[error("{0}")]
    Refused(String),
}

fn initialisers(step: Step) -> &'static str {
    if step == Step::Load { "; its static initialisers crash" } else { "" }
}

fn unfinished(step: Step) -> &'static str {
    match step {
        Step::Load => "did not finish loading",
        Step::Create => "did not return from create()",
        Step::Destroy => "did not return from destroy()",
    }
}

fn leave(step: Step) -> &'static str {
    match step {
        Step::Load => "; leave what takes long to create() or start()",
        Step::Create => "; leave what takes long to start()",
        Step::Destroy => "",
    }
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

/// How a trial fails.
pub(super) enum RunError {
    Start(io::Error),
    Failed(ProbeError),
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
const TIMEOUT: Duration = Duration::from_secs(10);
/// The host itself waits for create() as long as it takes; a check has an end.
const CREATE_TIMEOUT: Duration = Duration::from_secs(60);
const LINE_CHARS_MAX: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    fn command(script: &str) -> ProbeCommand {
        let timeout = Duration::from_millis(300);
        ProbeCommand {
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.into()],
            timeout,
            create_timeout: timeout,
        }
    }

    fn sentence(error: RunError) -> String {
        match error {
            RunError::Start(error) => panic!("{error}"),
            RunError::Failed(error) => error.to_string(),
        }
    }

    fn run(script: &str) -> Result<(), String> {
        command(script).run(Path::new("ignored")).map_err(sentence)
    }

    fn create(script: &str) -> Result<(), String> {
        let input = File::open("/dev/null").unwrap();
        command(script).create(Path::new("ignored"), input).map_err(sentence)
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
    fn a_trial_says_how_far_it_came() {
        let (passed, created) = (format!("echo {PASSED}"), format!("echo {CREATED}"));
        assert_eq!(create(&format!("test $1 = --create && {created} && {passed}")), Ok(()));
        #[rustfmt::skip]
        let table = [
            ("exec sleep 60",                      "did not return from create() in 300ms; leave"),
            ("kill -SEGV $$",                      "killed by SIGSEGV in create()"),
            ("exit 3",                             "ended the process (exit status: 3) in create();"),
            ("echo no >&2; exit 1",                "no"),
            ("CREATED; exec sleep 60",             "did not return from destroy() in 300ms"),
            ("CREATED; echo bye >&2; kill -6 $$",  "killed by SIGABRT in destroy(): bye"),
            ("CREATED; exit 0",                    "ended the process (exit status: 0) in destroy();"),
        ];
        for (script, sentence) in table {
            let error = create(&script.replace("CREATED", &created)).unwrap_err();
            assert!(error.starts_with(sentence), "{error}");
        }
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
