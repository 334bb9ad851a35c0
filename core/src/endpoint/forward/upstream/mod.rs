//! The connection to the server behind: a WebSocket of which we are the client.
//!
//! It lives on its client's shard, so what passes through stays on one thread. Neither side is read
//! faster than the other one reads: the server is left alone while the client's queue says
//! "pressure", the client while more than `soft-backlog` waits for the server.

mod ending;

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::RawFd;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

use switchboard_websocket::{Decoder, Event, Kind, Role, write_message, write_ping, write_pong};
use tokio::time::sleep;

use super::Section;
use crate::client::{Dialled, mask};
use crate::endpoint::{Session, Verdict};
use crate::shard::{self, Bound, Charge, ConnId, Control, Mail, Payload, Sent};
use crate::stream::{Outbox, Ready, Received, Source, SourceId, Transport};

use ending::Fault;

/// One client's connection to the server.
pub(super) struct Upstream {
    section: Arc<Section>,
    conn: ConnId,
    session: Session,
    /// Itself, for what comes later.
    own: Weak<Self>,
    raw_fd: RawFd,
    id: Cell<Option<SourceId>>,
    state: RefCell<State>,
}

struct State {
    /// None when all is over.
    transport: Option<Transport>,
    decoder: Decoder,
    outbox: Outbox,
    charge: Charge,
    /// Counts what shows that the server may not be stuck: bytes that have left, and ends of pauses,
    /// in which it may have waited for us.
    progress: u64,
    /// Nothing can be written any more.
    broken: bool,
    /// What was read and could not be passed on yet.
    input: Vec<u8>,
    /// The socket may have more.
    readable: bool,
    /// Reading waits for room in the client's queue.
    paused: bool,
    /// The client is not read until there is room here.
    full: bool,
    /// Somebody looks whether the server takes anything.
    watched: bool,
    /// A call of the shard is on its way.
    scheduled: bool,
    /// The time of the end has begun.
    timed: bool,
    /// Our Close has been written.
    said: bool,
    /// The server's Close has come.
    heard: bool,
    /// What still comes from the server is for nobody.
    deaf: bool,
    /// Why, until the client has said its last.
    fault: Option<Fault>,
    client: Client,
    /// Pings of the server without a payload that the client has not answered.
    empty_pings: u32,
    /// Payload of the server's latest ping, until it has an answer.
    ping: Option<Vec<u8>>,
    /// Of a pause: when it was noticed first that the client reads nevertheless, or when the server
    /// got a pong last that it had not asked for.
    unasked: Option<Instant>,
}

/// What the client's side knows of the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Client {
    /// It is there.
    Open,
    /// It has closed, and waits for our farewell.
    Leaving,
    /// It needs nothing more from here.
    Gone,
}

/// Reads in one call, so that a busy server does not starve the others.
const READS: usize = 4;
/// Between two pongs for a server that is not read.
const UNASKED_EVERY: Duration = Duration::from_secs(1);
/// So much is gathered before it is written.
const CORK_BYTES_MAX: usize = 64 << 10;

impl Upstream {
    /// Takes a fresh connection over. Nothing is read before [`begin`](Self::begin).
    ///
    /// # Errors
    /// The shard cannot watch it.
    pub(super) fn start(
        section: &Arc<Section>,
        conn: ConnId,
        session: Session,
        dialled: Dialled,
    ) -> io::Result<Rc<Self>> {
        let shard = shard::current().ok_or(io::ErrorKind::Unsupported)?;
        let (transport, decrypted) = dialled.socket.into_transport()?;
        let early = [dialled.early, decrypted].concat();
        let raw_fd = transport.raw_fd();
        let state = State::new(transport, early, Charge::new(&section.owner));
        let upstream = Rc::new_cyclic(|own| Self {
            section: Arc::clone(section),
            conn,
            session,
            own: Weak::clone(own),
            raw_fd,
            id: Cell::new(None),
            state: RefCell::new(state),
        });
        upstream.id.set(Some(shard.watch(Rc::clone(&upstream) as Rc<dyn Source>)?));
        Ok(upstream)
    }

    /// The client has been accepted: what comes from the server is for it.
    pub(super) fn begin(&self) {
        tracing::debug!("{}: passes through to {}", self.conn, self.section.forward.url);
        let mut state = self.state.borrow_mut();
        state.client = Client::Open;
        state.paused = false;
        self.schedule_in(&mut state);
    }

    /// A message of the client.
    pub(super) fn message(&self, kind: Kind, payload: &[u8]) -> Verdict {
        let mut state = self.state.borrow_mut();
        if !state.takes() {
            return Verdict::Done;
        }
        state.outbox.push_with(|out| write_message(out, kind, payload, Some(mask())));
        // What comes together leaves together, unless it is much.
        if state.outbox.len() > CORK_BYTES_MAX {
            self.flush(&mut state);
        }
        self.schedule_in(&mut state);
        state.settle();
        let (waiting, owner) = (state.outbox.len(), &self.section.owner);
        if waiting <= owner.marks.soft && !(waiting > 0 && owner.budget.is_full()) {
            return Verdict::Done;
        }
        state.full = true;
        if !std::mem::replace(&mut state.watched, true) {
            tokio::task::spawn_local(watch_progress(Weak::clone(&self.own), state.progress));
        }
        Verdict::Full
    }

    /// A ping or a pong of the client. Those that nobody can take are lost: RFC 6455, section 5.5.3
    /// asks for an answer to the latest only.
    pub(super) fn control(&self, control: Control, payload: &[u8]) {
        let mut state = self.state.borrow_mut();
        if self.is_last_word(&mut state, control, payload) {
            return;
        }
        if !self.takes_control(&state) {
            return;
        }
        match control {
            Control::Ping => state.outbox.push_with(|out| write_ping(out, payload, Some(mask()))),
            // The answer to a ping of the host.
            Control::Pong if payload.is_empty() && state.empty_pings == 0 => return,
            Control::Pong => {
                state.empty_pings -= u32::from(payload.is_empty());
                if state.ping.as_deref() == Some(payload) {
                    state.ping = None;
                }
                state.outbox.push_with(|out| write_pong(out, payload, Some(mask())));
            }
        }
        self.schedule_in(&mut state);
    }

    /// The client is in the middle of a message, or reads what waits for it, and may answer no ping
    /// before the end of that; it may take longer than the server waits. What the server asks is
    /// whether it is there, and so it is: it gets the answer at once.
    pub(super) fn client_lives(&self) {
        let mut state = self.state.borrow_mut();
        if !self.takes_control(&state) {
            return;
        }
        let Some(payload) = state.ping.take().or_else(|| state.unasked_pong()) else { return };
        if payload.is_empty() {
            // Nothing is left for the client to answer.
            state.empty_pings = 0;
        }
        state.outbox.push_with(|out| write_pong(out, &payload, Some(mask())));
        self.schedule_in(&mut state);
    }

    fn takes_control(&self, state: &State) -> bool {
        state.takes() && state.outbox.len() <= self.section.settings.limits.backlog_bytes_max
    }

    /// The client has room again.
    pub(super) fn writable(&self) {
        let mut state = self.state.borrow_mut();
        state.progress += u64::from(state.paused);
        state.paused = false;
        state.unasked = None;
        self.schedule_in(&mut state);
    }

    /// Has the shard call, when what is being done now is done.
    fn schedule_in(&self, state: &mut State) {
        if let (false, Some(id), Some(shard)) = (state.scheduled, self.id.get(), shard::current()) {
            state.scheduled = true;
            shard.schedule(id);
        }
    }

    /// Writes what waits.
    fn flush(&self, state: &mut State) {
        let Some(transport) = &state.transport else { return };
        let before = state.outbox.len();
        if state.outbox.flush(transport).is_err() {
            // What the server said before may still be read.
            state.broken = true;
            state.readable = true;
        }
        state.progress += (before - state.outbox.len()) as u64;
        if state.broken || state.outbox.is_empty() {
            // Gives its memory back.
            state.outbox = Outbox::default();
        }
        if state.full && state.outbox.len() <= self.section.owner.marks.soft / 2 {
            state.full = false;
            self.post(Mail::Resume(self.conn));
        }
    }

    /// Mail for the client, if it is still there.
    fn post(&self, mail: Mail) {
        let _ = self.section.shards.post(self.conn, self.section.owner.number, mail);
    }

    /// Reads what the client can take.
    fn read(&self, state: &mut State, buffer: &mut [u8]) {
        let mut input = std::mem::take(&mut state.input);
        self.take_in(state, &mut input);
        for _ in 0..READS {
            if state.paused || !state.readable {
                return;
            }
            let Some(transport) = &state.transport else { return };
            match transport.read(buffer) {
                Ok(Received::Bytes(count) | Received::More(count)) => {
                    self.take_in(state, &mut buffer[..count]);
                }
                Ok(Received::Nothing) => {
                    state.readable = false;
                    if state.broken {
                        self.lost(state);
                    }
                }
                Ok(Received::End) | Err(_) => self.lost(state),
            }
        }
        if state.readable && !state.paused && state.transport.is_some() {
            self.schedule_in(state);
        }
    }

    /// Passes on what the server said.
    fn take_in(&self, state: &mut State, input: &mut [u8]) {
        let codec = &self.section.settings.limits;
        let limits = switchboard_websocket::Limits {
            message_bytes_max: codec.message_bytes_max,
            frame_bytes_max: codec.frame_bytes_max,
        };
        // Out of the state, because what it returns is borrowed from it.
        let mut decoder = std::mem::replace(&mut state.decoder, Decoder::new(Role::Client));
        let mut at = 0;
        while !state.paused && !state.deaf {
            match decoder.next(&limits, input, &mut at) {
                Ok(Some(event)) => self.pass_on(state, event),
                Ok(None) => break,
                Err(error) => self.broke_a_rule(state, error),
            }
        }
        if state.paused {
            state.input = input[at..].to_vec();
        }
        state.decoder = decoder;
    }

    fn pass_on(&self, state: &mut State, event: Event<'_>) {
        let Section { owner, shards, .. } = &*self.section;
        let sent = match event {
            Event::Message { kind, payload } => {
                shards.send(self.conn, owner, kind, Payload::Borrowed(payload), Bound::Sender)
            }
            Event::Ping(payload) => {
                state.empty_pings += u32::from(payload.is_empty());
                state.ping = Some(payload.to_vec());
                shards.control(self.conn, owner, Control::Ping, payload, Bound::Sender)
            }
            Event::Pong(payload) => {
                shards.control(self.conn, owner, Control::Pong, payload, Bound::Sender)
            }
            Event::Close(frame) => {
                let close = frame.map(|frame| (frame.code, frame.reason.to_owned()));
                state.heard = true;
                self.say(state, frame.map(|frame| (frame.code, "")));
                self.schedule_in(state);
                state.client = Client::Gone;
                return self.post(Mail::Relayed(self.conn, close));
            }
        };
        state.paused |= sent == Sent::Pressure;
    }

    fn log(&self, what: std::fmt::Arguments<'_>) {
        let (prefix, url) = (&self.section.settings.mount.prefix, &self.section.forward.url);
        tracing::warn!("{} of {prefix}: the server {url} behind it: {what}", self.conn);
    }
}

impl Source for Upstream {
    fn raw_fd(&self) -> RawFd {
        self.raw_fd
    }

    fn ready(&self, ready: Ready, buffer: &mut [u8]) {
        let mut state = self.state.borrow_mut();
        state.scheduled = false;
        state.readable |= ready.read;
        self.flush(&mut state);
        self.read(&mut state, buffer);
        // What was read may have been answered: a Close.
        self.flush(&mut state);
        if state.broken && state.transport.is_some() && !state.paused {
            self.schedule_in(&mut state);
        }
        state.settle();
    }
}

impl State {
    fn new(transport: Transport, early: Vec<u8>, charge: Charge) -> Self {
        Self {
            transport: Some(transport),
            decoder: Decoder::new(Role::Client),
            outbox: Outbox::default(),
            charge,
            progress: 0,
            broken: false,
            input: early,
            readable: true,
            // Until the client has been accepted.
            paused: true,
            full: false,
            watched: false,
            scheduled: false,
            timed: false,
            said: false,
            heard: false,
            deaf: false,
            fault: None,
            client: Client::Gone,
            empty_pings: 0,
            ping: None,
            unasked: None,
        }
    }

    /// Tells the budget what it holds.
    fn settle(&mut self) {
        self.charge.set(self.outbox.len() + self.input.len() + self.decoder.buffered_bytes());
    }

    /// Payload of a pong for a server that is not read: its ping may stand in what is not. RFC 6455,
    /// section 5.5.3 allows one as a heartbeat. One a second is enough for any server, and none in a
    /// pause that is shorter: most are over at once.
    fn unasked_pong(&mut self) -> Option<Vec<u8>> {
        if !self.paused {
            return None;
        }
        let since = *self.unasked.get_or_insert_with(Instant::now);
        (since.elapsed() >= UNASKED_EVERY).then(|| {
            self.unasked = Some(Instant::now());
            Vec::new()
        })
    }

    /// Whether what the client says can still be said to the server.
    fn takes(&self) -> bool {
        self.transport.is_some() && !self.said && !self.broken
    }
}

/// Ends a connection to a server that takes nothing while a client waits for it. One that is not
/// read itself may be unable to: it waits for room, and so for the client, which the host ends if it
/// does not read. The end has a time of its own.
async fn watch_progress(upstream: Weak<Upstream>, mut progress: u64) {
    let Some(slow) = upstream.upgrade().map(|up| up.section.settings.limits.slow_timeout) else {
        return;
    };
    loop {
        sleep(slow).await;
        let Some(upstream) = upstream.upgrade() else { return };
        let mut state = upstream.state.borrow_mut();
        state.watched = state.full && !state.said;
        if !state.watched {
            return;
        }
        if state.progress == progress && !state.paused {
            drop(state);
            upstream.log(format_args!("it reads nothing"));
            return upstream.cut("the server behind reads nothing");
        }
        progress = state.progress;
    }
}
