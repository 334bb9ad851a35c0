//! What is printed.

use std::time::Duration;

use switchboard_load::{Finding, Report};

use crate::round::{Rest, Round};

pub(crate) fn head(budget: u64) {
    println!(
        "latency of the echoing ones, in ms from the time that each message was due; memory in MiB; \
         budget of the host's growth: {} MiB. lag99: so late did this program itself send; if that is \
         near to p99, the machine had other things to do",
        mib(budget)
    );
    println!(
        "{:<12} {:>6} {:>6} {:>6} {:>6} {:>5} | {:>6} {:>6} {:>10} {:>4} {:>9} | {:>5} {:>5} | {:>6} {:>5} {:>5} {:>7} {:>7} | {:>4}",
        "the 500",
        "p50",
        "p99",
        "p99.9",
        "max",
        "lag99",
        "feed99",
        "echoes",
        "deliveries",
        "lost",
        "reordered",
        "1013",
        "open",
        "before",
        "peak",
        "after",
        "program",
        "sockets",
        "CPU%"
    );
}

pub(crate) fn row(round: &Round) {
    let (latency, memory) = (&round.echoes.latency, &round.memory);
    let of = |share| millis(latency.quantile(share));
    let (slow, otherwise) = round.closed();
    let rest: u64 = round.others.iter().map(|report| report.opened).sum();
    println!(
        "{:<12} {:>6.1} {:>6.1} {:>6.1} {:>6.1} {:>5.1} | {:>6.1} {:>6} {:>10} {:>4} {:>9} | {:>5} {:>5} | {:>6} {:>5} {:>5} {:>7} {:>7} | {:>4.0}",
        round.rest.name(),
        of(0.5),
        of(0.99),
        of(0.999),
        millis(latency.max()),
        millis(round.echoes.lag.quantile(0.99)),
        millis(round.feed.latency.quantile(0.99)),
        latency.count(),
        round.deliveries(),
        round.count(Finding::Lost),
        round.count(Finding::Reordered),
        slow,
        rest - (slow + otherwise).min(rest),
        mib(memory.host_before),
        mib(memory.host_peak),
        mib(memory.host_after),
        mib(memory.program_peak),
        mib(memory.sockets_peak.saturating_sub(memory.sockets_before)),
        memory.cpu_percent,
    );
    if memory.shortages + memory.dropped > 0 {
        println!(
            "  the system fell short of memory for TCP {} times, and sockets dropped what had come {} times",
            memory.shortages, memory.dropped
        );
    }
    match round.program["full"].as_u64() {
        _ if round.rest == Rest::Stall => ends(&round.others),
        None | Some(0) => {}
        Some(full) => println!("  the program gave up sending to {full} readers: too much waited"),
    }
}

/// What those that did not read found when they did.
fn ends(reports: &[Report; 2]) {
    for (name, report) in ["members of the topic", "streams"].iter().zip(reports) {
        let ends: Vec<String> =
            report.ended.iter().map(|(how, count)| format!("{count} {how}")).collect();
        let mb = report.bytes_received as f64 / 1e6 / report.opened.max(1) as f64;
        println!("  {name}, when they read: {mb:.2} MB each; {}", ends.join(", "));
    }
}

pub(crate) fn medians(rounds: &[Round]) {
    let shares = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)];
    println!("medians of the rounds:");
    for rest in Rest::ALL {
        let of = |share: f64| {
            let same = rounds.iter().filter(|round| round.rest == rest);
            let mut all: Vec<_> = same.map(|round| round.echoes.latency.quantile(share)).collect();
            all.sort_unstable();
            all.get(all.len() / 2).map_or(0.0, |median| millis(*median))
        };
        let figures = shares.map(|(name, share)| format!("{name} {:.1} ms", of(share)));
        println!("  {:<12} {}", rest.name(), figures.join(", "));
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn mib(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}
