//! An endpoint in another process, behind the endpoint protocol (`sdk/spec/endpoint-protocol.md`).
//!
//! `supervisor` starts a `program` and looks after it. `link` is what is known of one run, `socket` how its bytes
//! come and go, `stream` one connection on it. `incoming` takes the program's frames: `hello`
//! begins, `answers` are those of a stream, `ends` its last, `topics` the feature of that name,
//! `unfinished` the messages for many, `late` what comes for streams that
//! have gone, `said` is for the log. `heartbeat` sees whether anybody is
//! there, and `draining` lets clients go.
//! A link lives on one shard, whose poll reads and writes it; every shard may add frames to it.

mod answers;
mod draining;
mod ends;
mod heartbeat;
mod hello;
mod incoming;
mod late;
mod link;
mod program;
mod said;
mod socket;
mod stream;
mod supervisor;
mod topics;
mod unfinished;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use switchboard_protocol as protocol;
use switchboard_websocket::Kind;

use super::{
    Binding, Closed, Deliveries, Drained, Failed, Farewell, Request, Session, Verdict, Why,
};
use crate::conf::{ExternalSettings, WebSocketSettings};
use crate::shard::{ConnId, Joined, Owner, Shards};

use link::Link;
use supervisor::Supervisor;

/// A program that answers.
pub struct ExternalEndpoint {
    about: Arc<About>,
    supervisor: Supervisor,
}

/// What every link of an endpoint needs to know.
struct About {
    /// Prefix of the section; the endpoint's name in the log.
    prefix: String,
    /// The endpoint's number.
    number: u32,
    owner: Arc<Owner>,
    message_bytes_max: usize,
    settings: ExternalSettings,
    /// How long the host takes to stop.
    stop_timeout: Duration,
    shards: Arc<Shards>,
    /// The shard on which its links live.
    shard: usize,
    /// The link in use; none while there is no program.
    current: Mutex<Option<Arc<Link>>>,
}

impl About {
    fn current(&self) -> Option<Arc<Link>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ExternalEndpoint {
    /// Starts the program, or begins to connect to its socket; neither is waited for.
    /// `stop_timeout` is that of the host: what the program gets at the end is less.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start(
        owner: &Arc<Owner>,
        section: &WebSocketSettings,
        external: &ExternalSettings,
        stop_timeout: Duration,
        shards: &Arc<Shards>,
    ) -> Result<Self, Failed> {
        let limits = &section.limits;
        let about = Arc::new(About {
            prefix: section.mount.prefix.clone(),
            number: owner.number,
            owner: Arc::clone(owner),
            message_bytes_max: limits.message_bytes_max,
            settings: external.clone(),
            stop_timeout,
            shards: Arc::clone(shards),
            shard: owner.number as usize % shards.count(),
            current: Mutex::new(None),
        });
        let supervisor = Supervisor::start(Arc::clone(&about))
            .map_err(|error| Failed(format!("cannot start a thread: {error}")))?;
        Ok(Self { about, supervisor })
    }

    /// The link that `session` is of, if it is in use still.
    fn link(&self, session: Session) -> Option<(Arc<Link>, u32)> {
        let (link, stream) = stream::parts(session);
        self.about.current().filter(|current| current.number == link).map(|link| (link, stream))
    }
}

impl Binding for ExternalEndpoint {
    fn open(&self, conn: ConnId, request: &Request<'_>) -> Result<Session, Failed> {
        let link = self.about.current().ok_or_else(|| Failed("its program does not run".into()))?;
        let stream = link.open(conn, request)?;
        Ok(stream::session(link.number, stream))
    }

    fn message(
        &self,
        _: ConnId,
        session: Session,
        seq: u64,
        kind: Kind,
        payload: &[u8],
    ) -> Verdict {
        match self.link(session) {
            Some((link, stream)) => link.message(stream, seq, kind == Kind::Text, payload),
            // The loss of the link has closed the connection; it has only not heard of it yet.
            None => Verdict::Done,
        }
    }

    fn writable(&self, _: ConnId, session: Session) {
        if let Some((link, stream)) = self.link(session) {
            link.writable(stream);
        }
    }

    fn subscribed(&self, _: ConnId, session: Session, joined: &Joined) -> Deliveries {
        match self.link(session) {
            Some((link, stream)) => link.subscribed(stream, joined),
            None => Deliveries::Now,
        }
    }

    fn closed(&self, _: ConnId, session: Session, end: &Closed<'_>) -> Farewell {
        let why = match end.why {
            Why::Client => protocol::Why::CLIENT,
            Why::Local => protocol::Why::LOCAL,
            Why::Idle => protocol::Why::IDLE,
            Why::Slow => protocol::Why::SLOW,
            Why::Shutdown => protocol::Why::SHUTDOWN,
            Why::Fault => protocol::Why::FAULT,
            Why::Error => protocol::Why::ERROR,
        };
        match self.link(session) {
            Some((link, stream)) => link.closed(stream, end.code, why, end.reason),
            None => Farewell::Now,
        }
    }

    fn overdue(&self, _: ConnId, session: Session) {
        if let Some((link, stream)) = self.link(session) {
            link.reset(stream, protocol::ErrorCode::TIMEOUT, "no CLOSED in time");
        }
    }

    fn drain(&self, done: Drained) {
        self.supervisor.drain(done);
    }

    fn begin_stop(&self) {
        self.supervisor.begin_stop();
    }

    fn stop(&self) {
        self.supervisor.stop();
    }
}
