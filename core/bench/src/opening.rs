//! How many connections a server opens in a second of its CPU time.

use std::time::Instant;

use crate::Outcome;
use crate::figures::{Figures, Row, Sample};
use crate::plan::{Plan, turn};
use crate::server::{Program, Server};
use crate::socket::Socket;

const CONNECTIONS: usize = 5000;
const TLS_CONNECTIONS: usize = 500;

pub(crate) fn measure(plan: &Plan, round: usize, figures: &mut Figures) -> Outcome<()> {
    for program in turn(&plan.servers, round).filter(|program| !program.is_raw()) {
        let sample = take(round, program, CONNECTIONS, Server::open_many)?;
        figures.add(&row("plain"), &program.name, sample);
    }
    for program in turn(&plan.safe, round).filter(|program| !program.is_raw()) {
        let sample = take(round, program, TLS_CONNECTIONS, Server::open_many)?;
        figures.add(&row("over TLS"), &program.name, sample);
        let sample = take(round, program, TLS_CONNECTIONS, Server::come_back)?;
        figures.add(&row("over TLS with a ticket"), &program.name, sample);
    }
    Ok(())
}

fn row(kind: &str) -> Row {
    let title = format!("connections opened, {kind}");
    Row { title, unit: "a second of CPU", base: None, reach: None, digits: 0 }
}

type Open = fn(&Server, &str, usize) -> Outcome<Vec<Socket>>;

fn take(round: usize, program: &Program, count: usize, open: Open) -> Outcome<Sample> {
    let server = program.start()?;
    // Once before, so that code and memory are there.
    drop(open(&server, "/echo", count / 10)?);
    let (before, begun) = (server.time()?, Instant::now());
    let sockets = open(&server, "/echo", count)?;
    let (time, elapsed) = (server.time()? - before, begun.elapsed());
    drop(sockets);
    let figure = count as f64 / time.cpu.as_secs_f64();
    Ok(Sample::new(round, figure, time, elapsed))
}
