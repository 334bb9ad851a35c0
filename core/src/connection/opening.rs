//! A client wants in: the endpoint is asked, and the socket comes over from HTTP.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use switchboard_websocket::deflate::Agreed;
use tokio::sync::oneshot;

use super::row::{Cause, Phase, Row, name};
use super::{Job, Shard, next_uid};
use crate::endpoint::{Endpoint, Request};
use crate::shard::{Answer, ConnId, Reject};
use crate::stream::Transport;

/// An endpoint has been asked. Dropped without an answer, it tells the endpoint that the client has
/// left.
#[derive(Debug)]
pub struct Opening {
    conn: ConnId,
    answer: oneshot::Receiver<Answer>,
    answered: bool,
}

/// Why a client does not get in, without the endpoint's doing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The limit of the host or of the endpoint.
    #[error("{0} has as many connections as its conf allows")]
    Full(String),
    /// The endpoint did not take it.
    #[error("the endpoint failed: {0}")]
    Failed(String),
    /// The endpoint took it and then said nothing.
    #[error("the endpoint did not answer in time")]
    Unanswered,
    /// The host stops.
    #[error("the host is stopping")]
    Stopping,
}

impl Opening {
    /// The connection.
    pub fn conn(&self) -> ConnId {
        self.conn
    }

    /// Waits for the endpoint's answer. After an acceptance the socket must come by
    /// [`Shard::attach`], or the connection be given up by [`Shard::abandon`].
    ///
    /// # Errors
    /// [`Refused::Unanswered`] when the time is over.
    pub async fn answer(mut self, within: std::time::Duration) -> Result<Answer, Refused> {
        match tokio::time::timeout(within, &mut self.answer).await {
            Ok(Ok(answer)) => {
                self.answered = true;
                Ok(answer)
            }
            // The row has gone without a word: the host stops.
            Ok(Err(_)) => Err(Refused::Stopping),
            Err(_) => {
                self.answered = true;
                if let Some(shard) = Shard::current() {
                    shard.end(self.conn, Cause::Unanswered);
                }
                Err(Refused::Unanswered)
            }
        }
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        if !self.answered {
            Shard::abandon(self.conn);
        }
    }
}

impl Shard {
    /// Asks the endpoint whether the client may come in. `request` lacks the connection's name,
    /// which is given here; `agreed` is what the handshake agrees on.
    ///
    /// # Errors
    /// It may not.
    pub fn open(
        &self,
        endpoint: &Arc<Endpoint>,
        mut request: Request<'_>,
        agreed: Option<&Agreed>,
    ) -> Result<Opening, Refused> {
        if self.stopping.get() {
            return Err(Refused::Stopping);
        }
        if self.shards.load() > self.limits.connections_max {
            return Err(Refused::Full("the host".to_owned()));
        }
        let count = endpoint.connections.fetch_add(1, Ordering::Relaxed);
        if count >= endpoint.settings.limits.connections_max {
            endpoint.connections.fetch_sub(1, Ordering::Relaxed);
            return Err(Refused::Full(endpoint.settings.mount.prefix.clone()));
        }
        let (sender, answer) = oneshot::channel();
        let uid = next_uid();
        let row = |_| Row::new(Arc::clone(endpoint), uid, agreed, sender);
        let Some(conn) = self.rows.borrow_mut().insert(self.index, row) else {
            endpoint.connections.fetch_sub(1, Ordering::Relaxed);
            return Err(Refused::Full("the shard".to_owned()));
        };
        self.face.gates.at(conn.slot()).open(conn, endpoint.owner.number, uid);
        request.uid = uid;
        match endpoint.binding.open(conn, &request) {
            Ok(session) => {
                if let Some(row) = self.rows.borrow_mut().get(conn) {
                    row.session = session;
                }
                Ok(Opening { conn, answer, answered: false })
            }
            Err(failed) => {
                self.free(conn);
                Err(Refused::Failed(failed.0))
            }
        }
    }

    /// The endpoint has answered.
    pub(super) fn answered(&self, conn: ConnId, answer: Answer) {
        let mut rows = self.rows.borrow_mut();
        let Some(row) = rows.get(conn) else { return };
        let accepts = matches!(answer, Answer::Accept(_));
        let rare = row.rare();
        if let Some(end) = &mut rare.end {
            // The client has left while this was on its way.
            end.answer_due = false;
            drop(rows);
            return if accepts { self.add_work(Job::End(conn)) } else { self.free(conn) };
        }
        let Some(sender) = rare.answer.take() else { return };
        row.phase = Phase::Accepted;
        drop(rows);
        // If nobody waits any more, the drop of `Opening` has ended or will end the row.
        if sender.send(answer).is_ok() && !accepts {
            self.free(conn);
        }
    }

    /// Takes the socket over from HTTP. `early` are bytes that came behind the handshake.
    pub fn attach(&self, conn: ConnId, transport: Transport, mut early: Vec<u8>) {
        let registered = transport.register(&self.registry, Self::token_of(conn));
        let mut rows = self.rows.borrow_mut();
        let Some(row) = rows.get(conn) else { return };
        if let Err(error) = registered {
            tracing::error!("{}: cannot watch the socket: {error}", name(conn, row));
            drop(rows);
            return self.end(conn, Cause::Gone);
        }
        row.transport = Some(transport);
        self.face.load.fetch_add(1, Ordering::AcqRel);
        (row.last_read, row.last_data) = (self.now(), self.now());
        if row.phase == Phase::Accepted {
            row.phase = Phase::Open;
        }
        row.tidy();
        self.arm(conn, row);
        let ending = row.phase == Phase::Ending;
        tracing::debug!("{}: open", name(conn, row));
        drop(rows);
        // What was sent since the acceptance waits; and somebody may wait for `writable`.
        self.add_work(Job::Flush(conn));
        if ending {
            self.add_work(Job::End(conn));
        }
        if !early.is_empty() {
            self.take_in(conn, &mut early);
        }
    }

    /// The client has left before its socket came.
    pub fn abandon(conn: ConnId) {
        if let Some(shard) = Self::current() {
            shard.end(conn, Cause::Gone);
        }
    }

    /// From now on the endpoint cannot answer any more. False: it has, on another thread; after a
    /// rejection it must not be told of the end.
    pub(super) fn answer_for_endpoint(&self, conn: ConnId) -> bool {
        let gate = self.face.gates.at(conn.slot());
        gate.shut(conn);
        gate.answer(conn)
    }

    /// The answer of a connection that ends before it had one.
    pub(super) fn refuse_opening(row: &mut Row) {
        if let Some(sender) = row.rare().answer.take() {
            let body = b"the endpoint closed the connection before it accepted it\n".to_vec();
            let reject = Reject { status: 503, headers: Vec::new(), body };
            // The client may have left meanwhile.
            let _ = sender.send(Answer::Reject(reject));
        }
    }
}
