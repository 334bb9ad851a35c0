//! What a person may see of the connections of a shard, a piece of the table at a time.

use std::net::SocketAddr;
use std::time::Duration;

use super::Shard;
use super::row::{Phase, Row};
use crate::shard::ConnId;
use crate::stream::{Clock, Transport};

/// One connection, as it was when its shard was asked.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its name for life.
    pub uid: u64,
    /// Its handle.
    pub conn: ConnId,
    /// The prefix of its endpoint.
    pub prefix: String,
    /// None if it came over a Unix socket, or its socket is still with HTTP.
    pub peer: Option<SocketAddr>,
    /// Where in its life it is.
    pub phase: &'static str,
    /// Messages that the client has sent.
    pub messages: u64,
    /// How long ago a message came or went; without one, how long ago it opened. None before that.
    pub quiet: Option<Duration>,
    /// Bytes that wait for the client.
    pub waiting_bytes: usize,
    /// All that counts in `max-memory`: those, and what the client has not finished to say.
    pub held_bytes: usize,
}

/// A piece of the table.
#[derive(Debug, Default)]
pub struct Page {
    /// In the order of their slots.
    pub connections: Vec<Listed>,
    /// Where the next piece begins; none behind the last.
    pub next: Option<usize>,
}

/// So many slots are looked at for one question, so that no client waits for the answer.
const PAGE_SLOTS: usize = 256;

impl Shard {
    /// The connections in the slots from `first` on, of all endpoints or of one prefix.
    pub fn list(&self, first: usize, prefix: Option<&str>) -> Page {
        let rows = self.rows.borrow();
        let end = first.saturating_add(PAGE_SLOTS);
        let of_prefix = |row: &Row| prefix.is_none_or(|p| row.endpoint.settings.mount.prefix == p);
        let connections = rows
            .between(self.index, first, end)
            .filter(|(_, row)| of_prefix(row))
            .map(|(conn, row)| self.listed(conn, row))
            .collect();
        Page { connections, next: (end < rows.slots()).then_some(end) }
    }

    fn listed(&self, conn: ConnId, row: &Row) -> Listed {
        // Nothing is known of the time before the socket came over from HTTP.
        let since = row.transport.as_ref().map(|_| row.last_data);
        Listed {
            uid: row.uid,
            conn,
            prefix: row.endpoint.settings.mount.prefix.clone(),
            peer: row.transport.as_ref().and_then(Transport::peer),
            phase: row.phase.name(),
            messages: row.seq,
            quiet: since.map(|since| Clock::between(since, self.now())),
            waiting_bytes: row.backlog(),
            held_bytes: row.held_bytes(),
        }
    }
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Accepted => "accepted",
            Self::Open => "open",
            Self::Ending => "ending",
            Self::Closing => "closing",
            Self::Lingering => "lingering",
        }
    }
}
