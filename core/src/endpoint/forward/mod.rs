//! An endpoint in another server: each client gets a WebSocket of its own to it, and what either
//! says passes through in order.
//!
//! `asking` makes the request of the client's, [`client`] dials, `links` knows what became of each
//! client, and `upstream` is the connection: a source on the shard of its client.

mod asking;
mod links;
mod upstream;

use std::rc::Rc;
use std::sync::Arc;

use switchboard_websocket::Kind;

use crate::client::{self, Ask, DialError, DialLimits, Dialled};
use crate::conf::{ForwardSettings, WebSocketSettings};
use crate::shard::{Accept, Answer, ConnId, Control, Joined, Owner, Reject, Shards};
use crate::tls;

use super::{Binding, Closed, Deliveries, Failed, Farewell, Request, Session, Verdict};
use links::Link;
use upstream::Upstream;

/// A forward under one prefix.
pub struct ForwardEndpoint {
    section: Arc<Section>,
}

/// What every connection of a forward needs to know.
struct Section {
    /// Its marks say what one side may leave unread before the other is not read any more.
    owner: Arc<Owner>,
    settings: WebSocketSettings,
    forward: ForwardSettings,
    /// For a `wss://` url.
    tls: Option<tls::Client>,
    shards: Arc<Shards>,
    /// Responses that refuse say why.
    debug_mode: bool,
}

impl ForwardEndpoint {
    /// For the section `settings`. `number` is the endpoint's. Nothing is dialled before a client
    /// comes.
    pub fn new(
        owner: &Arc<Owner>,
        settings: &WebSocketSettings,
        forward: &ForwardSettings,
        tls: Option<tls::Client>,
        debug_mode: bool,
        shards: &Arc<Shards>,
    ) -> Self {
        let (settings, forward) = (settings.clone(), forward.clone());
        let (owner, shards) = (Arc::clone(owner), Arc::clone(shards));
        let section = Section { owner, settings, forward, tls, shards, debug_mode };
        Self { section: Arc::new(section) }
    }
}

impl Binding for ForwardEndpoint {
    fn open(&self, conn: ConnId, request: &Request<'_>) -> Result<Session, Failed> {
        let ask = asking::ask(&self.section, request);
        let session = links::add();
        let dialling = dial(Arc::clone(&self.section), conn, session, ask);
        let task = tokio::task::spawn_local(dialling);
        links::set(session, Link::Dialling(task.abort_handle()));
        Ok(session)
    }

    fn message(&self, _: ConnId, session: Session, _: u64, kind: Kind, payload: &[u8]) -> Verdict {
        links::upstream(session).map_or(Verdict::Done, |upstream| upstream.message(kind, payload))
    }

    fn writable(&self, _: ConnId, session: Session) {
        if let Some(upstream) = links::upstream(session) {
            upstream.writable();
        }
    }

    fn subscribed(&self, _: ConnId, _: Session, _: &Joined) -> Deliveries {
        Deliveries::Now
    }

    fn control(&self, _: ConnId, session: Session, control: Control, payload: &[u8]) -> bool {
        if let Some(upstream) = links::upstream(session) {
            upstream.control(control, payload);
        }
        true
    }

    fn unfinished(&self, _: ConnId, session: Session) {
        if let Some(upstream) = links::upstream(session) {
            upstream.client_lives();
        }
    }

    fn took(&self, _: ConnId, session: Session) {
        if let Some(upstream) = links::upstream(session) {
            upstream.client_lives();
        }
    }

    fn closed(&self, _: ConnId, session: Session, end: &Closed<'_>) -> Farewell {
        // Its link stays until it is over: what the server still says waits for room as before, so
        // it must hear of that.
        if let Some(upstream) = links::upstream(session) {
            return upstream.client_closed(end);
        }
        if let Some(Link::Dialling(task)) = links::remove(session) {
            task.abort();
        }
        Farewell::Now
    }

    fn stop(&self) {}
}

/// Dials for one client, and tells it what came of that. Ended by `closed` if the client leaves.
async fn dial(section: Arc<Section>, conn: ConnId, session: Session, ask: Ask) {
    let (server, tls) = (&section.forward.url.server, section.tls.as_ref());
    match client::dial(server, tls, &ask, section.dial_limits()).await {
        Ok(dialled) => section.accept(conn, session, dialled),
        Err(error) => section.refuse(conn, session, &error),
    }
}

impl Section {
    fn dial_limits(&self) -> DialLimits {
        let limits = &self.settings.limits;
        // Before the host itself loses patience, so that the reason is told.
        let most = limits.handshake_timeout * 9 / 10;
        DialLimits {
            within: self.forward.connect_timeout.min(most),
            head_bytes_max: limits.header_bytes_max,
            // It would be another's text in our log.
            said_bytes_max: 0,
            keepalive: limits.ping_interval,
        }
    }

    fn accept(self: &Arc<Self>, conn: ConnId, session: Session, mut dialled: Dialled) {
        // That it chose none is a choice too: the host must not make another.
        let subprotocol = Some(dialled.subprotocol.take().unwrap_or_default());
        let headers = asking::passed_back(self, &dialled.headers);
        let upstream = match Upstream::start(self, conn, session, dialled) {
            Ok(upstream) => upstream,
            Err(error) => return self.refuse(conn, session, &DialError::Broken(error)),
        };
        links::set(session, Link::Open(Rc::clone(&upstream)));
        let answer = Answer::Accept(Accept { subprotocol, headers });
        match self.shards.answer(conn, self.owner.number, answer) {
            Ok(()) => upstream.begin(),
            // The client has left meanwhile, and `closed` says so.
            Err(_) => tracing::debug!("{conn}: has left before {} accepted", self.forward.url),
        }
    }

    fn refuse(&self, conn: ConnId, session: Session, error: &DialError) {
        let (prefix, url, status) =
            (&self.settings.mount.prefix, &self.forward.url, error.status());
        tracing::warn!("{prefix}: the server {url} behind it: {error} ({status})");
        let words = format!("{status} the server behind {prefix}: {error}\n");
        let body = if self.debug_mode { words.into_bytes() } else { Vec::new() };
        let reject = Answer::Reject(Reject { status, headers: Vec::new(), body });
        links::remove(session);
        // The client may have left meanwhile; `closed` finds nothing to do then.
        let _ = self.shards.answer(conn, self.owner.number, reject);
    }
}
