//! The socket to a program, and what is known of it.

use std::collections::HashMap;
use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use switchboard_protocol::{
    ErrorCode, GoAway, Grant, Limits, LinkState, Open, Pair, Reader, Reset, Side, StreamIds, Why,
    Window,
};

use super::About;
use super::program::Event;
use super::stream::{Outlet, Stream};
use crate::endpoint::{Failed, Farewell, Request, Verdict};
use crate::shard::{self, ConnId, Mail};
use crate::stream::{Ready, Received, Source, SourceId, Transport};

/// One link: one run of a program, or one connection to its socket.
pub(super) struct Link {
    pub(super) about: Arc<About>,
    /// Tells it from the endpoint's other links.
    pub(super) number: u32,
    transport: Transport,
    pub(super) state: Mutex<State>,
    /// The source on its shard; 0 until it is watched, and when it has gone.
    source: AtomicU32,
    /// A flush is on its way.
    flushing: AtomicBool,
    /// Reading stopped at the limit of a turn: there is more, and no event will tell.
    unread: AtomicBool,
    pub(super) events: Sender<Event>,
}

/// What frames change.
pub(super) struct State {
    pub(super) phase: LinkState,
    /// It takes new streams.
    pub(super) ready: bool,
    /// It wants no new streams any more.
    pub(super) draining: bool,
    pub(super) reader: Reader,
    pub(super) inner: Inner,
}

/// What frames change while one of them is borrowed from the reader.
pub(super) struct Inner {
    /// Frames that wait to be written.
    pub(super) out: Vec<u8>,
    pub(super) streams: HashMap<u32, Stream>,
    pub(super) ids: StreamIds,
    /// What may be sent to the program, on all streams.
    pub(super) window: Window,
    /// What the program may send, on all streams.
    pub(super) grant: Grant,
    /// Windows of a new stream: bytes and messages, for what the host sends.
    pub(super) stream_window: (u32, u32),
    /// The same for what the program sends.
    pub(super) stream_grant: (u32, u32),
    pub(super) streams_max: u32,
    pub(super) frame_bytes_max: u32,
    /// Streams that wait for the link.
    pub(super) blocked: Vec<u32>,
    /// `topics/1` was agreed.
    pub(super) topics_agreed: bool,
    pub(super) topics: HashMap<u32, Arc<str>>,
    pub(super) publishing: Option<super::topics::Publishing>,
    pub(super) heartbeat_ms: u32,
    pub(super) last_heard: Instant,
    pub(super) pings: u32,
}

/// Bytes that may wait for the program before clients are not read any more.
const OUT_BYTES_MAX: usize = 1 << 20;
/// Reads in one turn of the shard.
const READS: usize = 8;
/// Turns of reading after a program's end.
const READS_AT_THE_END: usize = 16;

impl Inner {
    /// A stream, and where its frames go.
    pub(super) fn outlet(&mut self, stream: u32) -> Option<(&mut Stream, Outlet<'_>)> {
        let Self { out, window, streams, .. } = self;
        let outlet = Outlet { out, window, out_bytes_max: OUT_BYTES_MAX };
        streams.get_mut(&stream).map(|stream| (stream, outlet))
    }
}

impl Link {
    /// A link over a connected, non-blocking Unix socket. `events` is the supervisor.
    pub(super) fn new(
        about: &Arc<About>,
        number: u32,
        socket: OwnedFd,
        events: Sender<Event>,
    ) -> Arc<Self> {
        let inner = Inner {
            out: Vec::new(),
            streams: HashMap::new(),
            ids: StreamIds::default(),
            window: Window::link(0),
            grant: Grant::link(switchboard_protocol::UNCOUNTED),
            stream_window: (0, 0),
            stream_grant: (0, 0),
            streams_max: 0,
            frame_bytes_max: switchboard_protocol::FRAME_BYTES_MAX_DEFAULT,
            blocked: Vec::new(),
            topics_agreed: false,
            topics: HashMap::new(),
            publishing: None,
            heartbeat_ms: 0,
            last_heard: Instant::now(),
            pings: 0,
        };
        let state = State {
            phase: LinkState::Fresh,
            ready: false,
            draining: false,
            reader: Reader::new(Limits::new(Side::Endpoint)),
            inner,
        };
        Arc::new(Self {
            about: Arc::clone(about),
            number,
            transport: Transport::Unix(socket),
            state: Mutex::new(state),
            source: AtomicU32::new(0),
            flushing: AtomicBool::new(false),
            unread: AtomicBool::new(false),
            events,
        })
    }

    /// Has its shard watch it.
    pub(super) fn attach(self: &Arc<Self>) {
        let link = Arc::clone(self);
        let task = move || {
            let Some(local) = shard::current() else { return };
            match local.watch(Rc::new(LinkSource(Arc::clone(&link)))) {
                Ok(id) => {
                    link.source.store(id.0, Ordering::Release);
                    local.schedule(id);
                    tokio::task::spawn_local(super::incoming::heartbeat(Arc::downgrade(&link)));
                }
                Err(error) => link.lost(&format!("cannot watch the link: {error}")),
            }
        };
        self.about.shards.run(self.about.shard, Box::new(task));
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client wants in: OPEN.
    pub(super) fn open(&self, conn: ConnId, request: &Request<'_>) -> Result<u32, Failed> {
        let mut state = self.lock();
        if state.phase != LinkState::Agreed || !state.ready || state.draining {
            return Err(Failed("its program is not ready".into()));
        }
        let inner = &mut state.inner;
        if inner.streams.len() >= inner.streams_max as usize {
            return Err(Failed("its program takes no more streams at a time".into()));
        }
        let Some(stream) = inner.ids.allot() else {
            return Err(Failed("the link has used up its stream numbers".into()));
        };
        let offered: Vec<&str> = request.subprotocols.iter().map(String::as_str).collect();
        let pairs = request.headers.iter();
        let headers: Vec<_> = pairs.map(|&(name, value)| Pair { name, value }).collect();
        let before = inner.out.len();
        Open {
            stream,
            tls: request.tls,
            conn_uid: request.uid,
            method: "GET",
            scheme: if request.tls { "wss" } else { "ws" },
            authority: request.authority,
            target: request.target,
            route: request.route,
            path: request.path,
            query: request.query,
            peer: request.peer,
            local: request.local,
            subprotocol: request.subprotocol,
            offered: offered.as_slice().into(),
            headers: headers.as_slice().into(),
            resumed: None,
        }
        .encode(&mut inner.out);
        let body = inner.out.len() - before - switchboard_protocol::HEADER_BYTES;
        if body > inner.frame_bytes_max as usize {
            inner.out.truncate(before);
            return Err(Failed("the request is longer than its program takes".into()));
        }
        let window = Window::new(inner.stream_window.0, inner.stream_window.1);
        let grant = Grant::new(inner.stream_grant.0, inner.stream_grant.1);
        inner.streams.insert(stream, Stream::new(conn, window, grant));
        drop(state);
        self.flush_soon();
        Ok(stream)
    }

    /// A message of the client: DATA.
    pub(super) fn message(&self, stream: u32, number: u64, text: bool, payload: &[u8]) -> Verdict {
        let mut state = self.lock();
        let Some((row, mut outlet)) = state.inner.outlet(stream) else { return Verdict::Done };
        let full = row.send(number, text, payload, stream, &mut outlet);
        if full {
            state.inner.blocked.push(stream);
        }
        drop(state);
        self.flush_soon();
        if full { Verdict::Full } else { Verdict::Done }
    }

    /// The end of a connection: CLOSE.
    pub(super) fn closed(&self, stream: u32, code: u16, why: Why, reason: &str) -> Farewell {
        use switchboard_protocol::FrameType;
        let mut state = self.lock();
        let Some((row, mut outlet)) = state.inner.outlet(stream) else { return Farewell::Now };
        let Ok((next, _)) = row.state.step(Side::Host, FrameType::Close) else {
            return Farewell::Now;
        };
        row.state = next;
        row.close(code, why, reason, stream, &mut outlet);
        state.inner.blocked.push(stream);
        drop(state);
        self.flush_soon();
        Farewell::Later
    }

    /// Ends a stream at once: RESET. The connection is the caller's matter.
    pub(super) fn reset(&self, stream: u32, code: ErrorCode, text: &str) {
        let mut state = self.lock();
        if state.inner.streams.remove(&stream).is_some() {
            Reset { stream, code, text }.encode(&mut state.inner.out);
        }
        drop(state);
        self.flush_soon();
    }

    /// There is room in the client's queue again: the credit that was withheld is given back.
    pub(super) fn writable(&self, stream: u32) {
        let mut state = self.lock();
        let Inner { streams, out, .. } = &mut state.inner;
        if let Some(row) = streams.get_mut(&stream) {
            let (bytes, messages) = std::mem::take(&mut row.withheld);
            super::incoming::give_back(row, stream, bytes, messages, out);
        }
        drop(state);
        self.flush_soon();
    }

    /// Says why, and ends: GOAWAY.
    pub(super) fn go_away(&self, state: &mut State, code: ErrorCode, text: &str) {
        if state.phase != LinkState::Over {
            state.phase = LinkState::Over;
            let last_stream = state.inner.ids.last();
            GoAway { code, last_stream, text }.encode(&mut state.inner.out);
        }
    }

    /// Has the shard write what waits, once for all that is added until then.
    pub(super) fn flush_soon(&self) {
        if self.flushing.swap(true, Ordering::AcqRel) {
            return;
        }
        let id = SourceId(self.source.load(Ordering::Acquire));
        if id.0 == 0 {
            // The first call of the source comes when it is watched.
            self.flushing.store(false, Ordering::Release);
            return;
        }
        let schedule = move || {
            if let Some(local) = shard::current() {
                local.schedule(id);
            }
        };
        if shard::is_current(self.about.shard) {
            schedule();
        } else {
            self.about.shards.run(self.about.shard, Box::new(schedule));
        }
    }

    /// Writes what waits. On the link's shard only.
    fn flush(&self) -> io::Result<()> {
        self.flushing.store(false, Ordering::Release);
        let mut state = self.lock();
        let inner = &mut state.inner;
        loop {
            let mut written = 0;
            while written < inner.out.len() {
                match self.transport.write(&inner.out[written..])? {
                    0 => break,
                    count => written += count,
                }
            }
            inner.out.drain(..written);
            // Room for streams that waited; what they add is written too.
            self.unblock(inner);
            if written == 0 || inner.out.is_empty() {
                break;
            }
        }
        if inner.out.len() < OUT_BYTES_MAX {
            inner.out.shrink_to(OUT_BYTES_MAX);
        }
        Ok(())
    }

    /// Lets streams go on for which there is room or credit now.
    pub(super) fn unblock(&self, inner: &mut Inner) {
        for stream in std::mem::take(&mut inner.blocked) {
            let Some((row, mut outlet)) = inner.outlet(stream) else { continue };
            row.pump(stream, &mut outlet);
            if row.is_ready() && outlet.out.len() < OUT_BYTES_MAX / 2 && outlet.window.is_open() {
                if std::mem::take(&mut row.full) {
                    let conn = row.conn;
                    self.post(conn, Mail::Resume(conn));
                }
            } else {
                inner.blocked.push(stream);
            }
        }
    }

    /// Mail for a connection of this endpoint, also while that ends.
    pub(super) fn post(&self, conn: ConnId, mail: Mail) {
        self.about.shards.face(conn.shard()).mailbox.post(mail);
    }

    /// Reads and handles what has come. On the link's shard only.
    fn read(&self, buffer: &mut [u8]) -> Result<bool, String> {
        for _ in 0..READS {
            match self.transport.read(buffer) {
                Ok(Received::Bytes(count)) => self.take_in(&buffer[..count])?,
                Ok(Received::Nothing) => return Ok(false),
                Ok(Received::End) => return Err("it has closed the link".into()),
                Err(error) => return Err(format!("the link is broken: {error}")),
            }
        }
        Ok(true)
    }

    /// The program has ended, or takes nothing more: what it has written is taken still, then the
    /// link has ended, even if another process holds its other end. On the link's shard only.
    pub(super) fn ended(&self, why: &str) {
        let mut buffer = vec![0; 64 << 10];
        // What a socket holds is less; one that is written for ever ends here too.
        for _ in 0..READS_AT_THE_END {
            if !matches!(self.read(&mut buffer), Ok(true)) {
                break;
            }
        }
        self.lost(why);
    }

    /// The link has ended: its clients are told, and so are the program and the supervisor.
    pub(super) fn lost(&self, why: &str) {
        let id = self.source.swap(0, Ordering::AcqRel);
        if let (Some(local), true) = (shard::current(), id != 0) {
            local.unwatch(SourceId(id));
        }
        self.give_up();
        // The supervisor keeps the link until the program has ended.
        self.transport.finish();
        // The supervisor has gone when the host stops.
        let _ = self.events.send(Event::Lost(self.number, why.to_owned()));
    }

    /// Tries to write the last words. For the supervisor, when shards may have ended.
    pub(super) fn say_goodbye(&self) {
        let mut state = self.lock();
        self.go_away(&mut state, ErrorCode::NONE, "the host ends this endpoint");
        // Whoever does not read them learns it from the end of the stream.
        let _ = self.transport.write(&state.inner.out);
        state.inner.out.clear();
        drop(state);
        self.transport.finish();
    }
}

/// The link on its shard's poll.
struct LinkSource(Arc<Link>);

impl Source for LinkSource {
    fn raw_fd(&self) -> RawFd {
        self.0.transport.raw_fd()
    }

    fn ready(&self, ready: Ready, buffer: &mut [u8]) {
        let link = &self.0;
        let mut outcome = Ok(());
        // Most calls that no event has made are for a flush, and find nothing to read.
        if ready.read || link.unread.swap(false, Ordering::AcqRel) {
            outcome = link.read(buffer).map(|more| {
                link.unread.store(more, Ordering::Release);
                if more && let Some(local) = shard::current() {
                    local.schedule(SourceId(link.source.load(Ordering::Acquire)));
                }
            });
        }
        let written = link.flush().map_err(|error| format!("the link is broken: {error}"));
        let over = link.lock().phase == LinkState::Over;
        match outcome.and(written) {
            Err(why) => link.ended(&why),
            Ok(()) if over => link.lost("it was told to go away"),
            Ok(()) => {}
        }
    }
}
