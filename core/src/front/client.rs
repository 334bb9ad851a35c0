//! What is known of a client while HTTP has its socket.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use hyper::upgrade::OnUpgrade;

use crate::connection::Shard;
use crate::shard::ConnId;

/// Shared by the task that serves it and each of its requests, which have it in their extensions.
#[derive(Debug)]
pub(super) struct Client {
    /// Index of the listener.
    pub(super) listener: usize,
    /// None on a Unix socket.
    pub(super) peer: Option<SocketAddr>,
    pub(super) local: Option<SocketAddr>,
    pub(super) tls: bool,
    has_asked: AtomicBool,
    accepted: Mutex<Option<Accepted>>,
}

/// A connection for which a 101 is on its way. Dropped before its socket came, it tells the
/// endpoint that the client has left.
#[derive(Debug)]
pub(super) struct Accepted {
    conn: Option<ConnId>,
    upgraded: OnUpgrade,
}

impl Client {
    pub(super) fn new(
        listener: usize,
        peer: Option<SocketAddr>,
        local: Option<SocketAddr>,
        tls: bool,
    ) -> Self {
        let (has_asked, accepted) = (AtomicBool::new(false), Mutex::new(None));
        Self { listener, peer, local, tls, has_asked, accepted }
    }

    /// A request has come.
    pub(super) fn ask(&self) {
        self.has_asked.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_asked(&self) -> bool {
        self.has_asked.load(Ordering::Relaxed)
    }

    /// Its request is answered with a 101, behind which the socket is the connection's.
    pub(super) fn accept(&self, accepted: Accepted) {
        *self.accepted.lock().unwrap_or_else(PoisonError::into_inner) = Some(accepted);
    }

    pub(super) fn take_accepted(&self) -> Option<Accepted> {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// For the log and for endpoints.
impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.peer {
            Some(peer) => peer.fmt(f),
            None => f.write_str("unix"),
        }
    }
}

impl Accepted {
    pub(super) fn new(conn: ConnId, upgraded: OnUpgrade) -> Self {
        Self { conn: Some(conn), upgraded }
    }

    /// Waits until hyper has written the 101 and is done with the socket.
    ///
    /// # Errors
    /// It ended before, with this reason.
    pub(super) async fn written(&mut self) -> Result<(), String> {
        match (&mut self.upgraded).await {
            // What it says when the socket is taken from the connection itself, as `serve` does.
            Err(error) if error.is_user() => Ok(()),
            Err(error) => Err(error.to_string()),
            Ok(_) => Err("the socket went elsewhere".to_owned()),
        }
    }

    /// From now on the endpoint is told by others.
    pub(super) fn into_conn(mut self) -> Option<ConnId> {
        self.conn.take()
    }
}

impl Drop for Accepted {
    fn drop(&mut self) {
        if let Some(conn) = self.conn {
            Shard::abandon(conn);
        }
    }
}
