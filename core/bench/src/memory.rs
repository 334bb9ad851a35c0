//! What a connection keeps resident in the server while it is idle, after a message went both ways.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::figures::{Figures, Row, Sample};
use crate::load::Exchange;
use crate::plan::{Plan, turn};
use crate::server::{Program, Server, Time};

/// What the first connections allocate once is not theirs.
const FIRST: usize = 100;
const PAYLOAD_BYTES: usize = 16;
/// What the host may take, in bytes.
const REACH: f64 = 600.0;
const REACH_TLS: f64 = 9.0 * 1024.0;

pub(crate) fn measure(plan: &Plan, round: usize, figures: &mut Figures) -> Outcome<()> {
    for program in turn(&plan.servers, round) {
        figures.add(&row("plain", REACH), &program.name, kept(plan, round, program)?);
    }
    for program in turn(&plan.safe, round) {
        figures.add(&row("over TLS", REACH_TLS), &program.name, kept(plan, round, program)?);
    }
    Ok(())
}

fn row(kind: &str, reach: f64) -> Row {
    let title = format!("memory of an idle connection, {kind}");
    Row { title, unit: "bytes", base: None, reach: Some(reach), digits: 0 }
}

fn kept(plan: &Plan, round: usize, program: &Program) -> Outcome<Sample> {
    let (server, begun) = (program.start()?, Instant::now());
    let exchange = Exchange::new(PAYLOAD_BYTES, program.is_raw());
    let first = used(&server, &exchange, FIRST)?;
    let before = server.settled_memory()?;
    let rest = used(&server, &exchange, plan.idle)?;
    let grown = server.settled_memory()?.saturating_sub(before);
    drop((first, rest));
    let none = Time { cpu: Duration::ZERO, waited: Duration::ZERO };
    Ok(Sample::new(round, grown as f64 / plan.idle as f64, none, begun.elapsed()))
}

/// Connections that have had an echo. They come in lots, so that this program need not hold the
/// sessions of all.
fn used(server: &Server, exchange: &Exchange, count: usize) -> Outcome<Vec<TcpStream>> {
    let mut kept = Vec::with_capacity(count);
    while kept.len() < count {
        let mut sockets = server.open_many("/echo", FIRST.min(count - kept.len()))?;
        sockets.iter_mut().try_for_each(|socket| exchange.check(socket))?;
        kept.extend(sockets.into_iter().map(crate::socket::Socket::into_tcp));
    }
    Ok(kept)
}
