//! What the host costs beside a raw socket and other engines, in one interleaved run.
//!
//! `make bench` runs it. The server under test has one core and this program another; what counts
//! is the server's CPU time, and its ratio to the base line of the same round. See `Plan` for what
//! can be asked for.

mod broadcast;
mod deflate;
mod echo;
mod memory;
mod opening;

mod document;
mod figures;
mod plot;

mod dial;
mod home;
mod load;
mod plan;
mod server;
mod socket;

use figures::Figures;
use plan::Plan;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let plan = Plan::from_environment()?;
    let all = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let limit = rustix::process::Rlimit { current: all.maximum, maximum: all.maximum };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit)?;
    let mut figures = Figures::default();
    for round in 0..plan.rounds {
        eprintln!("round {} of {}", round + 1, plan.rounds);
        for (name, measure) in ROWS {
            if plan.has(name) {
                eprintln!("  {name}");
                measure(&plan, round, &mut figures)?;
            }
        }
    }
    println!("{figures}");
    let path = server::built("").join("performance.csv");
    std::fs::write(&path, figures.to_csv())?;
    println!("every single figure: target/performance.csv");
    if std::env::args().any(|argument| argument == "--write") {
        document::write(&plan, &figures)?;
    }
    Ok(())
}

type Measure = fn(&Plan, usize, &mut Figures) -> Outcome<()>;

const ROWS: [(&str, Measure); 5] = [
    ("echo", echo::measure),
    ("memory", memory::measure),
    ("broadcast", broadcast::measure),
    ("opening", opening::measure),
    ("deflate", deflate::measure),
];
