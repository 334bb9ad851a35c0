//! What is measured, as the environment asks for it.

use std::time::Duration;

use crate::Outcome;
use crate::server::Program;

/// The whole run.
#[derive(Debug)]
pub(crate) struct Plan {
    /// `BENCH_ROUNDS`: how often each figure is taken.
    pub(crate) rounds: usize,
    /// `BENCH_SECONDS`: for how long a message is counted, in each round.
    pub(crate) window: Duration,
    /// `BENCH_CONNECTIONS`: how many are idle when memory is measured.
    pub(crate) idle: usize,
    /// `BENCH_SUBSCRIBERS`: how many hear a broadcast.
    pub(crate) subscribers: usize,
    /// `BENCH_ROWS`: names of rows between blanks or commas; without it all.
    rows: Vec<String>,
    /// Those that echo, the base line first. `BENCH_SERVERS` leaves only these of them;
    /// `BENCH_PEER`, lines of `name=command`, adds some: each command is started with a port
    /// behind it, and echoes WebSocket messages at `/`.
    pub(crate) servers: Vec<Program>,
    /// The same over TLS. Commands of `BENCH_TLS_PEER` are started with the files of a certificate
    /// and its key, in PEM, before the port.
    pub(crate) safe: Vec<Program>,
    /// Those that send each message to all, the base line first. `BENCH_FAN_PEER` adds some, as
    /// above.
    pub(crate) fans: Vec<Program>,
    /// The same over TLS, without a base line. `BENCH_TLS_FAN_PEER` adds some.
    pub(crate) safe_fans: Vec<Program>,
}

impl Plan {
    pub(crate) fn from_environment() -> Outcome<Self> {
        let engines = ["fastwebsockets", "tokio-websockets", "tokio-tungstenite", "axum"];
        let own = [Program::peer("raw"), Program::host()];
        let subscribers = number("BENCH_SUBSCRIBERS", 5_000)?;
        let safe = |programs: Vec<Program>| programs.into_iter().map(Program::over_tls);
        let plan = Self {
            rounds: number("BENCH_ROUNDS", 7)?,
            window: Duration::from_secs_f64(number("BENCH_SECONDS", 1.0)?),
            idle: number("BENCH_CONNECTIONS", 10_000)?,
            subscribers,
            rows: words("BENCH_ROWS").unwrap_or_default(),
            servers: own
                .iter()
                .cloned()
                .chain(engines.map(Program::peer))
                .chain(given("BENCH_PEER")?)
                .collect(),
            safe: safe([own.to_vec(), given("BENCH_TLS_PEER")?].concat()).collect(),
            fans: [vec![Program::bare(subscribers), Program::host()], given("BENCH_FAN_PEER")?]
                .concat(),
            safe_fans: safe([vec![Program::host()], given("BENCH_TLS_FAN_PEER")?].concat())
                .collect(),
        };
        Ok(plan.only(words("BENCH_SERVERS")))
    }

    fn only(mut self, wanted: Option<Vec<String>>) -> Self {
        if let Some(wanted) = wanted {
            self.servers.retain(|server| wanted.contains(&server.name));
            self.safe.retain(|server| wanted.contains(&server.name));
        }
        self
    }

    /// Names of those that are not part of the checkout.
    pub(crate) fn given(&self) -> Vec<&str> {
        let all = [&self.servers, &self.safe, &self.fans, &self.safe_fans];
        let given = all.into_iter().flatten().filter(|program| program.is_given());
        let mut names: Vec<_> = given.map(|program| program.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Whether this row is asked for.
    pub(crate) fn has(&self, row: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|name| name == row)
    }
}

/// All, in an order that begins elsewhere in each round.
pub(crate) fn turn(programs: &[Program], round: usize) -> impl Iterator<Item = &Program> {
    let count = programs.len();
    programs.iter().cycle().skip(round % count.max(1)).take(count)
}

fn given(variable: &str) -> Outcome<Vec<Program>> {
    let text = std::env::var(variable).unwrap_or_default();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let program = |line: &str| {
        let (name, command) = line
            .split_once('=')
            .ok_or_else(|| format!("{variable}: {line}: expected name=command"))?;
        Ok(Program::command(name.trim(), command.trim()))
    };
    lines.map(program).collect()
}

fn words(variable: &str) -> Option<Vec<String>> {
    let text = std::env::var(variable).ok()?;
    let words = text.split([' ', ',']).filter(|word| !word.is_empty());
    Some(words.map(str::to_owned).collect()).filter(|words: &Vec<_>| !words.is_empty())
}

fn number<T: std::str::FromStr>(variable: &str, default: T) -> Outcome<T> {
    match std::env::var(variable).unwrap_or_default().as_str() {
        "" => Ok(default),
        text => text.parse().map_err(|_| format!("{variable} is no number: {text}").into()),
    }
}
