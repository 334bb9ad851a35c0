//! What a connection keeps resident in the server while it is idle, after a message went both ways.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::dial;
use crate::figures::{Figures, Row, Sample};
use crate::load::Exchange;
use crate::plan::Plan;
use crate::server::{Server, Time};

/// What the first connections allocate once is not theirs.
const FIRST: usize = 100;
const PAYLOAD_BYTES: usize = 16;
/// Memory hardly scatters.
const ROUNDS_MAX: usize = 3;

pub(crate) fn measure(plan: &Plan, round: usize, figures: &mut Figures) -> Outcome<()> {
    if round >= ROUNDS_MAX {
        return Ok(());
    }
    for program in plan.turn(round) {
        let server = program.start()?;
        let exchange = Exchange::new(PAYLOAD_BYTES, program.is_raw());
        let sample = kept(plan, round, &server, |count| {
            let mut sockets = dial::open_many(server.address, program.target("/echo"), count)?;
            sockets.iter_mut().try_for_each(|socket| exchange.check(socket))?;
            Ok(sockets)
        })?;
        figures.add(&row("plain"), &program.name, sample);
        if program.is_host() {
            drop(server);
            let server = program.start()?;
            let (address, certificate) = server.tls().ok_or("the host has no certificate")?;
            let config = dial::trust(certificate)?;
            let open = |_| {
                let mut stream = dial::open_tls(address, "/echo", &config)?;
                exchange.check(&mut stream)?;
                // The socket stays open; its session is not needed any more.
                Ok(stream.into_parts().1)
            };
            let sample = kept(plan, round, &server, |count| (0..count).map(open).collect())?;
            figures.add(&row("TLS"), &program.name, sample);
        }
    }
    Ok(())
}

fn row(kind: &str) -> Row {
    let title = format!("memory of an idle connection, {kind}");
    Row { title, unit: "bytes", base: None, digits: 0 }
}

fn kept(
    plan: &Plan,
    round: usize,
    server: &Server,
    open: impl Fn(usize) -> Outcome<Vec<TcpStream>>,
) -> Outcome<Sample> {
    let begun = Instant::now();
    let first = open(FIRST)?;
    let before = server.memory()?;
    let rest = open(plan.idle)?;
    let grown = server.memory()?.saturating_sub(before);
    drop((first, rest));
    let none = Time { cpu: Duration::ZERO, waited: Duration::ZERO };
    Ok(Sample::new(round, grown as f64 / plan.idle as f64, none, begun.elapsed()))
}
