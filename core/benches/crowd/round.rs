//! One round: who connects, what they send, and what must hold afterwards.

use std::io::Write;
use std::ops::Range;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use switchboard_load::{Finding, Goal, Mode, Others, Plan, Report};
use switchboard_websocket::Url;

use crate::support::{Host, Outcome, program};
use crate::watch::{Memory, Watch};

/// Where the program answers.
pub(crate) const PREFIX: &str = "/crowd";
/// Connections that are echoed.
const ECHOING: u32 = 4_500;
/// The rest: half are members of a topic that is flooded, half get the same by messages of their own.
pub(crate) const REST: u32 = 500;
/// Messages a second that each of those echoed sends, and that all get.
const ECHO_RATE: f64 = 1.0;
const FEED_RATE: f64 = 4.0;
const SMALL_BYTES: (usize, usize) = (16, 1024);
/// The flood, for each of the rest.
const FLOOD_RATE: f64 = 16.0;
const FLOOD_BYTES: (usize, usize) = (16 << 10, 16 << 10);
/// What does not read asks for so small a receive buffer.
const RECEIVE_BUFFER_BYTES: usize = 16 << 10;

/// Numbers of senders.
const FEED: u32 = 10_000;
const FLOOD: u32 = 10_001;
const MEMBERS: u32 = 20_000;
const STREAMS: u32 = 30_000;

// From the start of the round.
/// All are open, and feed and flood begin.
const FLOWS: Duration = Duration::from_secs(4);
/// Latency counts.
const COUNTS: Duration = Duration::from_secs(5);
/// Feed and flood end.
const EBBS: Duration = Duration::from_secs(20);
/// What was on its way has come. Connections end; what did not read does now.
const ENDS: Duration = Duration::from_secs(25);

/// What the rest do in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// They get what all get, and read it.
    Quiet,
    /// They read the flood.
    Read,
    /// They do not read.
    Stall,
}

impl Rest {
    pub(crate) const ALL: [Self; 3] = [Self::Quiet, Self::Read, Self::Stall];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Quiet => "no flood",
            Self::Read => "reading",
            Self::Stall => "not reading",
        }
    }
}

/// What came of a round.
pub(crate) struct Round {
    pub(crate) rest: Rest,
    pub(crate) echoes: Report,
    /// Members and streams.
    pub(crate) others: [Report; 2],
    pub(crate) feed: Report,
    pub(crate) flood: Option<Report>,
    /// What the program says before those that did not read do.
    pub(crate) program: Value,
    pub(crate) memory: Memory,
}

pub(crate) fn run(host: &Host, rest: Rest) -> Outcome<Round> {
    let start = Instant::now();
    let until = |time: Duration| std::thread::sleep(time.saturating_sub(start.elapsed()));
    std::thread::scope(|scope| {
        let spawn = |plan: Plan| scope.spawn(move || switchboard_load::run(&plan));
        let echoes = spawn(echoing(host)?);
        let others = [("member", MEMBERS), ("stream", STREAMS)];
        let [members, streams] = others.map(|(role, first)| plan_of_rest(host, rest, role, first));
        let others = [spawn(members?), spawn(streams?)];
        until(FLOWS);
        let mut watch = Watch::start(host)?;
        let feed = spawn(sending(host, "feed", FEED, FEED_RATE, SMALL_BYTES)?);
        let flood = match rest {
            Rest::Quiet => None,
            _ => Some(spawn(sending(host, "flood", FLOOD, FLOOD_RATE, FLOOD_BYTES)?)),
        };
        while start.elapsed() < ENDS - Duration::from_secs(1) {
            std::thread::sleep(Duration::from_millis(100));
            watch.look()?;
        }
        let program = figures(host)?;
        let done =
            |run: std::thread::ScopedJoinHandle<'_, Result<Report, switchboard_load::Error>>| {
                run.join()
                    .map_err(|_| "a run has panicked")?
                    .map_err(Box::<dyn std::error::Error>::from)
            };
        let [members, streams] = others.map(done);
        let mut round = Round {
            rest,
            echoes: done(echoes)?,
            others: [members?, streams?],
            feed: done(feed)?,
            flood: flood.map(done).transpose()?,
            program,
            memory: Memory::default(),
        };
        // All has ended; what that takes, and what came of it, is not the next round's.
        std::thread::sleep(Duration::from_secs(1));
        figures(host)?;
        round.memory = watch.end()?;
        Ok(round)
    })
}

fn plan(host: &Host, role: &str, first: u32, connections: u32, seconds: Duration) -> Outcome<Plan> {
    let mut plan = Plan::new(Url::parse(&format!("ws://{}{PREFIX}?{role}", host.address))?);
    plan.connections = connections as usize;
    plan.first_sender = first;
    plan.goal = Goal::Duration(seconds);
    plan.bytes = SMALL_BYTES;
    plan.others = vec![others(FEED..FEED + 1, SMALL_BYTES), others(FLOOD..FLOOD + 1, FLOOD_BYTES)];
    Ok(plan)
}

fn others(senders: Range<u32>, bytes: (usize, usize)) -> Others {
    Others { senders, bytes }
}

fn echoing(host: &Host) -> Outcome<Plan> {
    let mut plan = plan(host, "", 0, ECHOING, ENDS)?;
    plan.mode = Mode::Echo { depth: 1000 };
    plan.rate = Some(ECHO_RATE);
    plan.warm_up = COUNTS;
    Ok(plan)
}

fn plan_of_rest(host: &Host, rest: Rest, role: &str, first: u32) -> Outcome<Plan> {
    let role = if rest == Rest::Quiet { "" } else { role };
    let mut plan = plan(host, role, first, REST / 2, ENDS)?;
    plan.mode = Mode::Receive;
    if rest == Rest::Stall {
        plan.mode = Mode::Stall;
        plan.receive_buffer_bytes = Some(RECEIVE_BUFFER_BYTES);
    }
    Ok(plan)
}

/// One that the program publishes for. It is a member itself: its latency is that of a publication.
fn sending(
    host: &Host,
    role: &str,
    sender: u32,
    rate: f64,
    bytes: (usize, usize),
) -> Outcome<Plan> {
    let mut plan = plan(host, role, sender, 1, EBBS - FLOWS)?;
    plan.mode = Mode::Echo { depth: 1000 };
    plan.rate = Some(rate);
    plan.bytes = bytes;
    plan.others.retain(|others| !others.senders.contains(&sender));
    Ok(plan)
}

/// The host listens before its program is there.
pub(crate) fn wait_for_program(host: &Host) -> Outcome<()> {
    for _ in 0..100 {
        if figures(host).is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Err("the program does not answer".into())
}

/// What the program has counted since it was asked last.
fn figures(host: &Host) -> Outcome<Value> {
    let mut client = Command::new(program())
        .args(["connect", &format!("ws://{}{PREFIX}?figures", host.address)])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    client.stdin.take().ok_or("no pipe")?.write_all(b"figures\n")?;
    Ok(serde_json::from_slice(&client.wait_with_output()?.stdout)?)
}

impl Round {
    fn reports(&self) -> impl Iterator<Item = &Report> {
        [&self.echoes, &self.feed].into_iter().chain(&self.others).chain(&self.flood)
    }

    /// How often this was found, in all runs.
    pub(crate) fn count(&self, finding: Finding) -> u64 {
        self.reports().map(|report| report.findings.count(finding)).sum()
    }

    /// Messages that came to anybody but who sent them.
    pub(crate) fn deliveries(&self) -> u64 {
        self.reports().map(|report| report.heard).sum()
    }

    /// Of those that did not read, how many were closed with 1013, and how many otherwise.
    pub(crate) fn closed(&self) -> (u64, u64) {
        let ends = self.program["ends"].as_object();
        let count = |is_slow: bool| {
            let ends = ends.into_iter().flatten().filter(|(code, _)| (*code == "1013") == is_slow);
            ends.filter_map(|(_, count)| count.as_u64()).sum()
        };
        (count(true), count(false))
    }

    /// What must not be.
    pub(crate) fn faults(&self, budget: u64) -> Vec<String> {
        let mut faults = Vec::new();
        let mut must = |holds: bool, what: String| {
            if !holds {
                faults.push(format!("{}: {what}", self.rest.name()));
            }
        };
        for report in self.reports() {
            must(report.is_well(), report.to_string());
        }
        let flooded = self.flood.as_ref().map_or(0, |flood| flood.sent);
        let streamed = self.program["sent"].as_u64().unwrap_or_default();
        let [members, streams] = &self.others;
        for (report, flooded) in
            [(&self.echoes, 0), (members, members.opened * flooded), (streams, streamed)]
        {
            let (heard, owed) = (report.heard, report.opened * self.feed.sent + flooded);
            let reads = self.rest != Rest::Stall || std::ptr::eq(report, &self.echoes);
            must(!reads || heard == owed, format!("{heard} deliveries of {owed}"));
        }
        must(self.echoes.opened == u64::from(ECHOING), format!("{} echoed", self.echoes.opened));
        let refused = &self.program["refused"];
        must(*refused == 0, format!("the program could not send {refused} messages"));
        let (slow, otherwise) = self.closed();
        must(otherwise == 0, format!("{otherwise} ended, but not with 1013: {}", self.program));
        must(
            self.rest == Rest::Stall || slow == 0,
            format!("{slow} readers were closed with 1013"),
        );
        let grown = self.memory.host_peak.saturating_sub(self.memory.host_before);
        must(grown <= budget, format!("the host grew by {grown} bytes, the budget is {budget}"));
        faults
    }
}
