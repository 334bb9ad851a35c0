//! `switchboard status`, `connections`, `plugins` and `stop`: the commands that ask a host.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::asking::{Answer, AskError, ask};
use super::report::Stopping;
use super::show;

/// Where the host is, and what it says to whom.
#[derive(Debug, Args)]
pub struct Options {
    /// The control socket, instead of the one that the conf names
    #[arg(long, value_name = "FILE")]
    pub socket: Option<PathBuf>,
    /// Prints the answer of the host as JSON
    #[arg(long)]
    json: bool,
}

/// What a host is asked.
#[derive(Debug)]
pub enum Question {
    /// How it is.
    Status,
    /// Which connections it has.
    Connections {
        /// Only of this prefix.
        endpoint: Option<String>,
        /// At most so many; none: as many as the host thinks right.
        limit: Option<u32>,
    },
    /// Which plugins it has loaded.
    Plugins,
    /// To end.
    Stop,
}

/// What stands in a query as it is.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.');

/// Asks the host at `socket`, and prints what it says.
pub fn run(socket: &Path, options: &Options, question: &Question) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("switchboard: {error}");
            return ExitCode::FAILURE;
        }
    };
    let done = match question {
        Question::Stop => stop(&runtime, socket, options.json),
        question => runtime
            .block_on(ask(socket, "GET", &question.target()))
            .and_then(|answer| print(socket, &answer, options.json, question)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("switchboard: {error}");
            error.exit_status().into()
        }
    }
}

impl Question {
    fn target(&self) -> String {
        match self {
            Self::Status => "/v1/status".to_owned(),
            Self::Plugins => "/v1/plugins".to_owned(),
            Self::Stop => "/v1/stop".to_owned(),
            Self::Connections { endpoint, limit } => {
                let endpoint = endpoint
                    .as_ref()
                    .map(|endpoint| format!("endpoint={}", utf8_percent_encode(endpoint, QUERY)));
                let limit = limit.map(|limit| format!("limit={limit}"));
                let query: Vec<_> = endpoint.into_iter().chain(limit).collect();
                format!("/v1/connections?{}", query.join("&"))
            }
        }
    }
}

fn print(path: &Path, answer: &Answer, json: bool, question: &Question) -> Result<(), AskError> {
    if json {
        print!("{}", answer.body);
        return Ok(());
    }
    match question {
        Question::Status => print!("{}", show::status(&answer.read(path)?)),
        Question::Plugins => print!("{}", show::plugins(&answer.read(path)?)),
        Question::Connections { .. } => print!("{}", show::connections(&answer.read(path)?)),
        Question::Stop => println!("stopping: process {}", answer.read::<Stopping>(path)?.pid),
    }
    Ok(())
}

/// Returns when the process that listens has ended.
fn stop(runtime: &tokio::runtime::Runtime, path: &Path, json: bool) -> Result<(), AskError> {
    // Held before it is asked to end, so that no other process gets its number meanwhile.
    let status = runtime.block_on(ask(path, "GET", "/v1/status"))?;
    let pid = status.pid.and_then(Pid::from_raw);
    let process = pid.map(|pid| pidfd_open(pid, PidfdFlags::empty()));
    let answer = runtime.block_on(ask(path, "POST", &Question::Stop.target()))?;
    print(path, &answer, json, &Question::Stop)?;
    let Some(Ok(process)) = process else {
        eprintln!(
            "switchboard: its end cannot be waited for, it is in another namespace, or the system is too old"
        );
        return Ok(());
    };
    loop {
        match poll(&mut [PollFd::new(&process, PollFlags::IN)], None) {
            Ok(_) => break,
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => {
                let source = io::Error::from(errno);
                return Err(AskError::Broken { path: path.to_owned(), source });
            }
        }
    }
    if !json {
        println!("stopped");
    }
    Ok(())
}
