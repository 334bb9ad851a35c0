//! Clients of all manners for a long time, every byte of theirs checked.
//!
//! Run with `make soak`. It starts the host with endpoints of all kinds (`soak/places.rs`), lets
//! connections come and go there as `switchboard_load::soak` says, and prints a table. It fails if
//! any of them got anything else than it was owed, if the host's memory or its files are not back to
//! the start when all have gone, or if the host warned of something that no client did.
//! `SOAK_SECONDS`, `SOAK_CONNECTIONS` and `SOAK_SEED` change how long, how many, and the choices;
//! `SOAK_ONLY=forward` leaves only the endpoints with that in their names.

mod support;

#[path = "soak/places.rs"]
mod places;
#[path = "soak/watch.rs"]
mod watch;

use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use places::Places;
use support::{Host, Outcome, built};
use switchboard_load::soak::{Goal, Progress, Report, Soak, run};
use watch::{Held, Watch, settled};

/// How long hasty endpoints wait for who does not read.
const HASTY: Duration = Duration::from_secs(3);
const IDLE_MAX: Duration = Duration::from_secs(20);
/// What connections take before the first figures, as long as this, is the host's for good: its
/// threads' arenas, tables and buffers.
const WARM_UP: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(500);
const TELL_EVERY: Duration = Duration::from_secs(30);

fn main() -> Outcome<ExitCode> {
    let seconds = number("SOAK_SECONDS", 1200)?;
    let places = Places::new(HASTY, IDLE_MAX)?;
    let host = Host::start_with("soak", &["libecho.so"], |home| {
        places.write(home, "plugin-path plugins", &built("echo-cpp")?)
    })?;
    let mut soak = Soak::new(places.targets(&host.listener("main")?, &host.listener("tls")?)?);
    soak.connections = number("SOAK_CONNECTIONS", 2000)? as usize;
    soak.threads = 2;
    soak.seed = number("SOAK_SEED", 1)?;
    if let Ok(part) = std::env::var("SOAK_ONLY") {
        soak.targets.retain(|target| target.name.contains(&part));
    }
    println!(
        "{} connections at {} endpoints for {seconds} s, SOAK_SEED={}",
        soak.connections,
        soak.targets.len(),
        soak.seed
    );

    host.wait_for_programs(places::PROGRAMS)?;
    let fresh = Held::now(&host)?;
    soak.goal = Goal::Duration(WARM_UP);
    let (warm, _) = watched(&host, &soak)?;
    let start = settled(&host, fresh.host_files)?;
    soak.goal = Goal::Duration(Duration::from_secs(seconds));
    // Others than those of the warm-up.
    soak.seed = soak.seed.wrapping_add(1 << 32);
    let (report, watch) = watched(&host, &soak)?;
    let end = settled(&host, fresh.host_files)?;

    print!("{report}");
    let (open, open_max) = watch.open();
    println!("{:<32} {open} in the mean, {open_max} at most", "open at a time");
    let rounds = Rounds { fresh, start, peak: watch.peak, end };
    rounds.print();
    let warnings = host.warnings();
    for (line, count) in &warnings {
        println!("the log, {count} times: {line}");
    }
    let mut wrong = rounds.faults();
    for (report, name) in [(&warm, "warm-up"), (&report, "soak")] {
        if !report.is_well() {
            wrong.push(format!("{} faults in the {name}\n{report}", report.fault_count()));
        }
    }
    wrong.extend(warnings.keys().filter(|line| !is_explained(line)).cloned());
    wrong.iter().for_each(|what| println!("WRONG: {what}"));
    Ok(if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What was held before the first client, after the warm-up, at most, and when all had gone.
struct Rounds {
    fresh: Held,
    start: Held,
    peak: Held,
    end: Held,
}

impl Rounds {
    fn print(&self) {
        println!("{:<32} {:>9} {:>9} {:>9} {:>9}", "", "fresh", "start", "peak", "end");
        let row = |name: &str, of: fn(&Held) -> u64| {
            let [fresh, start, peak, end] =
                [self.fresh, self.start, self.peak, self.end].map(|held| of(&held));
            println!("{name:<32} {fresh:>9} {start:>9} {peak:>9} {end:>9}");
        };
        row("host, resident KiB", |held| held.host >> 10);
        row("programs, resident KiB", |held| held.programs >> 10);
        row("host, descriptors", |held| held.host_files as u64);
        row("programs, descriptors", |held| held.program_files as u64);
    }

    /// What is not back to the start.
    fn faults(&self) -> Vec<String> {
        let (fresh, start, end) = (self.fresh, self.start, self.end);
        let mut faults = Vec::new();
        let programs = programs_tolerance(start.programs);
        for (whose, before, after, tolerance) in [
            ("the host", start.host, end.host, HOST_TOLERANCE),
            ("the programs", start.programs, end.programs, programs),
        ] {
            if after > before + tolerance {
                faults.push(format!("{whose}: {before} bytes at the start, {after} at the end"));
            }
        }
        for (whose, before, after) in [
            ("the host", fresh.host_files, end.host_files),
            ("the programs", start.program_files, end.program_files),
        ] {
            if after > before {
                faults.push(format!(
                    "{whose}: {before} descriptors at the start, {after} at the end"
                ));
            }
        }
        faults
    }
}

/// By how much the host's memory may differ from the start: what it keeps for good grows with the
/// most that were open at a time, and was measured to be 5 MiB more than after the warm-up.
const HOST_TOLERANCE: u64 = 10 << 20;

/// The same of programs. glibc returns what is free at the end of an arena: what lies between is what
/// a busier moment than those of the warm-up has left.
fn programs_tolerance(start: u64) -> u64 {
    start / 4 + (16 << 20)
}

/// Whether a warning of the host is about what clients and programs of a soak do.
fn is_explained(line: &str) -> bool {
    // The echo in C++ says how each client ended, and more than 200 do in some seconds.
    line.contains("of its lines were dropped")
}

fn number(name: &str, usual: u64) -> Outcome<u64> {
    match std::env::var(name) {
        Ok(text) => text.parse().map_err(|_| format!("{name} is no number: {text:?}").into()),
        Err(_) => Ok(usual),
    }
}

/// Makes a run, and looks at the host until it is over.
fn watched(host: &Host, soak: &Soak) -> Outcome<(Report, Watch)> {
    let (progress, mut watch) = (Progress::default(), Watch::default());
    std::thread::scope(|scope| {
        let run = scope.spawn(|| run(soak, &progress));
        let (start, mut told) = (Instant::now(), Instant::now());
        while !run.is_finished() {
            std::thread::sleep(LOOK_EVERY);
            let open = progress.open.load(Ordering::Relaxed);
            let is_full = !progress.stop.load(Ordering::Relaxed);
            let held = watch.look(host, is_full.then_some(open))?;
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                let seconds = start.elapsed().as_secs();
                let (memory, files) = (held.host >> 20, held.host_files);
                eprintln!("{seconds:>5} s: {open} open, host {memory} MiB, {files} descriptors");
            }
        }
        let report = run.join().map_err(|_| "the soak has panicked")??;
        Ok((report, watch))
    })
}
