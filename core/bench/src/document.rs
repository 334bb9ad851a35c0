//! `docs/performance.md` and its plot.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use crate::figures::{Figures, Line, Row};
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
- Over TLS the certificate is of ECDSA P-256, and `raw` is the same echo behind tokio-rustls.
- Echo is over 50 connections, each with one message on its way, or 32.
- `bare` is the base line of the broadcast: a loop that writes the same frame to each socket. The next message is said when all have heard the one before.
- Memory is what is resident for each idle connection after a message of 16 bytes went both ways; the first hundred are not counted, as they allocate what is for all.
- Of connections opened, 50 shake hands at a time; under TLS one at a time, as a stranger or with the ticket of the time before.
- Compressed messages are JSON records with numbers that differ; `off`, `shared` and `dedicated` are the settings of `compression`.
";

pub(crate) fn write(plan: &Plan, figures: &Figures) -> Outcome<()> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let mut text = format!("# Performance\n\n{METHOD}");
    if let [_, ..] = plan.given()[..] {
        let names = plan.given().join(", ");
        writeln!(
            text,
            "- Not part of the checkout, and given as the commands of `BENCH_PEER` and its kin: {names}."
        )?;
    }
    writeln!(text, "\n## What is to be reached\n\n{}", limits(figures))?;
    writeln!(text, "## Figures\n\n{} rounds, on {}.", plan.rounds, machine()?)?;
    writeln!(text, "Built by {}.", compiler()?)?;
    writeln!(text, "With {}; the older tokio-tungstenite is axum's own.\n", versions())?;
    writeln!(text, "![Ratios of CPU time to the base line](performance.svg)\n")?;
    for (row, lines) in figures.rows() {
        text += &section(row, &lines);
    }
    std::fs::write(docs.join("performance.md"), text.trim_end().to_owned() + "\n")?;
    std::fs::write(docs.join("performance.svg"), plot::svg(figures))?;
    println!("written: docs/performance.md, docs/performance.svg");
    Ok(())
}

/// Each limit, whether the host's median keeps it, and who does best of the others.
fn limits(figures: &Figures) -> String {
    let mut text = String::from(
        "The project holds itself to these limits: a limit holds when the median does.\n\
         Echo and broadcast are ratios to the base line, memory is in bytes.\n\n\
         | what | limit | switchboard | | least of the others |\n|---|---|---|---|---|\n",
    );
    for (row, lines) in figures.rows() {
        let Some(reach) = row.reach else { continue };
        let is_host = |line: &&Line<'_>| line.server == "switchboard";
        let Some(held) = lines.iter().find(is_host).map(Line::held) else { continue };
        let verdict = if held <= reach { "holds" } else { "**missed**" };
        let others = lines.iter().filter(|line| !is_host(line) && !line.is_base_of(row));
        let least = others.min_by(|one, other| one.held().total_cmp(&other.held()));
        let least = least.map_or("-".to_owned(), |line| {
            format!("{} {}", line.server, row.show_held(line.held()))
        });
        let (title, limit, held) = (&row.title, row.show_held(reach), row.show_held(held));
        text += &format!("| {title} | {limit} | {held} | {verdict} | {least} |\n");
    }
    text
}

fn section(row: &Row, lines: &[Line<'_>]) -> String {
    let mut text = format!("### {}\n\n", capital(&row.title));
    text += &match row.base {
        Some(base) => format!("| server | / {base} | {} |\n|---|---|---|\n", row.unit),
        None => format!("| server | {} |\n|---|---|\n", row.unit),
    };
    for line in lines {
        let figure = line.figure.show(row.digits);
        text += &match line.ratio.filter(|_| row.base.is_some()) {
            Some(ratio) => format!("| {} | {} | {figure} |\n", line.server, ratio.show(2)),
            None => format!("| {} | {figure} |\n", line.server),
        };
    }
    text + "\n"
}

/// What kind of one it is, not which.
fn machine() -> Outcome<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo")?;
    // All of the machine: this thread may use only one of them.
    let cores = text.lines().filter(|line| line.starts_with("processor")).count();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or(std::env::consts::ARCH, |(_, model)| model.trim());
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let mut numbers = release.split(['.', '-']);
    let (major, minor) = (numbers.next().unwrap_or("?"), numbers.next().unwrap_or("?"));
    Ok(format!("{cores} cores of {model} with Linux {major}.{minor}"))
}

/// Which Rust, without its date.
fn compiler() -> Outcome<String> {
    let said = Command::new("rustc").arg("--version").output()?;
    let said = String::from_utf8(said.stdout)?;
    Ok(said.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
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
