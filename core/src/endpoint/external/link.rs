//! The socket to a program, and what is known of it.

use std::collections::{HashMap, VecDeque};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustix::process::Pid;
use switchboard_protocol::{
    ErrorCode, GoAway, Grant, Limits, LinkState, Open, Pair, PingMeter, Reader, Reset, Side,
    StreamIds, Why, Window,
};

use super::About;
use super::heartbeat::Stall;
use super::late::Late;
use super::said::Said;
use super::socket::LinkSource;
use super::stream::{Outlet, Stream};
use super::supervisor::Event;
use super::topics::Topics;
use super::unfinished::Unfinished;
use crate::endpoint::{Failed, Farewell, Request, Verdict};
use crate::shard::{self, Charge, ConnId};
use crate::stream::Transport;

/// One link: one run of a program, or one connection to its socket.
pub(super) struct Link {
    pub(super) about: Arc<About>,
    /// Tells it from the endpoint's other links.
    pub(super) number: u32,
    /// The program; none of an endpoint that listens.
    pub(super) child: Option<Pid>,
    /// When it was made.
    pub(super) since: Instant,
    pub(super) transport: Transport,
    pub(super) state: Mutex<State>,
    /// The source on its shard; 0 until it is watched, and when it has gone.
    pub(super) source: AtomicU32,
    /// A flush is on its way.
    pub(super) flushing: AtomicBool,
    /// Reading stopped at the limit of a turn: there is more, and no event will tell.
    pub(super) unread: AtomicBool,
    pub(super) events: Sender<Event>,
}

/// What frames change.
pub(super) struct State {
    pub(super) phase: LinkState,
    /// It takes new streams.
    pub(super) ready: bool,
    pub(super) draining: Draining,
    pub(super) reader: Reader,
    pub(super) inner: Inner,
}

/// Whether it still takes new streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Draining {
    /// It does.
    No,
    /// The program wants to end.
    Asked,
    /// The host wants it to end.
    Told,
    /// The last stream has gone.
    Done,
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
    /// Streams that wait for credit or for room on the link, in the order of their turns.
    pub(super) blocked: VecDeque<u32>,
    pub(super) stall: Stall,
    /// Features that both sides have.
    pub(super) agreed: Vec<&'static str>,
    pub(super) topics: Topics,
    /// The message of stream 0 that goes on in the next frame.
    pub(super) unfinished: Option<Unfinished>,
    pub(super) heartbeat_ms: u32,
    pub(super) last_heard: Instant,
    /// When the last PING was sent.
    pub(super) last_asked: Instant,
    /// PINGs without an answer.
    pub(super) pings: u32,
    /// The program's.
    pub(super) pings_heard: PingMeter,
    pub(super) late: Late,
    pub(super) said: Said,
}

/// Bytes that may wait for the program before clients are not read any more.
pub(super) const OUT_BYTES_MAX: usize = 1 << 20;
/// Bytes that may wait for it before no new clients are let in.
const REQUESTS_BYTES_MAX: usize = 4 << 20;

impl Inner {
    /// A stream, and where its frames go.
    pub(super) fn outlet(&mut self, stream: u32) -> Option<(&mut Stream, Outlet<'_>)> {
        let Self { out, window, streams, .. } = self;
        let outlet = Outlet { out, window, out_bytes_max: OUT_BYTES_MAX };
        streams.get_mut(&stream).map(|stream| (stream, outlet))
    }

    /// Notes that a stream waits.
    pub(super) fn block(&mut self, stream: u32) {
        if let Some(row) = self.streams.get_mut(&stream)
            && !std::mem::replace(&mut row.blocked, true)
        {
            self.blocked.push_back(stream);
        }
    }
}

impl Link {
    /// A link over a connected, non-blocking Unix socket. `events` is the supervisor.
    pub(super) fn new(
        about: &Arc<About>,
        number: u32,
        socket: OwnedFd,
        child: Option<Pid>,
        events: Sender<Event>,
    ) -> Arc<Self> {
        let since = Instant::now();
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
            blocked: VecDeque::new(),
            stall: Stall::default(),
            agreed: Vec::new(),
            topics: Topics::default(),
            unfinished: None,
            heartbeat_ms: 0,
            last_heard: since,
            last_asked: since,
            pings: 0,
            pings_heard: PingMeter::default(),
            late: Late::new(since),
            said: Said::new(since),
        };
        let state = State {
            phase: LinkState::Fresh,
            ready: false,
            draining: Draining::No,
            reader: Reader::new(Limits::new(Side::Endpoint)),
            inner,
        };
        Arc::new(Self {
            about: Arc::clone(about),
            number,
            child,
            since,
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
                    tokio::task::spawn_local(super::heartbeat::watch(Arc::downgrade(&link)));
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
        if state.phase != LinkState::Agreed || !state.ready || state.draining != Draining::No {
            return Err(Failed("its program is not ready".into()));
        }
        let inner = &mut state.inner;
        if inner.streams.len() >= inner.streams_max as usize {
            return Err(Failed("its program takes no more streams at a time".into()));
        }
        if inner.out.len() > REQUESTS_BYTES_MAX {
            return Err(Failed("its program does not read".into()));
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
        inner
            .streams
            .insert(stream, Stream::new(conn, window, grant, Charge::new(&self.about.owner)));
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
            state.inner.block(stream);
        }
        drop(state);
        self.flush_soon();
        if full { Verdict::Full } else { Verdict::Done }
    }

    /// The end of a connection: CLOSE.
    pub(super) fn closed(&self, stream: u32, code: u16, why: Why, reason: &str) -> Farewell {
        let mut state = self.lock();
        let Some((row, mut outlet)) = state.inner.outlet(stream) else { return Farewell::Now };
        row.close(code, why, reason, stream, &mut outlet);
        state.inner.block(stream);
        drop(state);
        self.flush_soon();
        Farewell::Later
    }

    /// Ends a stream at once: RESET. The connection is the caller's matter.
    pub(super) fn reset(&self, stream: u32, code: ErrorCode, text: &str) {
        let mut state = self.lock();
        if state.inner.streams.remove(&stream).is_some() {
            tracing::warn!("{}: stream {stream} is reset: {text}", self.about.prefix);
            Reset { stream, code, text }.encode(&mut state.inner.out);
        }
        self.see_whether_drained(&mut state);
        drop(state);
        self.flush_soon();
    }

    /// There is room in the client's queue again: the credit that was withheld is given back.
    pub(super) fn writable(&self, stream: u32) {
        let mut state = self.lock();
        let Inner { streams, out, .. } = &mut state.inner;
        if let Some(row) = streams.get_mut(&stream) {
            row.release(stream, out);
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
}
