//! Typed values to settings: what they mean together, and what they point to.

use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::value::Tag;

use super::datatype::{ByteSize, HostPattern, ListenAddress, Whole};
use super::error::Faults;
use super::place::{Place, Places};
use super::raw::{Given, RawConf, RawHttp, RawLimits, RawListener, RawPlugin, RawWebSocket};
use super::suggest::{nearest, there_is};
use super::{
    Address, EndpointSettings, HttpSettings, Limits, ListenerSettings, Mount, PluginSettings,
    Settings, StaticSettings, TopicLimits, WebSocketSettings,
};

/// What the kernel takes as the path of a Unix socket: `sun_path` without its final NUL.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Checks what no single value can know, and fills in what follows from other values.
pub(super) struct Settling<'s> {
    pub(super) faults: &'s mut Faults,
    pub(super) places: &'s Places,
    /// The conf file, for what is wrong with the conf as a whole.
    pub(super) file: Place,
    /// Relative paths start here.
    pub(super) home: PathBuf,
}

impl Settling<'_> {
    /// The settings. They are good only if no fault was found.
    pub(super) fn settle(mut self, raw: RawConf) -> Settings {
        self.home = self.instance_home(raw.instancehome.as_ref());
        let client_home = raw.clienthome.as_ref().map_or("var", |path| value(path).as_str());
        let client_home = self.home.join(client_home);
        let plugin_path = match &raw.plugin_path[..] {
            [] => vec![client_home.join("plugins")],
            given => given.iter().map(|path| self.home.join(value(path))).collect(),
        };
        let limits = self.limits(&raw.limits, None, "<limits>");
        let mut listeners = raw.listener;
        let listeners = self.listeners(&mut listeners);
        Settings {
            plugin_path,
            shards: match number(&raw.worker_threads) {
                0 => std::thread::available_parallelism().map_or(1, usize::from),
                threads => threads,
            },
            debug_mode: *value(&raw.debug_mode),
            stop_timeout: *value(&raw.stop_timeout),
            log_level: *value(&raw.eventlog.level),
            topics: TopicLimits {
                topics_max: number(&raw.topics.max_topics),
                history_bytes_max: bytes(&raw.topics.max_history),
                keep_empty: *value(&raw.topics.keep_empty),
            },
            websockets: self.websockets(raw.websocket, &limits, &raw.limits, &listeners),
            https: self.https(raw.http, &listeners),
            instance_home: self.home,
            client_home,
            limits,
            listeners,
        }
    }

    fn instance_home(&mut self, given: Option<&Given<String>>) -> PathBuf {
        let Some(given) = given else {
            return self.home.clone();
        };
        let home = self.home.join(value(given));
        if !home.is_dir() {
            let message = format!("there is no directory {}", home.display());
            self.faults.of(self.places, given.tag(), "instancehome", message);
        }
        home
    }

    fn listeners(&mut self, raw: &mut BTreeMap<String, RawListener>) -> Vec<ListenerSettings> {
        let mut taken: HashMap<Address, Tag> = HashMap::new();
        let mut listeners = Vec::new();
        for raw in in_file_order(std::mem::take(raw), |raw| raw.name.tag()) {
            let name = value(&raw.name).clone();
            let directive = format!("<listener {name}> address");
            let address = self.address(&raw.address, &directive);
            let first = taken.insert(address.clone(), raw.address.tag());
            let is_any_port = matches!(address, Address::Tcp(address) if address.port() == 0);
            if let Some(first) = first.filter(|_| !is_any_port) {
                let message = format!("the address is taken by the listener at {}", self.at(first));
                self.faults.of(self.places, raw.address.tag(), &directive, message);
            }
            let backlog = u32::try_from(value(&raw.backlog).0).unwrap_or(u32::MAX);
            let socket_mode = value(&raw.socket_mode).0;
            listeners.push(ListenerSettings { name, address, socket_mode, backlog });
        }
        if listeners.is_empty() {
            let message = "there is no <listener>; write '<listener main>', \
                           'address 127.0.0.1:8080' and '</listener>', each on its own line";
            self.faults.missing(&self.file, "", message);
        }
        listeners
    }

    /// Some address if this one cannot be used, which is a fault then.
    fn address(&mut self, given: &Given<ListenAddress>, directive: &str) -> Address {
        let result = match value(given) {
            ListenAddress::Ip(ip, port) => Ok(Address::Tcp(SocketAddr::new(*ip, *port))),
            ListenAddress::Named(name, port) => looked_up(name, *port),
            ListenAddress::Unix(path) => match self.home.join(path) {
                path if path.as_os_str().len() > SOCKET_PATH_BYTES_MAX => Err(format!(
                    "{} is too long for a Unix socket, which may have {SOCKET_PATH_BYTES_MAX} bytes",
                    path.display()
                )),
                path => Ok(Address::Unix(path)),
            },
        };
        result.unwrap_or_else(|message| {
            self.faults.of(self.places, given.tag(), directive, message);
            Address::Tcp((Ipv4Addr::LOCALHOST, 0).into())
        })
    }

    /// `raw` over `top`; without a `top`, over nothing, since then it is the top.
    fn limits(
        &mut self,
        raw: &RawLimits,
        top: Option<(&Limits, &RawLimits)>,
        path: &str,
    ) -> Limits {
        let of = |f: fn(&RawLimits) -> &Option<Given<ByteSize>>| {
            let given = f(raw).as_ref().or(top.and_then(|(_, top)| f(top).as_ref()));
            given.map(bytes)
        };
        let time = |f: fn(&RawLimits) -> &Option<Given<Duration>>| {
            let given = f(raw).as_ref().or(top.and_then(|(_, top)| f(top).as_ref()));
            given.map(|given| *value(given)).unwrap_or_default()
        };
        let connections = raw.max_connections.as_ref().map(number);
        let message_bytes_max = of(|raw| &raw.max_message_size).unwrap_or_default();
        let limits = Limits {
            connections_max: connections.or(top.map(|(top, _)| top.connections_max)).unwrap_or(0),
            message_bytes_max,
            frame_bytes_max: of(|raw| &raw.max_frame_size).unwrap_or(message_bytes_max),
            header_bytes_max: of(|raw| &raw.max_header_size).unwrap_or_default(),
            backlog_bytes_soft: of(|raw| &raw.soft_backlog).unwrap_or_default(),
            backlog_bytes_max: of(|raw| &raw.max_backlog).unwrap_or_default(),
            slow_timeout: time(|raw| &raw.slow_timeout),
            handshake_timeout: time(|raw| &raw.handshake_timeout),
            idle_timeout: unless_zero(time(|raw| &raw.idle_timeout)),
            ping_interval: unless_zero(time(|raw| &raw.ping_interval)),
            ping_timeout: time(|raw| &raw.ping_timeout),
            close_timeout: time(|raw| &raw.close_timeout),
        };
        self.marks(raw, &limits, path);
        limits
    }

    /// The soft mark is not above the hard one.
    fn marks(&mut self, raw: &RawLimits, limits: &Limits, path: &str) {
        let (soft, hard) = (limits.backlog_bytes_soft, limits.backlog_bytes_max);
        let given = |given: &Option<Given<ByteSize>>| {
            let tag = given.as_ref().map(Given::tag)?;
            self.places.place(tag).map(|_| tag)
        };
        let (soft_at, hard_at) = (given(&raw.soft_backlog), given(&raw.max_backlog));
        let wrong = [soft_at, hard_at].into_iter().flatten();
        if soft <= hard || wrong.clone().any(|tag| self.faults.known(self.places, tag)) {
            return;
        }
        let (soft, hard) = (size(soft), size(hard));
        match (soft_at, hard_at) {
            (Some(tag), _) => {
                let message = format!("{soft} is above max-backlog, which is {hard}");
                self.faults.of(self.places, tag, &format!("{path} soft-backlog"), message);
            }
            (None, Some(tag)) => {
                let message =
                    format!("{hard} is below soft-backlog, which is {soft}; set that too");
                self.faults.of(self.places, tag, &format!("{path} max-backlog"), message);
            }
            (None, None) => {}
        }
    }

    fn websockets(
        &mut self,
        raw: BTreeMap<String, RawWebSocket>,
        limits: &Limits,
        raw_limits: &RawLimits,
        listeners: &[ListenerSettings],
    ) -> Vec<WebSocketSettings> {
        let mut mounts = Mounts::new("websocket", listeners);
        let mut all = Vec::new();
        for raw in in_file_order(raw, |raw| raw.prefix.tag()) {
            let mount = self.mount(&mut mounts, &raw.prefix, &raw.host, &raw.listener);
            let path = format!("<websocket {}> <limits>", mount.prefix);
            let limits = self.limits(&raw.limits, Some((limits, raw_limits)), &path);
            let Some(plugin) = raw.plugin.into_values().next() else {
                continue;
            };
            all.push(WebSocketSettings {
                mount,
                origins: raw.origin.iter().map(|origin| value(origin).clone()).collect(),
                origin_required: *value(&raw.origin_required),
                subprotocols: raw.subprotocol.iter().map(|name| value(name).clone()).collect(),
                limits,
                endpoint: EndpointSettings::Plugin(self.plugin(&plugin)),
            });
        }
        all
    }

    fn plugin(&self, raw: &RawPlugin) -> PluginSettings {
        let pairs = raw.config.iter().flat_map(|(key, values)| {
            values.iter().map(move |given| (given.tag(), key.clone(), value(given).clone()))
        });
        let mut pairs: Vec<_> = pairs.collect();
        pairs.sort_by_key(|(tag, ..)| *tag);
        PluginSettings {
            name: value(&raw.name).clone(),
            config: pairs.into_iter().map(|(_, key, value)| (key, value)).collect(),
            at: self.at(raw.name.tag()),
        }
    }

    fn https(
        &mut self,
        raw: BTreeMap<String, RawHttp>,
        listeners: &[ListenerSettings],
    ) -> Vec<HttpSettings> {
        let mut mounts = Mounts::new("http", listeners);
        let mut all = Vec::new();
        for raw in in_file_order(raw, |raw| raw.prefix.tag()) {
            let mount = self.mount(&mut mounts, &raw.prefix, &raw.host, &raw.listener);
            let Some(files) = raw.files else {
                continue;
            };
            let path = format!("<http {}> <static> path", mount.prefix);
            let files = StaticSettings {
                root: self.directory(&files.path, &path),
                index: value(&files.index).clone(),
                cache_control: files.cache_control.as_ref().map(|given| value(given).clone()),
            };
            all.push(HttpSettings { mount, files });
        }
        all
    }

    /// An existing directory, without links in its path.
    fn directory(&mut self, given: &Given<String>, directive: &str) -> PathBuf {
        let path = self.home.join(value(given));
        let message = match path.canonicalize() {
            Ok(real) if real.is_dir() => return real,
            Ok(_) => format!("{} is no directory", path.display()),
            Err(_) => format!("there is no directory {}", path.display()),
        };
        self.faults.of(self.places, given.tag(), directive, message);
        path
    }

    fn mount(
        &mut self,
        mounts: &mut Mounts<'_>,
        prefix: &Given<String>,
        hosts: &[Given<HostPattern>],
        listeners: &[Given<String>],
    ) -> Mount {
        let header = format!("<{} {}>", mounts.kind, value(prefix));
        for given in listeners {
            if let Some(message) = mounts.unknown_listener(value(given).as_str()) {
                let directive = format!("{header} listener");
                if !self.faults.incomplete {
                    self.faults.of(self.places, given.tag(), &directive, message);
                }
            }
        }
        let mount = Mount {
            prefix: value(prefix).clone(),
            hosts: hosts.iter().map(|host| value(host).0.clone()).collect(),
            listeners: listeners.iter().map(|name| value(name).to_lowercase()).collect(),
            at: self.at(prefix.tag()),
        };
        if let Some(first) = mounts.add(&mount) {
            self.faults.of(self.places, prefix.tag(), &header, first);
        }
        mount
    }

    /// `FILE:LINE` of what has that tag.
    fn at(&self, tag: Tag) -> String {
        self.places.place(tag).map(ToString::to_string).unwrap_or_default()
    }
}

/// Which requests are taken already, by sections of one type.
struct Mounts<'l> {
    kind: &'static str,
    listeners: Vec<&'l str>,
    /// (listener, host, prefix) to where it was given. The host is empty for all others.
    taken: HashMap<(String, String, String), String>,
}

impl<'l> Mounts<'l> {
    fn new(kind: &'static str, listeners: &'l [ListenerSettings]) -> Self {
        let listeners = listeners.iter().map(|listener| listener.name.as_str()).collect();
        Self { kind, listeners, taken: HashMap::new() }
    }

    fn unknown_listener(&self, name: &str) -> Option<String> {
        let name = name.to_lowercase();
        if self.listeners.contains(&name.as_str()) {
            return None;
        }
        Some(match nearest(&name, self.listeners.iter().copied()) {
            Some(near) => format!("there is no <listener {name}>; did you mean '{near}'?"),
            None if self.listeners.is_empty() => format!("there is no <listener {name}>"),
            None => {
                format!("there is no <listener {name}>; {}", there_is(&self.listeners))
            }
        })
    }

    /// Takes the requests of `mount`; says who has one of them already.
    fn add(&mut self, mount: &Mount) -> Option<String> {
        let all: Vec<String> = self.listeners.iter().map(|name| (*name).into()).collect();
        let listeners = if mount.listeners.is_empty() { &all } else { &mount.listeners };
        let every = [String::new()];
        let hosts = if mount.hosts.is_empty() { &every[..] } else { &mount.hosts };
        let mut doubled = None;
        for listener in listeners {
            for host in hosts {
                let key = (listener.clone(), host.clone(), mount.prefix.clone());
                let first = self.taken.entry(key).or_insert_with(|| mount.at.clone());
                if *first != mount.at && doubled.is_none() {
                    let whose =
                        if host.is_empty() { String::new() } else { format!(" for host {host}") };
                    doubled = Some(format!(
                        "the prefix{whose} is taken by the <{}> section at {first}",
                        self.kind
                    ));
                }
            }
        }
        doubled
    }
}

fn value<T>(given: &Given<T>) -> &T {
    &given.0
}

fn number(given: &Given<Whole>) -> usize {
    usize::try_from(value(given).0).unwrap_or(usize::MAX)
}

fn bytes(given: &Given<ByteSize>) -> usize {
    usize::try_from(value(given).0).unwrap_or(usize::MAX)
}

fn unless_zero(time: Duration) -> Option<Duration> {
    (!time.is_zero()).then_some(time)
}

/// Dictionaries are sorted by key; tags were given out in the order of the lines.
fn in_file_order<T>(sections: BTreeMap<String, T>, tag: fn(&T) -> Tag) -> Vec<T> {
    let mut sections: Vec<T> = sections.into_values().collect();
    sections.sort_by_key(tag);
    sections
}

fn looked_up(name: &str, port: u16) -> Result<Address, String> {
    let found = (name, port).to_socket_addrs().ok().and_then(|mut all| all.next());
    found.map(Address::Tcp).ok_or_else(|| format!("no address is known for the host '{name}'"))
}

/// `4MB` rather than 4194304, where it is that.
fn size(bytes: usize) -> String {
    let units = [(1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")];
    let whole = |(unit, _): &&(usize, &str)| bytes >= *unit && bytes.is_multiple_of(*unit);
    units.iter().find(whole).map_or(bytes.to_string(), |(u, name)| format!("{}{name}", bytes / u))
}

/// The directory of `file`, absolute.
pub(super) fn home_of(file: &Path) -> PathBuf {
    let file = std::path::absolute(file).unwrap_or_else(|_| file.into());
    file.parent().unwrap_or(Path::new("/")).into()
}
