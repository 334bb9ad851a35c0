//! One message to all subscribers of a topic, beside a bare loop that writes the same bytes.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::fd::OwnedFd;

use crate::figures::{Figures, Row, Sample};
use crate::load::Exchange;
use crate::plan::{Plan, turn};
use crate::server::Program;
use crate::socket::Socket;
use crate::{Outcome, dial};

const PAYLOAD_BYTES: usize = 64;
const WARM_UP: u64 = 3;
/// Nothing comes for so long: something is lost.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the host may cost, as a ratio to the base line.
const REACH: f64 = 1.15;

pub(crate) fn measure(plan: &Plan, round: usize, figures: &mut Figures) -> Outcome<()> {
    let title = format!("broadcast of {PAYLOAD_BYTES} B to {}", plan.subscribers);
    let unit = "µs of CPU a delivery";
    let row = Row { title, unit, base: Some("bare"), reach: Some(REACH), digits: 3 };
    for program in turn(&plan.fans, round) {
        figures.add(&row, &program.name, take(plan, round, program)?);
    }
    let title = format!("{} over TLS", row.title);
    let row = Row { title, base: None, reach: None, ..row };
    for program in turn(&plan.safe_fans, round) {
        figures.add(&row, &program.name, take(plan, round, program)?);
    }
    Ok(())
}

fn take(plan: &Plan, round: usize, program: &Program) -> Outcome<Sample> {
    let server = program.start()?;
    // The bare loop is not waited for by `start`.
    let mut sockets = vec![dial::patiently(|| server.open("/fan"))?];
    sockets.extend(server.open_many("/fan", plan.subscribers - 1)?);
    let mut exchange = Exchange::new(PAYLOAD_BYTES, false);
    if program.is_raw() {
        // The frame that the subscribers of a topic get.
        exchange.request.clone_from(&exchange.reply);
    }
    let mut crowd = Crowd::new(sockets, exchange)?;
    for _ in 0..WARM_UP {
        crowd.say()?;
    }
    let (before, begun) = (server.time()?, Instant::now());
    let mut said = 0;
    while begun.elapsed() < plan.window {
        crowd.say()?;
        said += 1;
    }
    let (time, elapsed) = (server.time()? - before, begun.elapsed());
    let figure = time.cpu.as_secs_f64() * 1e6 / (f64::from(said) * plan.subscribers as f64);
    Ok(Sample::new(round, figure, time, elapsed))
}

/// Subscribers, of whom the first speaks.
struct Crowd {
    epoll: OwnedFd,
    sockets: Vec<Socket>,
    exchange: Exchange,
    events: Vec<epoll::Event>,
}

impl Crowd {
    fn new(sockets: Vec<Socket>, exchange: Exchange) -> Outcome<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        for (number, socket) in sockets.iter().enumerate() {
            socket.set_nonblocking()?;
            epoll::add(&epoll, socket, EventData::new_u64(number as u64), EventFlags::IN)?;
        }
        Ok(Self { epoll, sockets, exchange, events: Vec::with_capacity(1024) })
    }

    /// Says something, and returns when all have heard it: so that each delivery is a write.
    fn say(&mut self) -> Outcome<()> {
        self.sockets[0].write_all(&self.exchange.request)?;
        let mut missing = self.sockets.len() * self.exchange.reply.len();
        let mut buffer = [0; 4096];
        let patience = rustix::event::Timespec::try_from(PATIENCE)?;
        while missing > 0 {
            self.events.clear();
            epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&patience))?;
            if self.events.is_empty() {
                return Err(format!("{missing} bytes of a broadcast are missing").into());
            }
            for event in &self.events {
                match self.sockets[event.data.u64() as usize].read(&mut buffer) {
                    Ok(0) => return Err("the server closed a connection".into()),
                    Ok(count) => {
                        let left = missing.checked_sub(count);
                        missing = left.ok_or("more came than one broadcast")?;
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }
}
