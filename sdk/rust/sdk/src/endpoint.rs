//! What an author implements.

use std::time::Duration;

use switchboard_abi::{SB_DRAIN_OVERLOAD, SB_DRAIN_SHUTDOWN, SB_DRAIN_UPGRADE};

use crate::conn::Conn;
use crate::error::Error;
use crate::message::Message;
use crate::request::{Closed, Opened, Reject, Request};
use crate::setup::Setup;
use crate::topics::Snapshot;

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handled {
    /// It is processed, which acknowledges it.
    Done,
    /// The endpoint keeps it and will call [`Conn::ack`] later.
    Deferred,
}

/// Why no new clients come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Drain {
    /// Not said, or not known to this SDK.
    Unsaid,
    /// This instance ends: the host stops, or the conf names it no more.
    Shutdown,
    /// Another instance takes over.
    Upgrade,
    /// The host has more than it can do.
    Overload,
}

impl Drain {
    pub(crate) fn from_number(why: u32) -> Self {
        match why {
            SB_DRAIN_SHUTDOWN => Self::Shutdown,
            SB_DRAIN_UPGRADE => Self::Upgrade,
            SB_DRAIN_OVERLOAD => Self::Overload,
            _ => Self::Unsaid,
        }
    }
}

/// Answers the clients of one section of the conf.
///
/// Calls for one connection never overlap and come in order; calls for different connections run
/// at the same time on several threads, hence `&self`. State that connections share belongs in
/// topics, so that the next version of the plugin finds it.
///
/// A panic ends the call, not the host: it is logged, the connection is closed with 1011, and its
/// session, which may be half changed, is dropped without being handed to the endpoint again.
pub trait Endpoint: Send + Sync + Sized + 'static {
    /// What is kept for one connection, from `open` to `closed`.
    type Session: Send + 'static;

    /// Makes an instance: one for each section that names the plugin. An error keeps the host from
    /// using it, and is shown to the administrator. Leave what others notice to [`start`]: a check
    /// of the conf makes an instance too, in a process of its own, and drops it.
    ///
    /// [`start`]: Self::start
    fn create(setup: &Setup) -> Result<Self, Error>;

    /// Before the first client: may start threads.
    fn start(&self) -> Result<(), Error> {
        Ok(())
    }

    /// A client wants in.
    fn open(&self, conn: &Conn, request: &Request<'_>) -> Result<Opened<Self::Session>, Reject>;

    /// A message of a client. An error closes the connection with 1011 and is logged.
    fn message(
        &self,
        conn: &Conn,
        session: &mut Self::Session,
        message: Message<'_>,
    ) -> Result<Handled, Error>;

    /// Room again, after [`Sent::Pressure`](crate::Sent::Pressure) or
    /// [`SendError::Again`](crate::SendError::Again).
    fn writable(&self, conn: &Conn, session: &mut Self::Session) {
        let _ = (conn, session);
    }

    /// What [`Conn::subscribe`] came to.
    fn subscribed(&self, conn: &Conn, session: &mut Self::Session, snapshot: &Snapshot<'_>) {
        let _ = (conn, session, snapshot);
    }

    /// The end, behind every message. What is sent here still leaves if the client listens. The
    /// session is dropped afterwards.
    fn closed(&self, conn: &Conn, session: &mut Self::Session, end: &Closed<'_>) {
        let _ = (conn, session, end);
    }

    /// No new clients come; those that are here should be let go within `deadline`, if there is
    /// one: the host closes who is left then. Other calls come meanwhile.
    fn drain(&self, why: Drain, deadline: Option<Duration>) {
        let _ = (why, deadline);
    }

    /// After the last `closed`: join every thread, then return.
    fn stop(&self) {}
}
