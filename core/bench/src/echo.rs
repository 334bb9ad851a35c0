//! A message and its echo, one or many on their way.

use std::time::{Duration, Instant};

use crate::Outcome;
use crate::figures::{Figures, Row, Sample};
use crate::load::{Exchange, Load};
use crate::plan::{Plan, turn};
use crate::server::Program;

const CONNECTIONS: usize = 50;
const SIZES: [usize; 3] = [16, 1 << 10, 64 << 10];
/// Messages on their way, and what the host may cost at each size, as a ratio to the base line.
const DEPTHS: [(usize, [Option<f64>; 3]); 2] =
    [(1, [Some(1.10), Some(1.10), Some(1.05)]), (32, [Some(1.35), Some(1.15), None])];
/// Until buffers have grown to what they need.
const WARM_UP: Duration = Duration::from_millis(200);

pub(crate) fn measure(plan: &Plan, round: usize, figures: &mut Figures) -> Outcome<()> {
    for (depth, limits) in DEPTHS {
        for (bytes, reach) in SIZES.into_iter().zip(limits) {
            let title = format!("echo of {}, {depth} in flight", size(bytes));
            for program in turn(&plan.servers, round) {
                let row = row(title.clone(), reach);
                figures.add(&row, &program.name, take(plan, round, program, bytes, depth)?);
            }
        }
    }
    for bytes in SIZES {
        for program in turn(&plan.safe, round) {
            let row = row(format!("echo of {} over TLS, 1 in flight", size(bytes)), None);
            figures.add(&row, &program.name, take(plan, round, program, bytes, 1)?);
        }
    }
    Ok(())
}

fn row(title: String, reach: Option<f64>) -> Row {
    Row { title, unit: "µs of CPU a message", base: Some("raw"), reach, digits: 3 }
}

fn take(
    plan: &Plan,
    round: usize,
    program: &Program,
    bytes: usize,
    depth: usize,
) -> Outcome<Sample> {
    let server = program.start()?;
    let sockets = server.open_many("/echo", CONNECTIONS)?;
    let mut load = Load::new(sockets, &Exchange::new(bytes, program.is_raw()), depth)?;
    load.run(WARM_UP)?;
    let (before, begun) = (server.time()?, Instant::now());
    let messages = load.run(plan.window)?;
    let (time, elapsed) = (server.time()? - before, begun.elapsed());
    load.drain().map_err(|error| format!("{}: {error}", program.name))?;
    let figure = time.cpu.as_secs_f64() * 1e6 / messages;
    Ok(Sample::new(round, figure, time, elapsed))
}

fn size(bytes: usize) -> String {
    if bytes < 1024 { format!("{bytes} B") } else { format!("{} KB", bytes / 1024) }
}
