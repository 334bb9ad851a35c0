//! The conf as serde sees it: each value typed by itself, with the tag of its line.
//!
//! What values mean together is not known here.

use std::collections::BTreeMap;

use figment::value::magic::Tagged;
use serde::Deserialize;
use switchboard_websocket::Url;
use switchboard_websocket::handshake::deflate::{self, WindowBits};

use super::datatype::{
    Boolean, ByteSize, FileName, FilePath, HeaderValue, HostPattern, ListenAddress, Mode, Name,
    PassedHeader, Subprotocol, TimeInterval, Typed, Whole, Words,
};
use super::{LogLevel, Origin};

/// A value and where it was given.
pub(super) type Given<T> = Tagged<Typed<T>>;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct RawConf {
    pub(super) instancehome: Option<Given<FilePath>>,
    pub(super) clienthome: Option<Given<FilePath>>,
    #[serde(default)]
    pub(super) plugin_path: Vec<Given<FilePath>>,
    pub(super) worker_threads: Given<Whole>,
    pub(super) debug_mode: Given<Boolean>,
    pub(super) stop_timeout: Given<TimeInterval>,
    pub(super) eventlog: RawEventLog,
    pub(super) limits: RawLimits,
    pub(super) topics: RawTopics,
    #[serde(default)]
    pub(super) listener: BTreeMap<String, RawListener>,
    #[serde(default)]
    pub(super) websocket: BTreeMap<String, RawWebSocket>,
    #[serde(default)]
    pub(super) http: BTreeMap<String, RawHttp>,
    pub(super) admin: Option<RawAdmin>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct RawAdmin {
    pub(super) socket_name: Option<Given<FilePath>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct RawEventLog {
    pub(super) level: Given<LogLevel>,
}

/// At the top everything but the frame size is there; in an endpoint only what it says itself.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct RawLimits {
    pub(super) max_connections: Option<Given<Whole>>,
    pub(super) max_message_size: Option<Given<ByteSize>>,
    pub(super) max_frame_size: Option<Given<ByteSize>>,
    pub(super) max_header_size: Option<Given<ByteSize>>,
    pub(super) soft_backlog: Option<Given<ByteSize>>,
    pub(super) max_backlog: Option<Given<ByteSize>>,
    pub(super) max_memory: Option<Given<ByteSize>>,
    pub(super) slow_timeout: Option<Given<TimeInterval>>,
    pub(super) handshake_timeout: Option<Given<TimeInterval>>,
    pub(super) idle_timeout: Option<Given<TimeInterval>>,
    pub(super) ping_interval: Option<Given<TimeInterval>>,
    pub(super) ping_timeout: Option<Given<TimeInterval>>,
    pub(super) close_timeout: Option<Given<TimeInterval>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct RawTopics {
    pub(super) max_topics: Given<Whole>,
    pub(super) max_history: Given<ByteSize>,
    pub(super) keep_empty: Given<TimeInterval>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct RawListener {
    #[serde(rename = "%name")]
    pub(super) name: Given<String>,
    pub(super) address: Given<ListenAddress>,
    pub(super) socket_mode: Given<Mode>,
    pub(super) backlog: Given<Whole>,
    pub(super) ssl: Option<RawSsl>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct RawSsl {
    pub(super) certificate: Given<FilePath>,
    pub(super) key: Given<FilePath>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct RawWebSocket {
    #[serde(rename = "%name")]
    pub(super) prefix: Given<String>,
    #[serde(default)]
    pub(super) host: Vec<Given<HostPattern>>,
    #[serde(default)]
    pub(super) listener: Vec<Given<Name>>,
    pub(super) origin: Vec<Given<Origin>>,
    pub(super) origin_required: Given<Boolean>,
    #[serde(default)]
    pub(super) subprotocol: Vec<Given<Subprotocol>>,
    pub(super) compression: Given<deflate::Mode>,
    pub(super) compression_threshold: Given<ByteSize>,
    pub(super) compression_window: Given<WindowBits>,
    #[serde(default)]
    pub(super) limits: RawLimits,
    #[serde(default)]
    pub(super) plugin: BTreeMap<String, RawPlugin>,
    pub(super) external: Option<Tagged<RawExternal>>,
    pub(super) forward: Option<RawForward>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct RawPlugin {
    #[serde(rename = "%name")]
    pub(super) name: Given<String>,
    #[serde(default)]
    pub(super) config: RawConfig,
}

/// `<config>`, inside the section of any endpoint.
pub(super) type RawConfig = BTreeMap<String, Vec<Given<String>>>;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct RawExternal {
    pub(super) program: Option<Given<Words>>,
    #[serde(default)]
    pub(super) argument: Vec<Given<Words>>,
    pub(super) socket: Option<Given<FilePath>>,
    pub(super) start_timeout: Given<TimeInterval>,
    pub(super) stop_timeout: Given<TimeInterval>,
    pub(super) drain_timeout: Given<TimeInterval>,
    #[serde(default)]
    pub(super) config: RawConfig,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct RawForward {
    pub(super) url: Given<Url>,
    pub(super) ca: Option<Given<FilePath>>,
    pub(super) append_path: Given<Boolean>,
    pub(super) connect_timeout: Given<TimeInterval>,
    pub(super) forward_header: Vec<Given<PassedHeader>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct RawHttp {
    #[serde(rename = "%name")]
    pub(super) prefix: Given<String>,
    #[serde(default)]
    pub(super) host: Vec<Given<HostPattern>>,
    #[serde(default)]
    pub(super) listener: Vec<Given<Name>>,
    #[serde(rename = "static")]
    pub(super) files: Option<RawStatic>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct RawStatic {
    pub(super) path: Given<FilePath>,
    pub(super) index: Given<FileName>,
    pub(super) cache_control: Option<Given<HeaderValue>>,
}
