//! `docs/performance.md` and its plot.

use std::fmt::Write;
use std::path::Path;

use crate::figures::Figures;
use crate::plan::Plan;
use crate::{Outcome, plot};

const METHOD: &str = "\
Made by `make performance`; do not edit it.

## Method

All servers are measured in one run, in turn, and the run goes round several times; each round begins with another server.
A server is started anew for each figure, has one core to itself, and runs on one thread; the load has another core.
What counts is the CPU time that the kernel says the server has had, for each message.
It does not matter then how fast the load is, as it does for messages a second.
A ratio is taken within a round, so that what slows the whole machine for a while slows both sides of it.
Shown is the median, with the least and the most of the rounds in brackets.

- `raw` is the base line: a TCP echo of tokio that reads into a buffer of 64 KB for each connection and knows nothing of WebSockets. Its messages are as long as the others' frames.
- `switchboard` is the release build with the plugin `echo`, loaded as any plugin is, and a conf that has `worker-threads 1`, no pings, and else what the conf has by default.
- The engines are servers for nothing but this, each written as its documentation recommends for speed; where the engine can answer several messages with one write, it does. Those of tungstenite have a read buffer of 4 KiB, which costs less than the default.
- Echo is over 50 connections, each with one message on its way, or 32.
- `bare` is the base line of the broadcast: a loop that writes the same frame to each socket. The next message is said when all have heard the one before.
- Memory is what is resident for each idle connection after a message of 16 bytes went both ways.
- Of connections opened, 50 shake hands at a time; under TLS one at a time, without resumption.
- Compressed messages are JSON records with numbers that differ; `off`, `shared` and `dedicated` are the settings of `compression`.
";

pub(crate) fn write(plan: &Plan, figures: &Figures) -> Outcome<()> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let mut text = format!("# Performance\n\n{METHOD}\n## Figures\n\n");
    writeln!(text, "{} rounds, on {}.", plan.rounds, machine()?)?;
    writeln!(text, "With {}; the older tokio-tungstenite is axum's own.\n", versions())?;
    writeln!(text, "![Ratios of CPU time to the base line](performance.svg)\n")?;
    for (row, lines) in figures.rows() {
        writeln!(text, "### {}\n", capital(&row.title))?;
        match row.base {
            Some(base) => writeln!(text, "| server | / {base} | {} |\n|---|---|---|", row.unit)?,
            None => writeln!(text, "| server | {} |\n|---|---|", row.unit)?,
        }
        for line in lines {
            let figure = line.figure.show(row.digits);
            match line.ratio.filter(|_| row.base.is_some()) {
                Some(ratio) => {
                    writeln!(text, "| {} | {} | {figure} |", line.server, ratio.show(2))?;
                }
                None => writeln!(text, "| {} | {figure} |", line.server)?,
            }
        }
        writeln!(text)?;
    }
    std::fs::write(docs.join("performance.md"), text.trim_end().to_owned() + "\n")?;
    std::fs::write(docs.join("performance.svg"), plot::svg(figures))?;
    println!("written: docs/performance.md, docs/performance.svg");
    Ok(())
}

/// What kind of one it is, not which.
fn machine() -> Outcome<String> {
    let cores = std::thread::available_parallelism()?.get().max(cores()?);
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let mut numbers = release.split(['.', '-']);
    let (major, minor) = (numbers.next().unwrap_or("?"), numbers.next().unwrap_or("?"));
    let kind = std::env::consts::ARCH;
    Ok(format!("a machine of {cores} cores ({kind}) with Linux {major}.{minor}"))
}

/// Of the machine; this thread may use only one of them.
fn cores() -> Outcome<usize> {
    let text = std::fs::read_to_string("/proc/cpuinfo")?;
    Ok(text.lines().filter(|line| line.starts_with("processor")).count())
}

/// Of the engines, and what they stand on, as they were built.
fn versions() -> String {
    let named = [
        "fastwebsockets",
        "tokio-websockets",
        "tokio-tungstenite",
        "axum",
        "hyper",
        "tokio",
        "rustls",
    ];
    let packages = include_str!("../Cargo.lock").split("[[package]]");
    let field = |package: &str, name: &str| {
        let line = package.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned));
        line.unwrap_or_default().trim_matches([' ', '=', '"']).to_owned()
    };
    let version = |package: &str| {
        let name = field(package, "name");
        named.contains(&name.as_str()).then(|| format!("{name} {}", field(package, "version")))
    };
    packages.filter_map(version).collect::<Vec<_>>().join(", ")
}

fn capital(title: &str) -> String {
    let mut letters = title.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}
