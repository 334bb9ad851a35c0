//! The shapes of the answers, which `docs/control-api.md` promises. No type of the host goes out as
//! it is.

use serde::{Deserialize, Serialize};

/// `GET /v1/status`
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Status {
    pub(super) version: String,
    pub(super) pid: u32,
    pub(super) uptime_seconds: u64,
    /// The host has been asked to end.
    pub(super) stopping: bool,
    pub(super) conf: Vec<ConfFile>,
    pub(super) listeners: Vec<Listener>,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) connections: usize,
    pub(super) max_connections: usize,
    pub(super) memory_bytes: usize,
    /// None: no limit.
    pub(super) max_memory_bytes: Option<usize>,
    pub(super) shards: Vec<Shard>,
}

/// As it was when the host read it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ConfFile {
    pub(super) path: String,
    pub(super) sha256: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Listener {
    pub(super) name: String,
    /// With the port that the system chose.
    pub(super) address: String,
    pub(super) tls: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Endpoint {
    pub(super) prefix: String,
    /// None: all.
    pub(super) hosts: Vec<String>,
    /// None: all.
    pub(super) listeners: Vec<String>,
    /// `plugin`, `external` or `forward`.
    pub(super) kind: String,
    /// The plugin's name, the program or its socket, or the url.
    pub(super) answers: String,
    pub(super) connections: usize,
    pub(super) max_connections: usize,
    pub(super) memory_bytes: usize,
    /// None: no limit of its own.
    pub(super) max_memory_bytes: Option<usize>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Shard {
    /// Sockets that it has: connections, and those that still speak HTTP.
    pub(super) sockets: usize,
}

/// `GET /v1/connections`
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Connections {
    /// How many there are that were asked for; more than are shown, if the limit is less.
    pub(super) total: usize,
    /// Oldest first.
    pub(super) connections: Vec<Connection>,
    /// Shards that did not answer in time, because an endpoint holds them up.
    pub(super) silent_shards: Vec<usize>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Connection {
    pub(super) uid: u64,
    pub(super) endpoint: String,
    /// None of a Unix socket, and before the handshake is over.
    pub(super) peer: Option<String>,
    pub(super) shard: usize,
    /// `opening`, `accepted`, `open`, `ending`, `closing` or `lingering`.
    pub(super) phase: String,
    /// Messages that the client has sent.
    pub(super) messages: u64,
    /// Since a message came or went.
    pub(super) quiet_seconds: Option<f64>,
    /// What waits for the client.
    pub(super) waiting_bytes: usize,
    /// All that counts in `max-memory`.
    pub(super) held_bytes: usize,
}

/// `GET /v1/plugins`
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Plugins {
    pub(super) plugins: Vec<Plugin>,
}

/// One library, however often it is used.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Plugin {
    /// As the conf names it first.
    pub(super) name: String,
    pub(super) id: String,
    pub(super) version: String,
    /// May be empty.
    pub(super) build: String,
    pub(super) path: String,
    pub(super) sha256: String,
    pub(super) instances: Vec<Instance>,
    /// Of all instances.
    pub(super) connections: usize,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Instance {
    /// The prefix at which it answers.
    pub(super) endpoint: String,
    pub(super) connections: usize,
}

/// `POST /v1/stop`
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Stopping {
    pub(super) pid: u32,
    pub(super) stopping: bool,
}

/// Any other status than 200 and 202.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Refused {
    pub(super) error: String,
}

/// As `sha256sum` prints it.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
