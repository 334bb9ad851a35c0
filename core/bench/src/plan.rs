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
    /// Those that send each message to all, the base line first. `BENCH_FAN_PEER` adds some, as
    /// above.
    pub(crate) fans: Vec<Program>,
}

impl Plan {
    pub(crate) fn from_environment() -> Outcome<Self> {
        let mut servers = vec![Program::peer("raw"), Program::host()];
        let engines = ["fastwebsockets", "tokio-websockets", "tokio-tungstenite", "axum"];
        servers.extend(engines.map(Program::peer));
        servers.extend(given("BENCH_PEER")?);
        if let Some(wanted) = words("BENCH_SERVERS") {
            servers.retain(|server| wanted.contains(&server.name));
        }
        let subscribers = number("BENCH_SUBSCRIBERS", 5_000)?;
        let mut fans = vec![Program::bare(subscribers), Program::host()];
        fans.extend(given("BENCH_FAN_PEER")?);
        Ok(Self {
            rounds: number("BENCH_ROUNDS", 7)?,
            window: Duration::from_secs_f64(number("BENCH_SECONDS", 1.0)?),
            idle: number("BENCH_CONNECTIONS", 10_000)?,
            subscribers,
            rows: words("BENCH_ROWS").unwrap_or_default(),
            servers,
            fans,
        })
    }

    /// Whether this row is asked for.
    pub(crate) fn has(&self, row: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|name| name == row)
    }

    /// All that speak WebSocket, in an order that begins elsewhere in each round.
    pub(crate) fn websockets(&self, round: usize) -> impl Iterator<Item = &Program> {
        self.turn(round).filter(|server| !server.is_raw())
    }

    /// All, in an order that begins elsewhere in each round.
    pub(crate) fn turn(&self, round: usize) -> impl Iterator<Item = &Program> {
        let count = self.servers.len();
        self.servers.iter().cycle().skip(round % count.max(1)).take(count)
    }
}

fn given(variable: &str) -> Outcome<Vec<Program>> {
    let text = std::env::var(variable).unwrap_or_default();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let program = |line: &str| {
        let (name, command) = line.split_once('=').ok_or("expected name=command")?;
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
