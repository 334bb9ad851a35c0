//! `switchboard bench`: the command line of the load generator.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use switchboard_load::{Faults, Goal, Kinds, Mode, Plan, run};
use switchboard_websocket::Url;

/// Many clients at once, which check every byte that comes back
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_HELP)]
pub struct Options {
    /// ws://HOST[:PORT]/PATH, or ws+unix:/path/to.sock:/PATH
    #[arg(value_name = "URL", value_parser = url)]
    url: Url,
    /// What the connections do
    #[arg(short, long, value_enum, default_value = "echo")]
    mode: Do,
    /// How many connections there are at a time
    #[arg(short = 'n', long, value_name = "COUNT", default_value = "100", value_parser = one_or_more())]
    connections: u32,
    /// How many messages of a connection may be on their way to their echo
    #[arg(short, long, value_name = "COUNT", default_value = "1")]
    depth: usize,
    /// Ends when each connection has sent (or, in mode receive, got) so many messages
    #[arg(long, value_name = "COUNT", conflicts_with = "duration")]
    messages: Option<u64>,
    /// Ends after so much time
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    duration: Duration,
    /// Each connection sends so many messages a second, as far as --depth lets it; latency counts
    /// from when a message was due [default: as fast as it goes]
    #[arg(long, value_name = "PER SECOND")]
    rate: Option<f64>,
    /// Size of the messages in bytes, or the smallest and the largest; 16 is the least
    #[arg(long, value_name = "MIN[..MAX]", default_value = "16..1024", value_parser = sizes)]
    size: (usize, usize),
    /// Text messages, binary ones, or half of each
    #[arg(long, value_enum, default_value = "both")]
    kind: Kind,
    /// Percent of the messages that are sent in fragments
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = percent())]
    fragments: u8,
    /// Percent of the connections that are reset after some messages, and come back
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = percent())]
    abort: u8,
    /// Percent that neither read nor write any more after some messages, and stay
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = percent())]
    vanish: u8,
    /// Percent that read very slowly
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = percent())]
    slow: u8,
    /// Percent that close in order after some messages, and come back
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = percent())]
    churn: u8,
    /// A text that each connection sends first
    #[arg(long, value_name = "TEXT")]
    hello: Option<String>,
    /// Threads that drive the connections
    #[arg(long, value_name = "COUNT", default_value = "1")]
    threads: usize,
    /// How long to wait for connections to open, for what is missing, and for the end
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    patience: Duration,
    /// Makes other messages and choices
    #[arg(long, value_name = "NUMBER", default_value = "1")]
    seed: u64,
    /// Prints the report as one JSON object
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Every message has a sender and a number, and its bytes follow from them: what is lost, doubled,
reordered, corrupt, or comes to the wrong connection is counted, and the first few are told.
Connections to 127.0.0.0/8 beyond 20,000 come from further addresses of it.

Exit status:
   0  every connection opened and ended as it should, and every message was right
   1  something was not
  64  wrong usage
  69  the server's name cannot be resolved, or not one connection could be opened";

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Do {
    /// Sends, and expects its messages back in their order
    Echo,
    /// Stays open, and answers pings
    Idle,
    /// Counts what comes
    Receive,
    /// Reads nothing until the time is over, and then what has come
    Stall,
    /// Speaks in the room of the plugin `chat` that the URL names; each hears all, in order
    Chat,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    Text,
    Binary,
    Both,
}

/// sysexits.h: not available.
const UNAVAILABLE: u8 = 69;
/// sysexits.h: wrong usage.
const USAGE: u8 = 64;

/// Runs it, and prints the report.
pub fn bench(options: &Options) -> ExitCode {
    let report = match run(&options.plan()) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("switchboard: {error}");
            return match error {
                switchboard_load::Error::Name(_) => UNAVAILABLE.into(),
                switchboard_load::Error::Poll(_) | switchboard_load::Error::Panicked => {
                    ExitCode::FAILURE
                }
                _ => USAGE.into(),
            };
        }
    };
    if options.json {
        println!("{}", report.to_json());
    } else {
        println!("{report}");
    }
    match report.is_well() {
        true => ExitCode::SUCCESS,
        false if report.opened == 0 => UNAVAILABLE.into(),
        false => ExitCode::FAILURE,
    }
}

impl Options {
    fn plan(&self) -> Plan {
        let mut plan = Plan::new(self.url.clone());
        plan.connections = self.connections as usize;
        plan.threads = self.threads;
        plan.mode = match self.mode {
            Do::Echo => Mode::Echo { depth: self.depth.max(1) },
            Do::Idle => Mode::Idle,
            Do::Receive => Mode::Receive,
            Do::Stall => Mode::Stall,
            Do::Chat => Mode::Chat,
        };
        plan.goal = self.messages.map_or(Goal::Duration(self.duration), Goal::Messages);
        plan.rate = self.rate;
        plan.bytes = self.size;
        plan.kinds = match self.kind {
            Kind::Text => Kinds::Text,
            Kind::Binary => Kinds::Binary,
            Kind::Both => Kinds::Both,
        };
        plan.fragmented_percent = self.fragments;
        plan.faults = Faults {
            abort_percent: self.abort,
            vanish_percent: self.vanish,
            slow_percent: self.slow,
            churn_percent: self.churn,
        };
        plan.hello.clone_from(&self.hello);
        plan.patience = self.patience;
        plan.seed = self.seed;
        plan
    }
}

fn one_or_more() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..)
}

fn percent() -> clap::builder::RangedI64ValueParser<u8> {
    clap::value_parser!(u8).range(0..=100)
}

fn url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    if url.tls { Err("its clients do not speak TLS; give it ws://".to_owned()) } else { Ok(url) }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.strip_suffix('s').unwrap_or(text).parse::<f64>().ok();
    let duration = number.and_then(|number| Duration::try_from_secs_f64(number).ok());
    let sane = duration.filter(|duration| *duration <= Duration::from_secs(1_000_000));
    sane.ok_or_else(|| "expected a number of seconds, such as 2 or 0.5".to_owned())
}

fn sizes(text: &str) -> Result<(usize, usize), String> {
    let (min, max) = text.split_once("..").unwrap_or((text, text));
    let number =
        |text: &str| text.parse::<usize>().ok().filter(|size| (16..=1 << 28).contains(size));
    match (number(min), number(max)) {
        (Some(min), Some(max)) if min <= max => Ok((min, max)),
        _ => Err("expected one size from 16 on, or two such as 16..65536".to_owned()),
    }
}
