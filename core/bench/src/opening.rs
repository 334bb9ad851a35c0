//! How many connections a server opens in a second of its CPU time.

use std::time::Instant;

use crate::figures::{Figures, Row, Sample};
use crate::plan::Plan;
use crate::{Outcome, dial};

const CONNECTIONS: usize = 2000;
const TLS_CONNECTIONS: usize = 500;

pub(crate) fn measure(plan: &Plan, round: usize, figures: &mut Figures) -> Outcome<()> {
    let row = |kind| {
        let title = format!("connections opened, {kind}");
        Row { title, unit: "a second of CPU", base: None, digits: 0 }
    };
    for program in plan.websockets(round) {
        let server = program.start()?;
        // Once before, so that code and memory are there.
        drop(dial::open_many(server.address, program.target("/echo"), CONNECTIONS / 10)?);
        let (before, begun) = (server.time()?, Instant::now());
        let sockets = dial::open_many(server.address, program.target("/echo"), CONNECTIONS)?;
        let time = server.time()? - before;
        let figure = CONNECTIONS as f64 / time.cpu.as_secs_f64();
        figures.add(
            &row("plain"),
            &program.name,
            Sample::new(round, figure, time, begun.elapsed()),
        );
        drop(sockets);
        if let Some((address, certificate)) = server.tls() {
            let config = dial::trust(certificate)?;
            let open = |_| dial::open_tls(address, "/echo", &config);
            drop(open(0)?);
            let (before, begun) = (server.time()?, Instant::now());
            let sockets: Vec<_> = (0..TLS_CONNECTIONS).map(open).collect::<Outcome<_>>()?;
            let time = server.time()? - before;
            let figure = TLS_CONNECTIONS as f64 / time.cpu.as_secs_f64();
            let sample = Sample::new(round, figure, time, begun.elapsed());
            figures.add(&row("TLS"), &program.name, sample);
            drop(sockets);
        }
    }
    Ok(())
}
