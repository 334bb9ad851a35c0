//! One link with 5,000 connections: what 500 of them that do not read cost the others.
//!
//! Run with `make crowd`. It starts the host with one program (`crowd/crowd.cpp`), and makes rounds of
//! three kinds in turn: the 500 want nothing but the feed that all get; they want a flood each, and
//! read it; they want it, and do not read. It prints the latency of the others and the host's
//! memory, and fails if anything was lost or reordered, if one that did not read was ended otherwise
//! than with 1013, or if memory grew beyond the budget. `CROWD_ROUNDS` changes the number of rounds.

mod support;

#[path = "crowd/round.rs"]
mod round;
#[path = "crowd/table.rs"]
mod table;
#[path = "crowd/watch.rs"]
mod watch;

use std::process::ExitCode;

use round::{PREFIX, Rest, Round};
use support::{Host, Outcome};

/// What may wait for one client: together more than for all.
const BACKLOG: &str = "256KB";
/// What may wait for all clients.
const MEMORY: (&str, u64) = ("64MB", 64 << 20);
/// What a link may hold besides: the window that the program has for all its clients.
const LINK_BYTES: u64 = 16 << 20;

/// By how much the host's memory may grow while clients do not read.
fn budget() -> u64 {
    MEMORY.1 + LINK_BYTES
}

fn conf() -> Outcome<String> {
    let (program, (memory, _)) = (support::built("crowd")?, MEMORY);
    Ok(format!(
        "<limits>
  ping-interval 0s
  soft-backlog 64KB
  max-backlog {BACKLOG}
  max-memory {memory}
</limits>
<listener main>
  address 127.0.0.1:0
</listener>
<websocket {PREFIX}>
  <external>
    program {}
  </external>
</websocket>
",
        program.display()
    ))
}

fn main() -> Outcome<ExitCode> {
    let rounds = std::env::var("CROWD_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let host = Host::start("crowd", &[], &conf()?)?;
    round::wait_for_program(&host)?;
    let mut done: Vec<Round> = Vec::new();
    table::head(budget());
    for _ in 0..rounds {
        for rest in Rest::ALL {
            let round = round::run(&host, rest)?;
            table::row(&round);
            done.push(round);
        }
    }
    table::medians(&done);
    let faults: Vec<String> = done.iter().flat_map(|round| round.faults(budget())).collect();
    for fault in &faults {
        println!("WRONG: {fault}");
    }
    Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
