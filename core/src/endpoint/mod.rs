//! Who answers: one contract, however the endpoint is bound.
//!
//! A binding knows connections by handle only. It answers through [`crate::shard::Shards`], never
//! holds a connection, and none of what it calls there calls back into it.

pub mod external;
pub mod forward;
pub mod plugin;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use switchboard_websocket::Kind;

use crate::conf::WebSocketSettings;
use crate::library::Library;
use crate::shard::{Budget, ConnId, Control, Joined, Marks, Owner};

/// One generation of an endpoint: its conf section, and the running instance that answers.
pub struct Endpoint {
    /// What the shards know of it: its number, and what its clients may hold.
    pub owner: Arc<Owner>,
    /// Its section.
    pub settings: WebSocketSettings,
    /// Connections from `open` until they are gone.
    pub connections: AtomicUsize,
    /// The instance.
    pub binding: Box<dyn Binding>,
    /// The code of it, if it is a plugin.
    pub library: Option<Arc<Library>>,
}

impl Endpoint {
    /// `owner` is what `binding` was made with.
    pub fn new(owner: Arc<Owner>, settings: WebSocketSettings, binding: Box<dyn Binding>) -> Self {
        Self { owner, settings, connections: AtomicUsize::new(0), binding, library: None }
    }

    /// The same, whose `binding` is an instance of `library`.
    pub fn of(self, library: Arc<Library>) -> Self {
        Self { library: Some(library), ..self }
    }

    /// What the codec is told.
    pub fn codec_limits(&self) -> switchboard_websocket::Limits {
        let limits = &self.settings.limits;
        switchboard_websocket::Limits {
            message_bytes_max: limits.message_bytes_max,
            frame_bytes_max: limits.frame_bytes_max,
        }
    }
}

/// A generation of an endpoint for `settings`, with a number that no other one of this run has.
pub fn new_owner(settings: &WebSocketSettings, host: &Arc<Budget>) -> Arc<Owner> {
    static LAST: AtomicU32 = AtomicU32::new(0);
    let limits = &settings.limits;
    Arc::new(Owner {
        number: LAST.fetch_add(1, Ordering::Relaxed) + 1,
        marks: Marks { soft: limits.backlog_bytes_soft, hard: limits.backlog_bytes_max },
        budget: Budget::within(host, limits.memory_bytes_max),
    })
}

/// How the host calls whoever answers. Calls for one connection never overlap and come in order;
/// calls for different ones come from several threads at once.
pub trait Binding: Send + Sync {
    /// A client wants in. The answer comes through [`crate::shard::Shards::answer`], now or later.
    ///
    /// # Errors
    /// It was not taken; nothing follows for this connection.
    fn open(&self, conn: ConnId, request: &Request<'_>) -> Result<Session, Failed>;

    /// One message, whose `seq` counts from 1. A text is UTF-8.
    fn message(
        &self,
        conn: ConnId,
        session: Session,
        seq: u64,
        kind: Kind,
        payload: &[u8],
    ) -> Verdict;

    /// Room again, after a send said "pressure" or "again".
    fn writable(&self, conn: ConnId, session: Session);

    /// What a subscription came to.
    fn subscribed(&self, conn: ConnId, session: Session, joined: &Joined) -> Deliveries;

    /// A ping or a pong of the client. True: it is passed on, and the host leaves it at that; false,
    /// as for most: the host answers.
    fn control(&self, conn: ConnId, session: Session, control: Control, payload: &[u8]) -> bool {
        let _ = (conn, session, control, payload);
        false
    }

    /// The client has sent a part of a message whose end has not come. Inside of a frame it can say
    /// nothing else, and yet it is there.
    fn unfinished(&self, conn: ConnId, session: Session) {
        let _ = (conn, session);
    }

    /// The client has taken a part of what waits for it. It cannot answer yet what stands behind
    /// that, and yet it is there.
    fn took(&self, conn: ConnId, session: Session) {
        let _ = (conn, session);
    }

    /// The end, behind every message; exactly one for each `open` that was taken and not rejected.
    fn closed(&self, conn: ConnId, session: Session, end: &Closed<'_>) -> Farewell;

    /// The farewell did not come in time; the Close frame leaves without it.
    fn overdue(&self, conn: ConnId, session: Session) {
        let _ = (conn, session);
    }

    /// The host stops: the last chance to say something to clients while they are open. They are
    /// closed when every endpoint has dropped its `done`. Does not block.
    fn drain(&self, done: Drained) {
        drop(done);
    }

    /// [`stop`](Self::stop) follows soon: time to begin what takes long. Does not block.
    fn begin_stop(&self) {}

    /// Ends the instance. No call follows, none is running.
    fn stop(&self);
}

/// Dropped when an endpoint has nothing more to say to its clients.
pub type Drained = tokio::sync::mpsc::Sender<Infallible>;

/// The endpoint's own word for a connection, handed back with each call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Session(pub usize);

/// A client that wants in, without HTTP's types.
#[derive(Debug)]
pub struct Request<'a> {
    /// The connection's name for life.
    pub uid: u64,
    /// It came over TLS.
    pub tls: bool,
    /// The Host header.
    pub authority: &'a str,
    /// Path and query as sent.
    pub target: &'a str,
    /// Prefix of the section.
    pub route: &'a str,
    /// Decoded path below the prefix: empty or `/...`.
    pub path: &'a str,
    /// What follows `?`, as sent.
    pub query: &'a str,
    /// Address of the client, or `unix`.
    pub peer: &'a str,
    /// Address that it came to.
    pub local: &'a str,
    /// The host's choice, empty if none.
    pub subprotocol: &'a str,
    /// What the client offers, in its order.
    pub subprotocols: &'a [String],
    /// Names in lower case.
    pub headers: &'a [(&'a str, &'a [u8])],
}

/// What the endpoint made of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Processed.
    Done,
    /// Kept; an acknowledgement follows.
    Deferred,
    /// Processed, and no further message is wanted until [`Mail::Resume`](crate::shard::Mail).
    Full,
    /// The connection is to be closed with 1011.
    Failed(Failed),
}

/// When the Close frame may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Farewell {
    /// All that came before is answered.
    Now,
    /// With [`Mail::Farewell`](crate::shard::Mail), at the latest after `close-timeout`.
    Later,
}

/// When the deliveries of a topic begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deliveries {
    /// At once.
    Now,
    /// With [`Mail::Deliveries`](crate::shard::Mail); until then they wait for the client.
    Later,
}

/// An endpoint's failure, in words for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failed(pub String);

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The client closed, or left without a word.
    Client,
    /// The endpoint closed.
    Local,
    /// Idle or ping limit.
    Idle,
    /// The client read too slowly.
    Slow,
    /// The host stops.
    Shutdown,
    /// A callback of the endpoint failed.
    Fault,
    /// The client broke the protocol or a limit.
    Error,
}

/// The end of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Closed<'a> {
    /// Whose doing it is.
    pub why: Why,
    /// The client's close code if it sent one, 1005 if it sent none, 1006 if it left without a
    /// Close, else the one that the host sends.
    pub code: u16,
    /// The reason beside the code.
    pub reason: &'a str,
}

/// Headers that belong to the handshake and to HTTP, and so to the host.
const RESERVED: [&str; 5] =
    ["connection", "content-length", "date", "transfer-encoding", "upgrade"];

/// True if an endpoint may set this header of a response.
pub fn is_fit_for_response(name: &str, value: &[u8]) -> bool {
    let reserved = RESERVED.iter().any(|known| name.eq_ignore_ascii_case(known))
        || name.to_ascii_lowercase().starts_with("sec-websocket-");
    // RFC 9110, 5.5: visible characters, blanks, tabs and obs-text.
    let clean = value.iter().all(|byte| *byte == b'\t' || *byte >= b' ' && *byte != 0x7f);
    clean && !reserved && switchboard_websocket::handshake::is_token(name)
}
