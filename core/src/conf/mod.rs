//! Conf text to typed settings, read once at start.
//!
//! No stage of the host reads text, environment or files of the conf afterwards.
//!
//! A file goes through the modules in this order: [`load()`] has it parsed and finds its layers;
//! `provide` and `overrides` turn each into a dictionary by the [`schema`], with the `place` of
//! every value; `complete` adds the defaults; serde fills `raw` with values of each `datatype`;
//! `settle` checks what they mean together. What is wrong is collected on the way as an
//! [`ConfErrors`].
//!
//! Back to text go [`Effective`], which is a whole conf as the host understands it, and
//! [`reference()`], which is the schema for people.

mod admin;
mod complete;
mod datatype;
mod directives;
mod error;
mod limits;
mod listeners;
mod load;
mod mounts;
mod noted;
mod overrides;
mod place;
mod program;
mod provide;
mod raw;
mod reference;
pub mod schema;
mod settle;
mod show;
mod suggest;
mod target;
mod unknown;

pub use datatype::Wrong;
pub use error::{ConfError, ConfErrors, render};
pub use load::{effective, load};
pub use program::NoProgram;
pub use reference::reference;
pub(crate) use show::without_secrets;
pub use show::{Effective, HELP as SHOW_HELP};
pub(crate) use suggest::{header, listed};

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use switchboard_websocket::Url;
use switchboard_websocket::handshake::deflate::{self, Policy, WindowBits};

/// Everything that the conf says, checked and with its defaults filled in.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `instancehome`: relative paths start here. Default: the directory of the file.
    pub instance_home: PathBuf,
    /// `clienthome`: where the host keeps its own files. Default: `var` below `instancehome`.
    pub client_home: PathBuf,
    /// Where that stands, `FILE:LINE: DIRECTIVE`, or `FILE: DIRECTIVE`, for messages.
    pub client_home_at: String,
    /// `plugin-path`, in order: directories that are searched for `lib<name>.so` and `<name>.so`.
    pub plugin_path: Vec<PathBuf>,
    /// Where each of those stands, `FILE:LINE: DIRECTIVE`; of the default nowhere.
    pub plugin_path_at: Vec<String>,
    /// `worker-threads`: number of shards, resolved to at least 1. Conf value 0: one a core.
    pub shards: usize,
    /// `debug-mode`: responses that refuse say why.
    pub debug_mode: bool,
    /// `stop-timeout`: how long clients and plugins have to end when the host stops. More
    /// than `close-timeout`, or clients are cut before their time. Default 10s.
    pub stop_timeout: Duration,
    /// `<eventlog>` `level`.
    pub log_level: LogLevel,
    /// `<limits>` at the top: what holds where an endpoint says nothing, and for plain HTTP.
    pub limits: Limits,
    /// `<topics>`.
    pub topics: TopicLimits,
    /// `<listener NAME>`, in file order. At least one.
    pub listeners: Vec<ListenerSettings>,
    /// `<websocket PREFIX>`, in file order.
    pub websockets: Vec<WebSocketSettings>,
    /// `<http PREFIX>`, in file order.
    pub https: Vec<HttpSettings>,
    /// `<admin>`: there is a control socket.
    pub admin: Option<AdminSettings>,
    /// What all this was read from: the conf file, then what it includes and what lies in `conf.d`.
    pub conf_files: Vec<ConfFile>,
    /// What is well and somebody should see to, as `FILE:LINE: DIRECTIVE: ...`: keys that are
    /// deprecated.
    pub warnings: Vec<String>,
}

impl Settings {
    /// Where the host keeps copies of plugins, and other hosts of this `clienthome` theirs.
    pub(crate) fn private_copies(&self) -> PathBuf {
        self.client_home.join("run").join("plugins")
    }
}

/// A file that was read at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfFile {
    /// Absolute.
    pub path: PathBuf,
    /// Of its content.
    pub sha256: [u8; 32],
}

/// `<admin>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminSettings {
    /// `socket-name`, absolute. Default: `admin.sock` below `clienthome`.
    pub socket: PathBuf,
    /// Where that stands, `FILE:LINE`, or the file, for messages.
    pub at: String,
}

/// `<eventlog>` `level`, by the names of ZConfig's `logging-level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum LogLevel {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// `<limits>`. Sizes in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// `max-connections`: of the host (top level), of one endpoint (inside it). Default 100000.
    pub connections_max: usize,
    /// `max-message-size` that a client may send. Default 1MB.
    pub message_bytes_max: usize,
    /// `max-frame-size` of a client. Default: `max-message-size`.
    pub frame_bytes_max: usize,
    /// `max-header-size` of a request's head. Default 16KB. Host only.
    pub header_bytes_max: usize,
    /// `soft-backlog`: bytes waiting for a client above which sends say "pressure". Default 256KB.
    pub backlog_bytes_soft: usize,
    /// `max-backlog`: bytes waiting for a client at which sends are refused. Default 4MB.
    pub backlog_bytes_max: usize,
    /// `max-memory`: bytes that clients may hold, waiting for them or in messages that they have not
    /// finished; of the host (top level, default 1GB), of one endpoint (inside it, default that
    /// of the host). 0: no limit.
    pub memory_bytes_max: Option<usize>,
    /// `slow-timeout`: no progress above the soft mark for so long closes with 1013. Default 30s.
    pub slow_timeout: Duration,
    /// `handshake-timeout`: from accept to a complete request, and from there to the endpoint's
    /// answer. Default 10s.
    pub handshake_timeout: Duration,
    /// `idle-timeout`: no data message either way for so long closes with 1001. 0: never, the default.
    pub idle_timeout: Option<Duration>,
    /// `ping-interval`: a ping after so long without a byte from the client. Default 30s. 0: never.
    pub ping_interval: Option<Duration>,
    /// `ping-timeout`: how long the client has to answer one. Default 20s.
    pub ping_timeout: Duration,
    /// `close-timeout`: how long the close handshake may take. Default 5s.
    pub close_timeout: Duration,
}

/// `<topics>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicLimits {
    /// `max-topics` at one time. Default 100000.
    pub topics_max: usize,
    /// `max-history`: bytes of retained messages of one topic. Default 1MB.
    pub history_bytes_max: usize,
    /// `keep-empty`: how long a topic without members keeps its history. Default 1h.
    pub keep_empty: Duration,
}

/// `<listener NAME>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerSettings {
    /// Its name, lower-cased.
    pub name: String,
    /// `address`.
    pub address: Address,
    /// `socket-mode` of a Unix socket, octal. Default 0660.
    pub socket_mode: u32,
    /// `backlog` of the listen queue. Default 1024.
    pub backlog: u32,
    /// `<ssl>`: it speaks TLS.
    pub ssl: Option<SslSettings>,
    /// Where the address stands, `FILE:LINE`, for messages.
    pub at: String,
}

/// `<ssl>`. The files are read at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SslSettings {
    /// `certificate`: PEM, that of the host first, then those up to the authority's.
    pub certificate: NamedFile,
    /// `key`: PEM, the private key of the certificate.
    pub key: NamedFile,
}

/// A file that the conf names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFile {
    /// Absolute.
    pub path: PathBuf,
    /// `FILE:LINE: DIRECTIVE`, for messages.
    pub at: String,
}

/// Where a listener listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// `8080`, `host:8080`, `[::1]:8080`; port 0 is any free one. Without a host: 127.0.0.1.
    Tcp(SocketAddr),
    /// A path, absolute or below `instancehome`: what contains a `/`.
    Unix(PathBuf),
}

/// What `<websocket>` and `<http>` have in common: which requests they take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The prefix, `/` or `/a/b` without a slash at its end, percent-decoded, case kept.
    pub prefix: String,
    /// `host`: names (or `*.name`) for which it answers, lower case, without port. None: all.
    pub hosts: Vec<String>,
    /// `listener`: names of the listeners it answers on. None: all.
    pub listeners: Vec<String>,
    /// Where the section begins, `FILE:LINE`, for messages.
    pub at: String,
}

/// `<websocket PREFIX>`.
#[derive(Debug, Clone)]
pub struct WebSocketSettings {
    /// Which requests it takes.
    pub mount: Mount,
    /// `origin`, a multikey. Default: `same`.
    pub origins: Vec<Origin>,
    /// `origin-required`: a request without Origin is refused. Default off.
    pub origin_required: bool,
    /// `subprotocol`, a multikey, in the order of preference.
    pub subprotocols: Vec<String>,
    /// `compression` and what belongs to it.
    pub compression: Compression,
    /// The top level's limits with this section's over them.
    pub limits: Limits,
    /// Who answers.
    pub endpoint: EndpointSettings,
}

/// How messages are compressed: permessage-deflate, RFC 7692.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compression {
    /// `compression`. Default off.
    pub mode: deflate::Mode,
    /// `compression-threshold`: messages of fewer bytes are sent as they are. Default 64.
    pub message_bytes_min: usize,
    /// `compression-window` of [`Mode::Dedicated`](deflate::Mode), each way. Default 4KB.
    pub window_bits: WindowBits,
}

impl Compression {
    /// What offers are held against.
    pub fn policy(&self) -> Policy {
        let (mode, bits) = (self.mode, self.window_bits);
        Policy { mode, server_window_bits: bits, client_window_bits: bits }
    }
}

/// What an Origin header may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// `*`
    Any,
    /// `same`: host and port of the request's Host header; the scheme is not compared.
    Same,
    /// `https://www.example.org`, `https://www.example.org:8443`: scheme, host and port are equal.
    /// `https://*.example.org`: any host below. Lower case; the default port is filled in.
    Exactly {
        /// `http` or `https`, or another scheme.
        scheme: String,
        /// Host name, or what follows `*.` if `below` is set.
        host: String,
        /// Port.
        port: u16,
        /// Any host below `host`, but not itself.
        below: bool,
    },
}

/// Exactly one section inside `<websocket>` says who answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointSettings {
    /// `<plugin NAME>`.
    Plugin(PluginSettings),
    /// `<external>`.
    External(ExternalSettings),
    /// `<forward>`.
    Forward(ForwardSettings),
}

/// `<external>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalSettings {
    /// What is started, or connected to.
    pub target: ExternalTarget,
    /// Where that stands, `FILE:LINE: ` with the section and the key behind it.
    pub target_at: String,
    /// `start-timeout`: from the start to the first READY. Default 10s.
    pub start_timeout: Duration,
    /// `stop-timeout`: from the end of the link to SIGTERM, and from that to SIGKILL. Default 5s.
    pub stop_timeout: Duration,
    /// `drain-timeout`: from DRAIN to the end of its clients, when the host stops. Default 1s.
    pub drain_timeout: Duration,
    /// `<config>`: keys (case kept) and values, in file order; keys may repeat.
    pub config: Vec<(String, String)>,
    /// Where the section begins, `FILE:LINE`.
    pub at: String,
}

/// Exactly one of `program` and `socket`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExternalTarget {
    /// The host starts it.
    Program {
        /// First word of `program`; from `instancehome` if it contains a `/` and is relative.
        program: PathBuf,
        /// The other words of `program`, then each `argument` as it is.
        arguments: Vec<String>,
    },
    /// The host connects to it.
    Socket(PathBuf),
}

/// `<plugin NAME>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginSettings {
    /// NAME, case kept; looked up in `plugin-path`, or a path if it contains a `/`.
    pub name: String,
    /// `<config>`: keys (case kept) and values, in file order; keys may repeat.
    pub config: Vec<(String, String)>,
    /// Where the section begins, `FILE:LINE`.
    pub at: String,
}

/// `<forward>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardSettings {
    /// `url` of the server that answers. The path of a Unix socket is absolute.
    pub url: Url,
    /// `ca`: PEM, whose certificates may sign the server's. None: those that the system trusts.
    pub ca: Option<NamedFile>,
    /// Where the url stands, `FILE:LINE`.
    pub at: String,
    /// `append-path`: what is left of the path, and the query, go behind the url. Default on.
    pub append_path: bool,
    /// `connect-timeout`: from dialling to the server's 101. Default 5s.
    pub connect_timeout: Duration,
    /// `forward-header`, a multikey: passed on as they came, both ways. Default: `User-Agent`.
    pub forward_headers: Vec<String>,
}

/// `<http PREFIX>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    /// Which requests it takes.
    pub mount: Mount,
    /// `<static>`.
    pub files: StaticSettings,
    /// Where its path stands, `FILE:LINE: DIRECTIVE`, for messages.
    pub path_at: String,
}

/// `<static>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticSettings {
    /// `path` of an existing directory, resolved.
    pub root: PathBuf,
    /// `index`: file served for a directory. Default `index.html`.
    pub index: String,
    /// `cache-control` header, if any.
    pub cache_control: Option<String>,
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}
