//! The load: connections that keep a number of messages on their way, each the same.
//!
//! It is the closed loop of `switchboard-load` without its checks: what that makes and compares for
//! each message is more than the server has to do, and the server would wait for it. Here a turn is
//! one read and one write, whatever the server is, and replies are counted by their bytes.

use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::fd::OwnedFd;
use switchboard_websocket::{Kind, write_message};

use crate::Outcome;
use crate::socket::Socket;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
const READ_BYTES: usize = 512 << 10;
/// Nothing comes for so long: something is lost.
const PATIENCE: Duration = Duration::from_secs(10);

/// A message and its echo, as they are on the wire.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    pub(crate) request: Vec<u8>,
    pub(crate) reply: Vec<u8>,
}

impl Exchange {
    /// Of a payload of so many bytes. A raw socket gives back what it got.
    pub(crate) fn new(payload_bytes: usize, is_raw: bool) -> Self {
        let payload: Vec<u8> = (0..payload_bytes).map(|at| (at * 31 + 7) as u8).collect();
        let (mut request, mut reply) = (Vec::new(), Vec::new());
        write_message(&mut request, Kind::Binary, &payload, Some(MASK));
        write_message(&mut reply, Kind::Binary, &payload, None);
        let reply = if is_raw { request.clone() } else { reply };
        Self { request, reply }
    }

    /// Once, blocking, with every byte compared.
    pub(crate) fn check(&self, socket: &mut (impl Read + Write)) -> Outcome<()> {
        socket.write_all(&self.request)?;
        let mut came = vec![0; self.reply.len()];
        socket.read_exact(&mut came)?;
        if came == self.reply { Ok(()) } else { Err("the echo is another message".into()) }
    }
}

/// All connections to a server.
pub(crate) struct Load {
    epoll: OwnedFd,
    clients: Vec<Client>,
    depth: usize,
    request_bytes: usize,
    reply_bytes: usize,
    /// As many requests as may be on their way, one behind the other.
    burst: Vec<u8>,
    buffer: Vec<u8>,
    events: Vec<epoll::Event>,
    received: u64,
    is_draining: bool,
}

struct Client {
    socket: Socket,
    received: u64,
    sent: u64,
    /// What shall have been sent.
    due: u64,
    waits_for_room: bool,
}

impl Load {
    /// Checks one echo of each, and begins.
    pub(crate) fn new(
        mut sockets: Vec<Socket>,
        exchange: &Exchange,
        depth: usize,
    ) -> Outcome<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        for (number, socket) in sockets.iter_mut().enumerate() {
            exchange.check(socket)?;
            socket.set_nonblocking()?;
            epoll::add(&epoll, &*socket, EventData::new_u64(number as u64), EventFlags::IN)?;
        }
        let client =
            |socket| Client { socket, received: 0, sent: 0, due: 0, waits_for_room: false };
        let mut load = Self {
            epoll,
            clients: sockets.into_iter().map(client).collect(),
            depth,
            request_bytes: exchange.request.len(),
            reply_bytes: exchange.reply.len(),
            burst: exchange.request.repeat(depth),
            buffer: vec![0; READ_BYTES],
            events: Vec::with_capacity(1024),
            received: 0,
            is_draining: false,
        };
        for number in 0..load.clients.len() {
            load.send(number)?;
        }
        Ok(load)
    }

    /// Goes on for so long, and returns how many echoes came.
    pub(crate) fn run(&mut self, time: Duration) -> Outcome<f64> {
        let (end, before) = (Instant::now() + time, self.received);
        while Instant::now() < end {
            self.turn()?;
        }
        Ok((self.received - before) as f64 / self.reply_bytes as f64)
    }

    /// Waits for every echo that is on its way.
    pub(crate) fn drain(mut self) -> Outcome<()> {
        self.is_draining = true;
        let (requests, replies) = (self.request_bytes as u64, self.reply_bytes as u64);
        while self.clients.iter().any(|client| client.received / replies < client.due / requests) {
            self.turn()?;
        }
        let exact = self.clients.iter().all(|c| c.received * requests == c.due * replies);
        if exact { Ok(()) } else { Err("more came back than was sent".into()) }
    }

    fn turn(&mut self) -> Outcome<()> {
        let mut events = std::mem::take(&mut self.events);
        events.clear();
        let patience = rustix::event::Timespec::try_from(PATIENCE)?;
        epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&patience))?;
        if events.is_empty() {
            return Err("echoes are missing".into());
        }
        for event in &events {
            let (number, flags) = (event.data.u64() as usize, event.flags);
            if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
                self.read(number)?;
            }
            self.send(number)?;
        }
        self.events = events;
        Ok(())
    }

    fn read(&mut self, number: usize) -> io::Result<()> {
        let client = &mut self.clients[number];
        match client.socket.read(&mut self.buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                client.received += count as u64;
                self.received += count as u64;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn send(&mut self, number: usize) -> Outcome<()> {
        let client = &mut self.clients[number];
        if !self.is_draining {
            let echoed = client.received / self.reply_bytes as u64;
            client.due = (echoed + self.depth as u64) * self.request_bytes as u64;
        }
        while client.sent < client.due {
            let from = (client.sent % self.request_bytes as u64) as usize;
            let most = (client.due - client.sent).min((self.burst.len() - from) as u64) as usize;
            match client.socket.write(&self.burst[from..from + most]) {
                Ok(count) => client.sent += count as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        if client.socket.has_unsent() {
            match client.socket.flush() {
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error.into()),
                _ => {}
            }
        }
        let waits_for_room = client.sent < client.due || client.socket.has_unsent();
        if waits_for_room != client.waits_for_room {
            client.waits_for_room = waits_for_room;
            let room = if waits_for_room { EventFlags::OUT } else { EventFlags::empty() };
            let data = EventData::new_u64(number as u64);
            epoll::modify(&self.epoll, &client.socket, data, EventFlags::IN | room)?;
        }
        Ok(())
    }
}
