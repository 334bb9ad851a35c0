//! A message and its echo, one or many on their way.

use std::time::{Duration, Instant};

use crate::figures::{Figures, Row, Sample};
use crate::load::{Exchange, Load};
use crate::plan::Plan;
use crate::{Outcome, dial};

const CONNECTIONS: usize = 50;
const SIZES: [usize; 3] = [16, 1 << 10, 64 << 10];
const DEPTHS: [usize; 2] = [1, 32];
/// Until buffers have grown to what they need.
const WARM_UP: Duration = Duration::from_millis(200);

pub(crate) fn measure(plan: &Plan, round: usize, figures: &mut Figures) -> Outcome<()> {
    for depth in DEPTHS {
        for bytes in SIZES {
            let row = Row {
                title: format!("echo of {}, {depth} in flight", size(bytes)),
                unit: "µs of CPU a message",
                base: Some("raw"),
                digits: 3,
            };
            for program in plan.turn(round) {
                let server = program.start()?;
                let sockets =
                    dial::open_many(server.address, program.target("/echo"), CONNECTIONS)?;
                let mut load = Load::new(sockets, &Exchange::new(bytes, program.is_raw()), depth)?;
                load.run(WARM_UP)?;
                let (before, begun) = (server.time()?, Instant::now());
                let messages = load.run(plan.window)?;
                let (time, elapsed) = (server.time()? - before, begun.elapsed());
                load.drain().map_err(|error| format!("{}: {error}", program.name))?;
                let figure = time.cpu.as_secs_f64() * 1e6 / messages;
                figures.add(&row, &program.name, Sample::new(round, figure, time, elapsed));
            }
        }
    }
    Ok(())
}

fn size(bytes: usize) -> String {
    if bytes < 1024 { format!("{bytes} B") } else { format!("{} KB", bytes / 1024) }
}
